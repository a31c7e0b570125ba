import JSON
import Runtime
import TestSupport
import Testing
import Values
import Workflows

@testable import SagaCore
@testable import WorkflowEngine

@Suite("Retry with changed input", .timeLimit(.minutes(15)), .inTurn)
struct RetryInputTests {
  typealias Saga = SagaSpecification
  static let steps =
    #"""
    [\#(SagaSpecification.http("p", #""pivot": true"#)),
     {"id": "b", "http": {"service": "lab", "method": "PUT", "path": "/b/${input.well}"},
      "compensation": {"http": {"service": "lab", "method": "DELETE", "path": "/b/${input.well}"}}},
     {"id": "c", "http": {"service": "lab", "method": "PUT", "path": "/c/${input.well}"}, "compensation": "none"}]
    """#

  /// `b`, behind the pivot, was refused.
  func stuck() throws -> Saga {
    var saga = try Saga(Self.steps)
    try saga.start(input: ["well": "A1"])
    try saga.succeed("p")
    try saga.refuse("b")
    return saga
  }

  private func path(_ saga: Saga) throws -> String {
    let effects = Decider.effects(of: try #require(saga.state), definition: saga.definition)
    for effect in effects { if case .call(let call) = effect, case .http(let http) = call.action { return http.path } }
    return "no call"
  }

  @Test("A retry with changed input is a new round, and the input is for that step only")
  func newRound() throws {
    var saga = try stuck()
    #expect(try path(saga) == "no call")
    #expect(try saga.operate(.retry(step: "b", input: ["well": "B7"])) == ["b retried with input", "b 1"])
    #expect(saga.calls == ["b/2"])
    #expect(try path(saga) == "/b/B7")
    #expect(try saga.step("b").input == ["well": "B7"])
    #expect(try saga.succeed("b") == ["b succeeded", "c 1"])
    #expect(try path(saga) == "/c/A1")
    #expect(saga.state?.start.input == ["well": "A1"])
  }

  @Test("A step that ran with changed input is undone with it, and a rewind keeps the input")
  func undo() throws {
    var saga = try stuck()
    try saga.operate(.retry(step: "b", input: ["well": "B7"]))
    try saga.succeed("b")
    try saga.operate(.rewind(step: "b"))
    try saga.refuse("c")
    #expect(saga.calls == ["b/2/undo"])
    #expect(try path(saga) == "/b/B7")
    try saga.succeed("b")
    #expect(saga.calls == ["b/3"])
    #expect(try path(saga) == "/b/B7")
  }

  @Test("A plain retry stays in the round")
  func plain() throws {
    var saga = try stuck()
    #expect(try saga.operate(.retry(step: nil)) == ["b retried", "b 2"])
    #expect(saga.calls == ["b/1"])
  }

  @Test("Changed input is refused for an unknown outcome, a non-object, no step, an undo, or a step that is not stuck")
  func refused() throws {
    var saga = try stuck()
    #expect(try saga.refusal(of: .retry(step: "b", input: [1])) == EngineErrorCode.stepInputNotTaken)
    #expect(try saga.refusal(of: .retry(step: nil, input: [:])) == EngineErrorCode.stepInputNotTaken)
    #expect(try saga.refusal(of: .retry(step: "c", input: [:])) == EngineErrorCode.stepNotRetryable)
    try saga.operate(.retry(step: "b"))
    for _ in 0..<3 {
      try saga.lose("b")
      if saga.status == .running { try saga.wakeWhenDue() }
    }
    #expect(saga.status == .stuck)
    #expect(try saga.refusal(of: .retry(step: "b", input: [:])) == EngineErrorCode.stepOutcomeUnknown)

    var undo = try Saga("[\(Saga.http("a")), \(Saga.http("b"))]")
    try undo.start()
    #expect(try undo.refusal(of: .retry(step: nil)) == EngineErrorCode.sagaNotStuck)
    try undo.succeed("a")
    try undo.refuse("b")
    try undo.refuse("a")
    #expect(try undo.refusal(of: .retry(step: "a", input: [:])) == EngineErrorCode.stepInputNotTaken)
  }

  @Test("A wait that a saga is stuck on waits again")
  func wait() throws {
    var saga = try Saga("[\(Saga.http("p", #""pivot": true"#)), \(Saga.signal("s", #""timeout": "1m""#))]")
    try saga.start()
    try saga.succeed("p")
    try saga.when(.wake, after: 60_000)
    #expect(saga.status == .stuck)
    #expect(try saga.operate(.retry(step: "s")) == ["s retried", "s waits"])
    #expect(
      try saga.when(.signal(name: "s-done", signalID: nil, body: 1, by: "x"))
        == ["signal s-done", "s succeeded", "sagaCompleted"])
  }
}

@Suite("The record of acts, and acts of two operators", .timeLimit(.minutes(15)), .inTurn)
struct OperatorActTests {
  typealias Saga = SagaSpecification

  @Test("compensate starts compensation as cancel does, and records that the operator decided")
  func compensate() throws {
    var saga = try Saga("[\(Saga.http("a")), \(Saga.http("p", #""pivot": true"#)), \(Saga.http("z"))]")
    try saga.start()
    try saga.succeed("a")
    #expect(try saga.operate(.compensate) == ["turnBackRequested compensate"], "the pivot decides first")
    #expect(try saga.refusal(of: .compensate) == EngineErrorCode.sagaTurningBack)
    #expect(try saga.refusal(of: .cancel) == EngineErrorCode.sagaTurningBack)
    #expect(try saga.refuse("p").contains("turnedBack compensate"))
    #expect(saga.state?.turnBack?.value.by == "mia")
    #expect(saga.state?.turnBack?.value.code == EngineErrorCode.sagaCompensate)

    var passed = try Saga("[\(Saga.http("p", #""pivot": true"#)), \(Saga.http("z"))]")
    try passed.start()
    try passed.operate(.compensate)
    #expect(try passed.succeed("p") == ["p succeeded", "turnBackLapsed", "z 1"])
    #expect(try passed.refusal(of: .compensate) == EngineErrorCode.sagaPivotPassed)
  }

  @Test("Every act is in the history with user, reason and origin", arguments: OperatorVerb.Name.allCases)
  func kept(name: OperatorVerb.Name) throws {
    var saga = try Saga("[\(Saga.http("a")), \(Saga.delay("d", "10s")), \(Saga.http("b"))]")
    try saga.start()
    try saga.succeed("a")
    let verb: OperatorVerb
    var target: WorkflowDefinition?
    switch name {
    case .migrate:
      verb = .migrate(to: 2)
      target = try Saga("[\(Saga.http("a")), \(Saga.delay("d", "10s")), \(Saga.http("c"))]", version: 2).definition
    case .pause: verb = .pause
    case .resume:
      try saga.operate(.pause)
      verb = .resume
    case .skip: verb = .skip(step: "b", output: nil)
    case .runNow: verb = .runNow(step: nil)
    case .extend: verb = .extend(step: nil, .by(.seconds(1)))
    case .rewind: verb = .rewind(step: "a")
    case .compensate: verb = .compensate
    case .cancel: verb = .cancel
    case .retry, .resolve, .abandon:
      try saga.operate(.cancel)
      try saga.refuse("a")
      verb = name == .retry ? .retry(step: "a") : name == .abandon ? .abandon : .resolve(step: "a", .undone)
    }
    let before = saga.log.count
    try saga.operate(verb, to: target, key: "k-1")
    let event = try #require(saga.log.dropFirst(before).first)
    let (found, act) = try #require(event.operated)
    #expect(found == name && act.by == "mia" && act.reason == "because" && act.from == "rest 10.0.0.7")
    #expect(act.commandID == "k-1")
    #expect(saga.state?.lastAct?.verb == name.rawValue && saga.state?.lastAct?.version == before + 1)
    // The same request again is a repeat, also when the saga has ended meanwhile; another under its name is refused.
    #expect(try saga.operate(verb, key: "k-1") == [])
    let other: OperatorVerb = name == .pause ? .resume : .pause
    #expect(try saga.refusal(of: other, key: "k-1") == EngineErrorCode.commandReused)
  }

  @Test("A key that comes again with another step or output is refused")
  func reused() throws {
    var saga = try Saga("[\(Saga.http("a")), \(Saga.http("b")), \(Saga.http("c"))]")
    try saga.start()
    try saga.operate(.skip(step: "b", output: 1), key: "k")
    #expect(try saga.operate(.skip(step: "b", output: 1), key: "k") == [])
    #expect(try saga.refusal(of: .skip(step: "b", output: 2), key: "k") == EngineErrorCode.commandReused)
    #expect(try saga.refusal(of: .skip(step: "c", output: 1), key: "k") == EngineErrorCode.commandReused)
  }

  @Test("The second of two operators is refused with what the first did")
  func twoAtOnce() throws {
    var saga = try Saga("[\(Saga.http("a")), \(Saga.http("b"))]")
    try saga.start()
    let seen = try #require(saga.state?.version)
    try saga.succeed("a")
    #expect(try saga.operate(.pause, seen: seen, by: "mia") == ["sagaPaused"], "the engine's own events don't count")
    let refusal = #expect(throws: Refusal.self) { try saga.operate(.cancel, seen: seen, by: "tom") }
    #expect(refusal?.code == EngineErrorCode.sagaChanged)
    #expect(refusal?.message.contains("mia") == true && refusal?.message.contains("because") == true)
    #expect(refusal?.allowed.contains { $0.verb == .resume } == true)
    #expect(try saga.refusal(of: .cancel, seen: 99) == EngineErrorCode.sagaChanged)
    #expect(try saga.operate(.cancel, seen: try #require(saga.state?.version)) == ["turnedBack cancelled"])
  }

  @Test("A verb without a reason is refused", arguments: ["", " \n"])
  func reasons(reason: String) throws {
    var saga = try Saga("[\(Saga.http("a"))]")
    try saga.start()
    for verb: OperatorVerb in [
      .cancel, .compensate, .abandon, .pause, .resume, .retry(step: nil), .skip(step: "a", output: nil),
      .runNow(step: nil), .extend(step: nil, .by(.seconds(1))), .rewind(step: "a"), .resolve(step: "a", .undone),
      .migrate(to: 2),
    ] {
      let request = OperatorRequest(verb, by: OperatorAct(by: "mia", reason: reason))
      #expect(
        #expect(throws: Refusal.self) { try saga.when(.operate(request)) }?.code == EngineErrorCode.sagaReasonMissing)
    }
  }

  @Test("Acts in the older, shorter form are still read")
  func older() throws {
    let retried = try SagaEvent(
      type: "operatorRetried", schema: 1,
      data: ["at": "2026-03-01T08:00:00.000Z", "step": "a", "phase": "undo", "by": "mia", "reason": "r"])
    #expect(
      retried
        == SagaEvent(
          at: retried.at,
          OperatorRetried(step: "a", phase: .undo, input: nil, act: OperatorAct(by: "mia", reason: "r"))))
    var saga = try Saga("[\(Saga.http("a"))]")
    try saga.start()
    try saga.operate(.cancel, key: "m-1")
    guard case .object(var members) = try #require(saga.state).snapshot else { return }
    // The event as version 1 wrote it.
    members["schema"] = 1
    members["commands"] = nil
    members["lastAct"] = nil
    members["cancelId"] = "m-1"
    let old = try SagaState(snapshot: .object(members))
    #expect(old.commands.map(\.id) == ["m-1"])
    #expect(
      try Decider.decide(
        .cancel(by: "mia", reason: "r", commandID: "m-1"), old, definition: saga.definition, now: saga.now) == [])
  }
}
