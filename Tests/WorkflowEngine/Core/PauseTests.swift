import JSON
import Runtime
import TestSupport
import Testing
import Values

@testable import SagaCore
@testable import WorkflowEngine

@Suite("Pause and resume", .timeLimit(.minutes(15)), .inTurn)
struct PauseTests {
  typealias Saga = SagaSpecification
  static let hour = 3_600_000

  @Test("Attempts under way are recorded, and nothing follows from them before the resume")
  func nothingStarts() throws {
    var saga = try Saga("[\(Saga.http("a")), \(Saga.http("b"))]")
    try saga.start()
    #expect(try saga.operate(.pause) == ["sagaPaused"])
    #expect(saga.status == .running && saga.state?.isPaused == true)
    #expect(saga.state?.pause?.value.by == "mia")
    let deadline = try #require(try saga.step("a").inFlight?.attempt.deadline)
    #expect(try saga.succeed("a") == ["a succeeded"])
    #expect(try saga.when(.wake, after: Self.hour) == [], "not even its timeout comes")
    #expect(saga.calls == [])
    #expect(Decider.nextWake(of: try #require(saga.state), definition: saga.definition) == nil)
    #expect(try saga.operate(.resume) == ["sagaResumed", "b 1"])
    #expect(saga.state?.isPaused == false)
    #expect(deadline == Saga.startedAt + .seconds(30), "an attempt's own time goes on")
  }

  @Test("The saga's deadline moves by the length of the pause")
  func timeout() throws {
    var saga = try Saga("[\(Saga.http("a", #""retry": {"maxAttempts": 9}"#))]", members: #""timeout": "4m","#)
    try saga.start()
    try saga.operate(.pause, after: 60_000)
    try saga.operate(.resume, after: Self.hour)
    #expect(saga.state?.deadline == Saga.startedAt + .seconds(240 + 3_600))
    #expect(try saga.when(.wake, after: 179_999) == [])
    #expect(try saga.when(.wake, after: 1) == ["turnedBack timeout"])
  }

  @Test("A backoff stops during a pause and continues after it")
  func backoff() throws {
    var saga = try Saga("[\(Saga.http("a"))]")
    try saga.start()
    try saga.lose("a")
    let due = try #require(try saga.step("a").retryAt)
    try saga.operate(.pause)
    #expect(try saga.when(.wake, after: Self.hour) == [])
    #expect(try saga.operate(.resume) == ["sagaResumed"])
    #expect(try saga.step("a").retryAt == due + .seconds(3_600))
    #expect(try saga.wakeWhenDue() == ["a 2"])
  }

  @Test("A backoff that begins in the pause begins with the resume")
  func backoffInPause() throws {
    var saga = try Saga("[\(Saga.http("a"))]")
    try saga.start()
    try saga.operate(.pause)
    try saga.when(.wake, after: 10_000)
    try saga.lose("a")
    let event = try #require(saga.log.last)
    guard let retryAt = (event.what as? AttemptFailed)?.retryAt else {
      Issue.record("the attempt is recorded")
      return
    }
    try saga.operate(.resume, after: Self.hour)
    #expect(try saga.step("a").retryAt == retryAt + .seconds(3_600))
  }

  @Test("A delay and the wait for a signal stop during a pause")
  func waits() throws {
    var saga = try Saga(
      #"[\#(Saga.delay("d", "10s", #""dependsOn": []"#)), \#(Saga.signal("s", #""timeout": "20s", "dependsOn": []"#))]"#
    )
    try saga.start()
    try saga.operate(.pause)
    #expect(try saga.operate(.resume, after: Self.hour) == ["sagaResumed"])
    #expect(try saga.when(.wake, after: 9_999) == [])
    #expect(try saga.when(.wake, after: 1) == ["d succeeded"])
    #expect(try saga.step("s").wait?.until == Saga.startedAt + .seconds(3_620))
  }

  @Test("A paused saga takes a signal, and starts nothing")
  func signals() throws {
    var saga = try Saga("[\(Saga.http("a")), \(Saga.signal("s")), \(Saga.http("b"))]")
    try saga.start()
    try saga.operate(.pause)
    #expect(try saga.when(.signal(name: "s-done", signalID: nil, body: 1, by: "x")) == ["signal s-done"], "kept")
    try saga.succeed("a")
    #expect(try saga.operate(.resume) == ["sagaResumed", "s waits", "kept signal s-done to s", "s succeeded", "b 1"])

    var waiting = try Saga("[\(Saga.signal("s")), \(Saga.http("b"))]")
    try waiting.start()
    try waiting.operate(.pause)
    #expect(
      try waiting.when(.signal(name: "s-done", signalID: nil, body: 1, by: "x")) == ["signal s-done", "s succeeded"])
    #expect(try waiting.operate(.resume) == ["sagaResumed", "b 1"])
  }

  @Test("Undos pause as well, and a stuck saga stays stuck")
  func compensating() throws {
    var saga = try Saga("[\(Saga.http("a")), \(Saga.http("b")), \(Saga.http("c"))]")
    try saga.start()
    try saga.succeed("a")
    try saga.succeed("b")
    try saga.refuse("c")
    try saga.operate(.pause)
    #expect(saga.status == .compensating)
    #expect(try saga.succeed("b") == ["b undone answered"])
    #expect(try saga.operate(.resume) == ["sagaResumed", "undo a 1"])
    try saga.refuse("a")
    #expect(saga.status == .stuck)
    try saga.operate(.pause)
    #expect(saga.status == .stuck)
    #expect(try saga.operate(.retry(step: "a"), after: Self.hour) == ["a retried"], "recorded, not begun")
    #expect(try saga.operate(.resume, after: Self.hour) == ["sagaResumed", "undo a 2"], "due at once")
  }

  @Test("A failure in the pause starts compensation at the resume")
  func failure() throws {
    var saga = try Saga("[\(Saga.http("a")), \(Saga.http("b"))]")
    try saga.start()
    try saga.succeed("a")
    try saga.operate(.pause)
    #expect(try saga.refuse("b") == ["b failed failed http.422 turnsBack"])
    #expect(try saga.operate(.resume) == ["sagaResumed", "turnedBack stepFailed", "undo a 1"])
  }

  @Test("A cancel of a paused saga is recorded, and its undos begin with the resume")
  func cancel() throws {
    var saga = try Saga("[\(Saga.http("a")), \(Saga.signal("s"))]")
    try saga.start()
    try saga.succeed("a")
    try saga.operate(.pause)
    #expect(try saga.operate(.cancel) == ["turnedBack cancelled", "s failed none saga.waitEnded settles"])
    #expect(try saga.operate(.resume) == ["sagaResumed", "undo a 1"])
  }

  @Test("An overdue saga is as overdue as it was")
  func overdue() throws {
    var saga = try Saga(
      "[\(Saga.http("p", #""pivot": true"#)), \(Saga.http("z", #""retry": {"maxAttempts": 1}"#))]")
    try saga.start()
    try saga.succeed("p")
    try saga.refuse("z")
    try saga.wakeWhenDue()
    let since = try #require(saga.state?.overdueSince)
    try saga.operate(.pause)
    try saga.operate(.resume, after: Self.hour)
    #expect(saga.state?.overdueSince == since + .seconds(3_600))
  }

  @Test("A restart in the pause records what was under way, and starts nothing")
  func restart() throws {
    var saga = try Saga("[\(Saga.http("a"))]")
    try saga.start()
    try saga.operate(.pause)
    #expect(try saga.when(.recover) == ["a unknown engine.attemptInterrupted"])
    #expect(saga.state == (try SagaState(folding: saga.log)), "the pause is in the history")
    try saga.operate(.resume)
    #expect(try saga.wakeWhenDue() == ["a 2"])
  }

  @Test("Pausing twice, resuming what isn't paused, and pausing what has ended is refused")
  func refused() throws {
    var saga = try Saga("[\(Saga.http("a"))]")
    try saga.start()
    #expect(try saga.refusal(of: .resume) == EngineErrorCode.sagaNotPaused)
    try saga.operate(.pause)
    #expect(try saga.refusal(of: .pause) == EngineErrorCode.sagaPaused)
    #expect(saga.allowed.contains("resume") && !saga.allowed.contains("pause"))
    try saga.succeed("a")
    try saga.operate(.resume)
    #expect(saga.status == .completed)
    #expect(try saga.refusal(of: .pause) == EngineErrorCode.sagaEnded)
    #expect(saga.allowed == [])
  }
}
