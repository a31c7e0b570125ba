import JSON
import Persistence
import TestSupport
import Testing
import Values

@testable import SagaCore
@testable import WorkflowEngine

@Suite("What a saga needs, as lists have it", .timeLimit(.minutes(15)), .inTurn)
struct SagaNeedTests {
  typealias Saga = SagaSpecification

  private func row(_ saga: Saga) throws -> SagaRow {
    SagaRow(try #require(saga.state), shard: 0, at: saga.now, startWords: [])
  }

  private func start(_ steps: String...) throws -> Saga {
    var saga = try Saga("[\(steps.joined(separator: ", "))]")
    try saga.start()
    return saga
  }

  @Test("A saga that is stuck in an undo names the undo; what turned it back is its cause")
  func stuckInUndo() throws {
    var saga = try start(Saga.http("store"), Saga.http("qc"))
    #expect(try row(saga).need == nil)
    try saga.succeed("store")
    try saga.refuse("qc", "QC_FAILED")
    #expect(try row(saga).need == nil && row(saga).causeCode == "QC_FAILED" && row(saga).causeStep == "qc")
    saga.pass(5_000)
    try saga.refuse("store", "FREEZER_LOCKED")
    let row = try row(saga)
    #expect(
      row.need == SagaNeed(kind: .stuck, step: "store", phase: "undo", code: "FREEZER_LOCKED", since: saga.now))
    #expect(row.late == nil, "that it is overdue too changes nothing")
    #expect(row.causeCode == "QC_FAILED" && row.failureCode == "FREEZER_LOCKED")
    #expect(row.incident(at: saga.now + .seconds(1_000_000))?.kind == .stuck)
  }

  @Test("A step that may have happened is another incident than one that was refused, and is resolved first")
  func unknownOutcome() throws {
    let pivot = Saga.http("p", #""pivot": true, "retry": {"maxAttempts": 1}"#)
    var lost = try start(pivot)
    try lost.lose("p")
    let unknown = try #require(try row(lost).need)
    #expect(unknown.kind == .stuck && unknown.outcomeIsUnknown && !unknown.isItem)
    #expect(IncidentKey(unknown, workflow: "w").verbs == [.resolve, .retry])
    var known = unknown
    known.outcomeIsUnknown = false
    #expect(IncidentKey(known, workflow: "w").verbs == [.retry, .resolve])
    #expect(IncidentKey(known, workflow: "w").id != IncidentKey(unknown, workflow: "w").id)
    var item = known
    item.isItem = true
    #expect(IncidentKey(item, workflow: "w").verbs == [.retry], "items are resolved one by one")
  }

  @Test("Of two blockers, the one that came first decides, and a stuck saga that is paused is stuck")
  func firstBlocker() throws {
    let stuck = #""dependsOn": [], "onFailure": "stuck", "retry": {"maxAttempts": 1}"#
    var saga = try start(Saga.http("a", stuck), Saga.http("b", stuck))
    try saga.refuse("b", "FIRST")
    saga.pass(1_000)
    try saga.refuse("a", "SECOND")
    #expect(try row(saga).need?.step == "b" && row(saga).need?.code == "FIRST")
    try saga.when(.operate(OperatorRequest(.pause, by: OperatorAct(by: "mia", reason: "lunch"))))
    #expect(try row(saga).need?.kind == .stuck)
    try saga.when(.retry(step: "b", by: "mia", reason: "again"))
    #expect(try row(saga).need?.step == "a")
  }

  @Test("A paused saga is paused, whatever its steps do")
  func paused() throws {
    var saga = try start(Saga.http("a"))
    saga.pass(1_000)
    try saga.when(.operate(OperatorRequest(.pause, by: OperatorAct(by: "mia", reason: "lunch"))))
    #expect(try row(saga).need == SagaNeed(kind: .paused, since: saga.now))
    #expect(try row(saga).late == nil)
  }

  @Test("A saga that the engine itself paused is held, even if it is stuck; a person can't pause like that")
  func held() throws {
    var saga = try start(Saga.http("a", #""onFailure": "stuck", "retry": {"maxAttempts": 1}"#))
    try saga.refuse("a", "FULL")
    let engine = OperatorAct(by: "engine", reason: "The engine died", from: "recovery")
    try saga.when(.operate(OperatorRequest(.pause, by: engine)))
    let held = SagaNeed(kind: .held, code: EngineErrorCode.sagaHeld, since: saga.now)
    #expect(try row(saga).need == held && row(saga).late == nil)
    #expect(IncidentKey(held, workflow: "w").verbs == [.resume, .cancel])
    try saga.when(.operate(OperatorRequest(.resume, by: OperatorAct(by: "mia", reason: "repaired"))))
    #expect(try row(saga).need?.kind == .stuck)
    let posing = OperatorAct(by: "engine", reason: "lunch", from: "rest 10.0.0.7")
    try saga.when(.operate(OperatorRequest(.pause, by: posing)))
    #expect(try row(saga).need?.kind == .stuck)
  }

  @Test("A step that failed and is tried again is seen between its attempts and during them, until it succeeds")
  func retrying() throws {
    var saga = try start(Saga.http("a", #""retry": {"maxAttempts": 5}"#), Saga.http("b"))
    #expect(try row(saga).need == nil)
    try saga.lose("a", "http.503")
    let expected = SagaNeed(kind: .retrying, step: "a", phase: "forward", code: "http.503", since: Saga.startedAt)
    #expect(try row(saga).need == expected)
    try saga.wakeWhenDue()
    #expect(saga.state?.step("a")?.status == .running)
    #expect(try row(saga).need == expected, "it does not go and come with each attempt")
    try saga.succeed("a")
    #expect(try row(saga).need == nil)
  }

  @Test("An undo that is tried again names the undo")
  func retryingUndo() throws {
    var saga = try start(Saga.http("a"), Saga.http("b"))
    try saga.succeed("a")
    try saga.refuse("b")
    try saga.lose("a", "http.503")
    let need = try row(saga).need
    #expect(need?.kind == .retrying && need?.step == "a" && need?.phase == "undo" && need?.code == "http.503")
  }

  @Test("An overdue saga names its step; before that, and after its end, it needs nothing")
  func overdue() throws {
    var saga = try Saga("[\(Saga.http("a"))]", members: #""timeout": "1h","#)
    try saga.start()
    let row = try row(saga)
    let deadline = Saga.startedAt + .seconds(3_600)
    #expect(row.late == SagaNeed(kind: .overdue, step: "a", phase: "forward", since: deadline))
    #expect(row.incident(at: deadline + .seconds(-1)) == nil)
    #expect(row.incident(at: deadline)?.kind == .overdue)
    try saga.succeed("a")
    #expect(try self.row(saga).need == nil && self.row(saga).late == nil)
  }

  @Test("An item is counted at the step that has it")
  func items() throws {
    let onFailure = #""onFailure": "stuck", "retry": {"maxAttempts": 1}"#
    var saga = try Saga("[\(ForEachTests.wells("", onFailure))]")
    try saga.start(input: ForEachTests.input(["A1", "A2"]))
    #expect(try row(saga).need == nil)
    try saga.refuse("run[A1]")
    try saga.refuse("run[A2]")
    #expect(saga.status == .stuck)
    let need = try row(saga).need
    #expect(need?.kind == .stuck && need?.step == "run" && need?.phase == "forward")
  }
}
