import JSON
import TestSupport
import Testing
import Values
import Workflows

@testable import SagaCore
@testable import WorkflowEngine

@Suite("Points of no return", .timeLimit(.minutes(15)), .inTurn)
struct PassedPivotTests {
  typealias Saga = SagaSpecification

  private static let pivot = Saga.http("p", #""pivot": true"#)

  /// A saga at step z, behind a pivot that an operator has skipped.
  private func behindSkipped() throws -> Saga {
    var saga = try Saga("[\(Saga.http("a")), \(Saga.signal("w")), \(Self.pivot), \(Saga.http("z"))]")
    try saga.start()
    try saga.succeed("a")
    #expect(try saga.operate(.skip(step: "p", output: nil)) == ["p skipped by operator"])
    #expect(try saga.when(.signal(name: "w-done", signalID: nil, body: .null, by: "x")).last == "z 1")
    return saga
  }

  @Test("A failure behind a pivot that an operator skipped leaves the saga stuck, and undoes nothing")
  func failureBehindSkipped() throws {
    var saga = try behindSkipped()
    #expect(saga.state?.pivotPassed == true)
    #expect(try saga.refuse("z") == ["z failed failed http.422 blocks"])
    #expect(saga.status == .stuck)
    #expect(saga.calls.isEmpty)
    #expect(try saga.operate(.retry(step: "z")) == ["z retried", "z 2"])
    #expect(try saga.succeed("z") == ["z succeeded", "sagaCompleted"])
  }

  @Test("Nothing goes back across a pivot that an operator skipped")
  func noWayBack() throws {
    var saga = try behindSkipped()
    for verb in [OperatorVerb.cancel, .compensate, .rewind(step: "a"), .rewind(step: "w"), .rewind(step: "p")] {
      #expect(try saga.refusal(of: verb) == EngineErrorCode.sagaPivotPassed, "\(verb.name)")
    }
    #expect(!saga.allowed.contains { $0.hasPrefix("cancel") || $0.hasPrefix("compensate") })
    #expect(saga.allowed.contains("rewind z"))
  }

  @Test("The saga's timeout behind a pivot that an operator skipped makes it overdue")
  func overdue() throws {
    var saga = try behindSkipped()
    #expect(try saga.when(.wake, after: 300_000).contains("sagaOverdue"))
    #expect(saga.state?.turnBack == nil)
  }

  @Test("A pivot that is skipped before it begins is passed at once: a failure before it undoes nothing")
  func skippedAhead() throws {
    var saga = try Saga("[\(Saga.http("a")), \(Saga.http("b")), \(Self.pivot), \(Saga.http("z"))]")
    try saga.start()
    try saga.succeed("a")
    try saga.operate(.skip(step: "p", output: nil))
    #expect(try saga.refuse("b") == ["b failed failed http.422 blocks"])
    #expect(saga.status == .stuck)
    #expect(try saga.refusal(of: .cancel) == EngineErrorCode.sagaPivotPassed)
  }

  @Test("A failure that was recorded while the saga was paused waits for the operator once the pivot is skipped")
  func skippedWhilePaused() throws {
    var saga = try Saga("[\(Saga.http("a")), \(Saga.http("b", #""dependsOn": ["a"]"#)), \(Self.pivot)]")
    try saga.start()
    try saga.succeed("a")
    try saga.operate(.pause)
    #expect(try saga.refuse("b") == ["b failed failed http.422 turnsBack"])
    try saga.operate(.skip(step: "p", output: nil))
    try saga.operate(.resume)
    #expect(saga.status == .stuck)
    #expect(saga.state?.turnBack == nil)
    #expect(saga.state?.blockers.map(\.step) == ["b"])
  }

  @Test("A pivot that was resolved as happened is passed")
  func resolved() throws {
    var saga = try Saga(
      "[\(Saga.http("a")), \(Saga.http("p", #""pivot": true, "retry": {"maxAttempts": 1}"#)), \(Saga.http("z"))]")
    try saga.start()
    try saga.succeed("a")
    try saga.lose("p")
    try saga.operate(.resolve(step: "p", .happened(output: .null)))
    #expect(try saga.refuse("z") == ["z failed failed http.422 blocks"])
    for verb in [OperatorVerb.cancel, .compensate, .rewind(step: "a"), .rewind(step: "p")] {
      #expect(try saga.refusal(of: verb) == EngineErrorCode.sagaPivotPassed, "\(verb.name)")
    }
  }

  @Test("A pivot whose condition was false was never reached: a later failure undoes all")
  func conditionFalse() throws {
    var saga = try Saga(
      #"[\#(Saga.http("a")), \#(Saga.http("p", #""pivot": true, "when": "$.input.go == true""#)), \#(Saga.http("z"))]"#)
    try saga.start()
    #expect(try saga.succeed("a") == ["a succeeded", "p skipped", "z 1"])
    #expect(saga.state?.pivotPassed == false)
    #expect(try saga.refuse("z") == ["z failed failed http.422 turnsBack", "turnedBack stepFailed", "undo a 1"])
    #expect(try saga.succeed("a").last == "sagaCompensated")
  }

  @Test("A step beside a pivot in flight is not undone before the pivot has settled", arguments: [true, false])
  func beside(succeeds: Bool) throws {
    var saga = try Saga(
      "[\(Saga.http("a")), \(Self.pivot), \(Saga.http("s", #""dependsOn": ["a"]"#)), \(Saga.http("b", #""dependsOn": ["a"]"#))]"
    )
    try saga.start()
    try saga.succeed("a")
    try saga.succeed("s")
    #expect(try saga.refuse("b") == ["b failed failed http.422 turnsBack", "turnBackRequested stepFailed"])
    #expect(saga.calls == ["p/1"], "s is not undone")
    if succeeds {
      #expect(try saga.succeed("p") == ["p succeeded", "turnBackLapsed"])
      #expect(saga.status == .stuck && saga.state?.blockers.map(\.step) == ["b"])
    } else {
      #expect(try saga.refuse("p").contains("turnedBack stepFailed"))
      #expect(saga.calls == ["s/1/undo"])
    }
  }

  // MARK: Histories of older versions

  /// The saga's state as an older version stored it: its event of the skip doesn't say that the step is a pivot.
  private func skippedByOlderVersion(_ saga: inout Saga) throws {
    let act = OperatorAct(by: "mia", reason: "because")
    try saga.fold(OperatorSkipped(step: "p", output: nil, isPivot: false, act: act))
    #expect(saga.state?.pivotPassed == false)
  }

  @Test("A pivot that was skipped under an older version is passed, also in a snapshot")
  func olderHistory() throws {
    var saga = try Saga("[\(Saga.http("a")), \(Saga.http("b")), \(Self.pivot), \(Saga.http("z"))]")
    try saga.start()
    try saga.succeed("a")
    try skippedByOlderVersion(&saga)
    let state = try #require(saga.state)
    #expect(state.isPivotPassed(by: saga.definition))
    #expect(try SagaState(snapshot: state.snapshot).isPivotPassed(by: saga.definition))
    #expect(try saga.refusal(of: .cancel) == EngineErrorCode.sagaPivotPassed)
    #expect(try saga.refusal(of: .rewind(step: "a")) == EngineErrorCode.sagaPivotPassed)
    #expect(try saga.refuse("b") == ["b failed failed http.422 blocks"])
    #expect(saga.status == .stuck)
  }

  @Test("A failure that an older version recorded before compensation could start waits for the operator")
  func olderFailure() throws {
    var saga = try Saga("[\(Saga.http("a")), \(Saga.http("b", #""dependsOn": ["a"]"#)), \(Self.pivot)]")
    try saga.start()
    try saga.succeed("a")
    try saga.operate(.pause)
    try saga.refuse("b")
    try skippedByOlderVersion(&saga)
    #expect(
      try saga.operate(.resume) == ["sagaResumed", "turnBackRequested stepFailed", "turnBackLapsed"])
    #expect(saga.status == .stuck && saga.state?.pivotPassed == true)
  }

  @Test("A saga that compensates under an older version continues to compensate")
  func olderTurnBack() throws {
    var saga = try Saga("[\(Saga.http("a")), \(Self.pivot), \(Saga.http("z"))]")
    try saga.start()
    try saga.succeed("a")
    try saga.refuse("p")
    #expect(saga.status == .compensating)
    #expect(saga.state?.isPivotPassed(by: saga.definition) == false)
  }
}
