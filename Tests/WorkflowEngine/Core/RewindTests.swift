import JSON
import TestSupport
import Testing
import Values

@testable import SagaCore
@testable import WorkflowEngine

@Suite("Rewind", .timeLimit(.minutes(15)), .inTurn)
struct RewindTests {
  typealias Saga = SagaSpecification

  /// `a`, then `b` and `c` side by side, then `d` behind `b`, and a wait for a signal at the end of everything.
  static let steps =
    #"[\#(Saga.http("a")), \#(Saga.http("b", #""dependsOn": ["a"]"#)), \#(Saga.http("c", #""dependsOn": ["a"]"#)), \#(Saga.http("d", #""dependsOn": ["b"]"#)), \#(Saga.signal("s", #""dependsOn": ["c", "d"]"#))]"#

  /// Returns a saga whose other steps have succeeded and whose step `s` waits.
  func atTheEnd() throws -> Saga {
    var saga = try Saga(Self.steps)
    try saga.start()
    for step in ["a", "b", "c", "d"] { try saga.succeed(step, ["of": .string(step)]) }
    #expect(try saga.step("s").status == .waiting)
    return saga
  }

  @Test("A step and all later steps are undone in reverse order, and begin again in a new round")
  func undoneAndAgain() throws {
    var saga = try atTheEnd()
    #expect(
      try saga.operate(.rewind(step: "b")) == ["rewind b d s", "s failed none saga.waitEnded settles", "undo d 1"])
    #expect(saga.status == .running)
    #expect(saga.state?.rewind?.step == "b")
    #expect(saga.calls == ["d/1/undo"])
    #expect(try saga.succeed("d") == ["d undone answered", "undo b 1"])
    #expect(try saga.succeed("b") == ["b undone answered", "rewound to b", "b 1"])
    #expect(saga.calls == ["b/2"], "a new key: under the old one the participant would answer from memory")
    let (b, d) = (try saga.step("b"), try saga.step("d"))
    #expect(b.round == 2 && b.output == nil && b.failure == nil)
    #expect(d.status == .pending && d.round == 2 && d.output == nil && d.startedAt == nil && d.undoHow == nil)
    #expect(try saga.step("c").round == 1 && saga.step("c").output == ["of": "c"], "what stands beside it is untouched")
    try saga.succeed("b")
    try saga.succeed("d")
    try saga.when(.signal(name: "s-done", signalID: nil, body: .null, by: "x"))
    #expect(saga.status == .completed)
  }

  @Test("An attempt under way settles first, and unknown rounds are undone too")
  func inFlight() throws {
    var saga = try Saga(Self.steps)
    try saga.start()
    try saga.succeed("a")
    try saga.succeed("c")
    #expect(try saga.operate(.rewind(step: "a")) == ["rewind a b c d s"], "b is under way")
    #expect(try saga.lose("b") == ["b failed unknown timeout settles", "undo b 1", "undo c 1"], "no retry any more")
    try saga.succeed("c")
    #expect(try saga.succeed("b") == ["b undone answered", "undo a 1"])
    #expect(try saga.succeed("a") == ["a undone answered", "rewound to a", "a 1"])
    #expect(saga.calls == ["a/2"])
  }

  @Test("A rewind is refused for an unknown step that would not be undone, because it could happen twice")
  func unknownThatIsNotUndone() throws {
    let b = Saga.http("b", #""dependsOn": ["a"]"#)
      .replacing(#""compensation": {"#, with: #""compensation": {"appliesTo": ["succeeded"], "#)
    var saga = try Saga("[\(Saga.http("a")), \(b)]")
    try saga.start()
    try saga.succeed("a")
    for step in ["a", "b"] {
      let refusal = #expect(throws: Refusal.self, "b is under way") { try saga.operate(.rewind(step: step)) }
      #expect(refusal?.code == EngineErrorCode.stepNotRewindable)
    }
    try saga.lose("b")
    #expect(try saga.step("b").outcome == .unknown)
    let refusal = #expect(throws: Refusal.self) { try saga.operate(.rewind(step: "b")) }
    #expect(refusal?.message.contains("could happen twice") == true)
  }

  @Test("A rewind is refused for a succeeded step when only unknown rounds would be undone")
  func successThatIsNotUndone() throws {
    let a = Saga.http("a").replacing(#""compensation": {"#, with: #""compensation": {"appliesTo": ["unknown"], "#)
    var saga = try Saga("[\(a), \(Saga.signal("s", #""dependsOn": ["a"]"#))]")
    try saga.start()
    try saga.succeed("a")
    let refusal = #expect(throws: Refusal.self) { try saga.operate(.rewind(step: "a")) }
    #expect(refusal?.message.contains("“succeeded”") == true)
    #expect(try saga.operate(.rewind(step: "s")).isEmpty == false, "what is behind it does")
  }

  @Test("A step that was cleanly refused is not undone")
  func cleanly() throws {
    var saga = try Saga("[\(Saga.http("p", #""pivot": true"#)), \(Saga.http("y")), \(Saga.http("z"))]")
    try saga.start()
    try saga.succeed("p")
    try saga.succeed("y")
    try saga.refuse("z")
    #expect(saga.status == .stuck)
    #expect(saga.allowed.contains("rewind y z"))
    #expect(try saga.operate(.rewind(step: "y")) == ["rewind y z", "undo y 1"], "behind the pivot it may go back")
    #expect(saga.status == .running, "z keeps nobody waiting any more")
    #expect(try saga.succeed("y") == ["y undone answered", "rewound to y", "y 1"])
  }

  @Test("Steps beside the rewind start no new attempt meanwhile, and their outcomes are recorded")
  func beside() throws {
    var saga = try Saga(Self.steps)
    try saga.start()
    try saga.succeed("a")
    try saga.succeed("b")
    try saga.lose("c")
    #expect(try saga.operate(.rewind(step: "d")) == ["rewind d s"], "d is under way")
    #expect(try saga.when(.wake, after: 60_000) == [], "c's next attempt waits")
    #expect(try saga.refuse("d") == ["d failed failed http.422 settles", "rewound to d", "c 2", "d 1"])
  }

  @Test("A signal that was taken has to come again, and one that comes meanwhile is kept")
  func signals() throws {
    var saga = try Saga("[\(Saga.http("a")), \(Saga.signal("s")), \(Saga.http("b"))]")
    try saga.start()
    try saga.succeed("a")
    try saga.when(.signal(name: "s-done", signalID: nil, body: 1, by: "x"))
    try saga.succeed("b")
    #expect(saga.status == .completed)

    var again = try Saga("[\(Saga.http("a")), \(Saga.signal("s")), \(Saga.http("b"))]")
    try again.start()
    try again.succeed("a")
    try again.when(.signal(name: "s-done", signalID: nil, body: 1, by: "x"))
    try again.operate(.rewind(step: "a"))
    #expect(try again.succeed("b") == ["b succeeded", "undo b 1"])
    try again.succeed("b")
    #expect(try again.when(.signal(name: "s-done", signalID: nil, body: 2, by: "x")) == ["signal s-done"], "kept")
    try again.succeed("a")
    #expect(try again.succeed("a") == ["a succeeded", "s waits", "kept signal s-done to s", "s succeeded", "b 1"])
    #expect(try again.step("s").output == 2)
  }

  @Test("An undo that fails for good makes the saga stuck, and the rewind continues after the operator's act")
  func stuck() throws {
    var saga = try atTheEnd()
    try saga.operate(.rewind(step: "b"))
    #expect(try saga.refuse("d") == ["d undo failed http.422 blocks"])
    #expect(saga.status == .stuck)
    #expect(saga.allowed == ["retry d", "resolve d", "extend", "pause", "compensate", "cancel", "abandon"])
    #expect(
      try saga.operate(.resolve(step: "d", .undone)) == ["d resolved undone", "undo b 1"])
    #expect(try saga.lose("b") == ["undo b unknown timeout"])
    #expect(try saga.wakeWhenDue() == ["undo b 2"], "backoff counts in a rewind, too")
    #expect(try saga.succeed("b") == ["b undone answered", "rewound to b", "b 1"])
  }

  @Test("A cancel or the timeout during a rewind starts compensation of all steps", arguments: [true, false])
  func turnsBack(cancelled: Bool) throws {
    var saga = try atTheEnd()
    try saga.operate(.rewind(step: "b"))
    if cancelled {
      #expect(try saga.operate(.cancel) == ["turnedBack cancelled", "undo c 1"])
    } else {
      #expect(try saga.when(.wake, after: 300_000) == ["turnedBack timeout", "undo c 1"])
    }
    #expect(saga.state?.rewind == nil)
    try saga.succeed("d")
    try saga.succeed("c")
    #expect(try saga.succeed("b") == ["b undone answered", "undo a 1"])
    #expect(try saga.succeed("a") == ["a undone answered", "sagaCompensated"])
  }

  @Test("A failure beside the rewind starts compensation of all steps")
  func failure() throws {
    var saga = try Saga(Self.steps)
    try saga.start()
    try saga.succeed("a")
    try saga.succeed("b")
    try saga.operate(.rewind(step: "b"))
    #expect(try saga.refuse("c") == ["c failed failed http.422 turnsBack", "turnedBack stepFailed"])
    #expect(try saga.succeed("d") == ["d succeeded", "undo d 1"])
  }

  @Test("A second round is undone under its own key, and a late answer of the first changes nothing")
  func secondRound() throws {
    var saga = try atTheEnd()
    try saga.operate(.rewind(step: "d"))
    try saga.succeed("d")
    #expect(saga.calls == ["d/2"])
    let late = SagaCommand.attemptSettled(
      step: "d", phase: .forward, round: 1, attempt: 1, outcome: .unknown(StepFailure(code: "timeout", message: "x")))
    #expect(try saga.when(late) == [])
    try saga.succeed("d")
    try saga.operate(.cancel)
    #expect(saga.calls == ["c/1/undo", "d/2/undo"])
  }

  @Test("On a paused saga the rewind is recorded, and begins with the resume")
  func paused() throws {
    var saga = try atTheEnd()
    try saga.operate(.pause)
    #expect(try saga.operate(.rewind(step: "d")) == ["rewind d s", "s failed none saga.waitEnded settles"])
    #expect(try saga.operate(.resume) == ["sagaResumed", "undo d 1"])
  }

  @Test("A step that failed in a pause can be rewound instead of starting compensation")
  func pausedFailure() throws {
    var saga = try Saga("[\(Saga.http("a")), \(Saga.http("b"))]")
    try saga.start()
    try saga.succeed("a")
    try saga.operate(.pause)
    try saga.refuse("b")
    try saga.operate(.rewind(step: "b"))
    #expect(try saga.operate(.resume) == ["sagaResumed", "rewound to b", "b 1"])
  }

  @Test("A rewind is refused for a step that has not begun, during a rewind, during compensation, and at the end")
  func refused() throws {
    var saga = try Saga(Self.steps)
    try saga.start()
    #expect(try saga.refusal(of: .rewind(step: "b")) == EngineErrorCode.stepNotRewindable)
    #expect(try saga.refusal(of: .rewind(step: "x")) == EngineErrorCode.stepUnknown)
    try saga.operate(.rewind(step: "a"))
    #expect(try saga.refusal(of: .rewind(step: "a")) == EngineErrorCode.sagaRewinding)
    #expect(try saga.refusal(of: .skip(step: "b", output: nil)) == EngineErrorCode.sagaRewinding)
    #expect(saga.allowed == ["extend", "pause", "compensate", "cancel"])
    try saga.operate(.compensate)
    #expect(try saga.refusal(of: .rewind(step: "a")) == EngineErrorCode.sagaTurningBack)
    try saga.refuse("a")
    #expect(saga.status == .compensated)
    #expect(try saga.refusal(of: .rewind(step: "a")) == EngineErrorCode.sagaEnded)
  }

  @Test("A rewind across a succeeded or undecided pivot is refused")
  func pivot() throws {
    var saga = try Saga("[\(Saga.http("a")), \(Saga.http("p", #""pivot": true"#)), \(Saga.signal("s"))]")
    try saga.start()
    try saga.succeed("a")
    #expect(try saga.refusal(of: .rewind(step: "a")) == EngineErrorCode.stepNotRewindable, "under way")
    try saga.lose("p")
    #expect(try saga.refusal(of: .rewind(step: "a")) == EngineErrorCode.stepNotRewindable, "unknown")
    try saga.wakeWhenDue()
    try saga.succeed("p")
    #expect(try saga.refusal(of: .rewind(step: "a")) == EngineErrorCode.sagaPivotPassed)
    #expect(try saga.refusal(of: .rewind(step: "p")) == EngineErrorCode.sagaPivotPassed)
    #expect(try saga.operate(.rewind(step: "s")).last == "s waits")
  }

  @Test("A rewind is refused for a step without an undo, unless its compensation is “none”")
  func noUndo() throws {
    func step(_ more: String) -> String {
      #"{"id": "a", "http": {"service": "lab", "method": "POST", "path": "/a"}\#(more)}"#
    }
    var saga = try Saga("[\(step("")), \(Saga.signal("s"))]")
    try saga.start()
    #expect(try saga.refusal(of: .rewind(step: "a")) == EngineErrorCode.stepNotRewindable, "it may be happening")
    try saga.succeed("a")
    #expect(try saga.refusal(of: .rewind(step: "a")) == EngineErrorCode.stepNotRewindable)

    var declared = try Saga("[\(step(#", "compensation": "none""#)), \(Saga.signal("s"))]")
    try declared.start()
    try declared.succeed("a")
    #expect(try declared.operate(.rewind(step: "a")).last == "a 1")
  }
}
