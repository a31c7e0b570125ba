import JSON
import TestSupport
import Testing
import Values
import Workflows

@testable import SagaCore
@testable import WorkflowEngine

@Suite("Stuck, and the ways out", .timeLimit(.minutes(15)), .inTurn)
struct StuckTests {
  typealias Saga = SagaSpecification

  /// `a`, then `b` and `c` side by side, then `d`, which is refused; then the undo of `b` fails for good.
  func stuckInUndo() throws -> Saga {
    var saga = try Saga(
      #"[\#(Saga.http("a")), \#(Saga.http("b", #""dependsOn": ["a"]"#)), \#(Saga.http("c", #""dependsOn": ["a"]"#)), \#(Saga.http("d", #""dependsOn": ["b", "c"]"#))]"#
    )
    try saga.start()
    try saga.succeed("a")
    try saga.succeed("b")
    try saga.succeed("c")
    try saga.refuse("d")
    #expect(try saga.refuse("b") == ["b undo failed http.422 blocks"])
    return saga
  }

  @Test("Undos that depend on a failed undo wait for the operator; the others continue")
  func onlyWhatIsBehindWaits() throws {
    var saga = try stuckInUndo()
    #expect(saga.status == .stuck)
    #expect(saga.calls == ["c/1/undo"])
    #expect(try saga.succeed("c") == ["c undone answered"], "a waits")
    let blocker = try #require(saga.state?.blockers.first)
    #expect(blocker.step == "b" && blocker.phase == .undo && blocker.failure.code == "http.422")
    #expect(blocker.since == saga.now)
    let state = try #require(saga.state)
    let allowed = Verbs.allowed(state, saga.definition)
    #expect(Verbs.helping(blocker, among: allowed, in: state, by: saga.definition) == [.retry, .resolve, .abandon])
    #expect(try saga.when(.wake, after: 86_400_000) == [], "nothing loops hot")
    #expect(Decider.nextWake(of: try #require(saga.state), definition: saga.definition) == nil)
  }

  @Test("retry gives the undo new attempts")
  func retry() throws {
    var saga = try stuckInUndo()
    try saga.succeed("c")
    #expect(try saga.when(.retry(step: "b", by: "mia", reason: "freezer is back")) == ["b retried", "undo b 2"])
    #expect(saga.calls == ["b/1/undo"])
    #expect(try saga.succeed("b") == ["b undone answered", "undo a 1"])
    #expect(try saga.succeed("a") == ["a undone answered", "sagaCompensated"])
  }

  @Test("resolve as undone records that the undo was done by hand")
  func resolve() throws {
    var saga = try stuckInUndo()
    try saga.succeed("c")
    #expect(throws: Refusal.self) { try saga.when(.resolve(step: "b", .didNotHappen, by: "mia", reason: "x")) }
    #expect(
      try saga.when(.resolve(step: "b", .undone, by: "mia", reason: "taken out by hand"))
        == ["b resolved undone", "undo a 1"])
  }

  @Test("abandon ends a stuck saga as it is, but not while an attempt is under way")
  func abandon() throws {
    var saga = try stuckInUndo()
    #expect(throws: Refusal.self) { try saga.when(.abandon(by: "mia", reason: "tube is lost")) }
    try saga.succeed("c")
    #expect(try saga.when(.abandon(by: "mia", reason: "tube is lost")) == ["sagaAbandoned"])
    #expect(saga.status == .abandoned)
    #expect(saga.state?.blockers == [])
    #expect(throws: Refusal.self) { try saga.when(.cancel(by: "mia", reason: "late")) }
    #expect(try saga.when(.wake) == [])
  }

  @Test("A verb without a reason is refused", arguments: ["", "  \n"])
  func reasons(reason: String) throws {
    var saga = try stuckInUndo()
    for command in [
      SagaCommand.retry(step: "b", by: "mia", reason: reason), .resolve(step: "b", .undone, by: "mia", reason: reason),
      .abandon(by: "mia", reason: reason), .cancel(by: "mia", reason: reason),
    ] {
      let refusal = #expect(throws: Refusal.self) { try saga.when(command) }
      #expect(refusal?.code == EngineErrorCode.sagaReasonMissing)
    }
  }

  @Test("A step that does not wait for an operator takes no verb; an unknown one is named")
  func wrongStep() throws {
    var saga = try stuckInUndo()
    #expect(
      #expect(throws: Refusal.self) { try saga.when(.retry(step: "a", by: "m", reason: "r")) }?.code
        == EngineErrorCode.stepNotRetryable)
    #expect(
      #expect(throws: Refusal.self) { try saga.when(.retry(step: "zz", by: "m", reason: "r")) }?.code
        == EngineErrorCode.stepUnknown)
  }
}

@Suite("The pivot", .timeLimit(.minutes(15)), .inTurn)
struct PivotTests {
  typealias Saga = SagaSpecification
  static let steps =
    #"[\#(Saga.http("a")), \#(Saga.http("p", #""pivot": true, "retry": {"maxAttempts": 2}"#)), \#(Saga.http("z", #""retry": {"maxAttempts": 1}"#))]"#

  func atPivot() throws -> Saga {
    var saga = try Saga(Self.steps)
    try saga.start()
    try saga.succeed("a")
    return saga
  }

  @Test("A cleanly refused pivot has not happened, and the saga compensates")
  func refused() throws {
    var saga = try atPivot()
    #expect(try saga.refuse("p").suffix(2) == ["turnedBack stepFailed", "undo a 1"])
  }

  @Test("A cancel while the pivot is under way is decided when it settles", arguments: [true, false])
  func cancelMeanwhile(succeeds: Bool) throws {
    var saga = try atPivot()
    #expect(try saga.when(.cancel(by: "mia", reason: "wrong flow cell")) == ["turnBackRequested cancelled"])
    #expect(saga.status == .running)
    if succeeds {
      #expect(try saga.succeed("p") == ["p succeeded", "turnBackLapsed", "z 1"])
    } else {
      #expect(try saga.refuse("p").contains("turnedBack cancelled"))
      #expect(saga.calls == ["a/1/undo"])
    }
  }

  @Test(
    "A pivot that is still unknown when its attempts run out is stuck; only resolve decides", arguments: [true, false])
  func unknown(happened: Bool) throws {
    var saga = try atPivot()
    try saga.lose("p")
    try saga.wakeWhenDue()
    #expect(try saga.lose("p") == ["p failed unknown timeout blocks"])
    #expect(saga.status == .stuck)
    #expect(saga.calls.isEmpty)
    if happened {
      #expect(
        try saga.when(.resolve(step: "p", .happened(output: ["run": 4]), by: "mia", reason: "it is running"))
          == ["p resolved happened", "z 1"])
      #expect(saga.state?.pivotPassed == true)
    } else {
      #expect(
        try saga.when(.resolve(step: "p", .didNotHappen, by: "mia", reason: "never started"))
          == ["p resolved didNotHappen", "turnedBack stepFailed", "undo a 1"])
    }
  }

  @Test("An optional pivot that is resolved as not happened undoes nothing, and the saga continues")
  func unknownAndTolerated() throws {
    var saga = try Saga(
      #"[\#(Saga.http("a")), \#(Saga.http("p", #""pivot": true, "onFailure": "continue", "retry": {"maxAttempts": 1}"#)), \#(Saga.http("z"))]"#
    )
    try saga.start()
    try saga.succeed("a")
    #expect(try saga.lose("p") == ["p failed unknown timeout blocks"])
    #expect(
      try saga.when(.resolve(step: "p", .didNotHappen, by: "mia", reason: "never started"))
        == ["p resolved didNotHappen", "z 1"])
    #expect(saga.state?.pivotPassed == false)
  }

  @Test("A retry of an unknown pivot asks again under the same key")
  func retryUnknown() throws {
    var saga = try atPivot()
    try saga.lose("p")
    try saga.wakeWhenDue()
    try saga.lose("p")
    #expect(try saga.when(.retry(step: "p", by: "mia", reason: "link is back")) == ["p retried", "p 3"])
    #expect(saga.calls == ["p/1"])
    #expect(try saga.lose("p") == ["p unknown timeout"], "the operator's retry brings a new budget")
  }

  @Test("Once it succeeded nothing is undone: a failure is stuck, a cancel is refused, the timeout makes it overdue")
  func passed() throws {
    var saga = try atPivot()
    try saga.succeed("p")
    #expect(
      #expect(throws: Refusal.self) { try saga.when(.cancel(by: "m", reason: "r")) }?.code
        == EngineErrorCode.sagaPivotPassed)
    #expect(try saga.refuse("z") == ["z failed failed http.422 blocks"])
    #expect(try saga.wakeWhenDue() == ["sagaOverdue"])
    #expect(try saga.when(.wake, after: 1_000_000) == [])
    #expect(saga.status == .stuck)
    #expect(try saga.when(.retry(step: "z", by: "m", reason: "r")) == ["z retried", "z 2"])
    #expect(try saga.succeed("z") == ["z succeeded", "sagaCompleted"])
  }

  @Test("The timeout waits for an unknown pivot; meanwhile only the pivot's own attempts continue")
  func timeoutMeanwhile() throws {
    var saga = try Saga(
      #"[\#(Saga.http("p", #""dependsOn": [], "pivot": true"#)), \#(Saga.http("b", #""dependsOn": [], "retry": {"maxAttempts": 9}"#))]"#,
      members: #""timeout": "1m","#)
    try saga.start()
    try saga.lose("b")
    #expect(try saga.when(.wake, after: 60_000) == ["turnBackRequested timeout"])
    #expect(try saga.when(.wake, after: 60_000) == [], "b starts nothing new")
    #expect(try saga.lose("p") == ["p unknown timeout"])
    #expect(try saga.wakeWhenDue() == ["p 2"])
    #expect(
      try saga.succeed("p") == ["p succeeded", "sagaOverdue", "turnBackLapsed", "b 2"],
      "b goes on, as nothing is undone now")
  }

  @Test("A failure beside a pivot that then succeeds waits for an operator")
  func failedBeside() throws {
    var saga = try Saga(
      #"[\#(Saga.http("p", #""dependsOn": [], "pivot": true"#)), \#(Saga.http("b", #""dependsOn": []"#))]"#)
    try saga.start()
    #expect(try saga.refuse("b") == ["b failed failed http.422 turnsBack", "turnBackRequested stepFailed"])
    #expect(try saga.succeed("p") == ["p succeeded", "turnBackLapsed"])
    #expect(saga.status == .stuck)
    #expect(saga.state?.blockers.map(\.step) == ["b"])
  }
}
