import JSON
import TestSupport
import Testing
import Values

@testable import SagaCore
@testable import WorkflowEngine

@Suite("Skip", .timeLimit(.minutes(15)), .inTurn)
struct SkipTests {
  typealias Saga = SagaSpecification

  @Test("A stuck step is skipped, and what depends on it reads the operator's output")
  func stuck() throws {
    var saga = try Saga(
      #"""
      [\#(Saga.http("p", #""pivot": true"#)), \#(Saga.http("b")),
       {"id": "c", "compensation": "none",
        "http": {"service": "lab", "method": "POST", "path": "/c", "body": "${steps.b.output.grams}"}}]
      """#)
    try saga.start()
    try saga.succeed("p")
    try saga.refuse("b")
    #expect(saga.status == .stuck)
    #expect(try saga.operate(.skip(step: "b", output: ["grams": 4])) == ["b skipped by operator", "c 1"])
    let b = try saga.step("b")
    #expect(b.status == .skipped && b.output == ["grams": 4] && b.failure == nil && b.consequence == nil)
    #expect(saga.status == .running)
    #expect(try saga.succeed("c") == ["c succeeded", "sagaCompleted"])
  }

  @Test("A wait, a step between attempts, and one that has not begun are skipped")
  func others() throws {
    var saga = try Saga("[\(Saga.signal("s")), \(Saga.http("a")), \(Saga.http("b"))]")
    try saga.start()
    #expect(try saga.operate(.skip(step: "s", output: nil)) == ["s skipped by operator", "a 1"])
    #expect(
      try saga.when(.signal(name: "s-done", signalID: nil, body: .null, by: "x")) == [
        "signal s-done refused signal.tooLate"
      ])
    try saga.settle(
      "a", .failed(StepFailure(code: "http.409", classes: ["http.4xx"], message: "busy", isRetryable: true)))
    #expect(try saga.step("a").status == .backingOff)
    #expect(try saga.operate(.skip(step: "a", output: nil)) == ["a skipped by operator", "b 1"])

    var early = try Saga("[\(Saga.http("a")), \(Saga.http("b")), \(Saga.http("c"))]")
    try early.start()
    #expect(try early.operate(.skip(step: "b", output: nil)) == ["b skipped by operator"], "c waits for a all the same")
    #expect(try early.succeed("a") == ["a succeeded", "c 1"])
  }

  @Test("A skipped step is not undone")
  func undo() throws {
    var saga = try Saga("[\(Saga.signal("s")), \(Saga.http("a"))]")
    try saga.start()
    try saga.operate(.skip(step: "s", output: nil))
    #expect(try saga.refuse("a") == ["a failed failed http.422 turnsBack", "turnedBack stepFailed", "sagaCompensated"])
  }

  @Test("Skip is refused for an attempt under way, an unknown outcome, a finished step, and an undo")
  func refused() throws {
    var saga = try Saga("[\(Saga.http("a")), \(Saga.http("b"))]")
    try saga.start()
    #expect(try saga.refusal(of: .skip(step: "a", output: nil)) == EngineErrorCode.stepNotSkippable, "running")
    try saga.lose("a")
    #expect(try saga.refusal(of: .skip(step: "a", output: nil)) == EngineErrorCode.stepOutcomeUnknown)
    try saga.wakeWhenDue()
    try saga.succeed("a")
    #expect(try saga.refusal(of: .skip(step: "a", output: nil)) == EngineErrorCode.stepNotSkippable, "succeeded")
    #expect(try saga.refusal(of: .skip(step: "x", output: nil)) == EngineErrorCode.stepUnknown)
    try saga.refuse("b")
    #expect(try saga.refusal(of: .skip(step: "a", output: nil)) == EngineErrorCode.stepNotSkippable, "undoing")
    #expect(try saga.refusal(of: .skip(step: "b", output: nil)) == EngineErrorCode.sagaTurningBack)
    try saga.refuse("a")
    #expect(saga.status == .stuck)
    #expect(try saga.refusal(of: .skip(step: "a", output: nil)) == EngineErrorCode.stepNotSkippable, "undo failed")
    #expect(saga.allowed == ["retry a", "resolve a", "pause", "abandon"])
  }

  @Test("A pivot is skipped only when it has never been attempted")
  func pivot() throws {
    let steps = "[\(Saga.http("a")), \(Saga.http("p", #""pivot": true"#)), \(Saga.http("z"))]"
    var saga = try Saga(steps)
    try saga.start()
    #expect(try saga.operate(.skip(step: "p", output: nil)) == ["p skipped by operator"])
    try saga.succeed("a")
    #expect(saga.state?.pivotPassed == true)

    var tried = try Saga(steps)
    try tried.start()
    try tried.succeed("a")
    try tried.settle("p", .failed(StepFailure(code: "http.409", message: "busy", isRetryable: true)))
    #expect(try tried.step("p").status == .backingOff)
    #expect(try tried.refusal(of: .skip(step: "p", output: nil)) == EngineErrorCode.stepNotSkippable)

    var unknown = try Saga("[\(Saga.http("p", #""pivot": true, "retry": {"maxAttempts": 1}"#)), \(Saga.http("z"))]")
    try unknown.start()
    try unknown.lose("p")
    #expect(unknown.status == .stuck)
    #expect(try unknown.refusal(of: .skip(step: "p", output: nil)) == EngineErrorCode.stepNotSkippable)
    #expect(
      unknown.allowed == ["retry p", "resolve p", "skip z", "extend", "pause", "compensate", "cancel", "abandon"])
  }
}

@Suite("Run now", .timeLimit(.minutes(15)), .inTurn)
struct RunNowTests {
  typealias Saga = SagaSpecification

  @Test("A step between attempts, a delay, and an undo between attempts are due at once")
  func due() throws {
    var saga = try Saga(
      "[\(Saga.http("a", #""dependsOn": []"#)), \(Saga.delay("d", "1m", #""dependsOn": []"#)), \(Saga.http("b"))]")
    try saga.start()
    try saga.lose("a")
    #expect(try saga.operate(.runNow(step: "a")) == ["a run now", "a 2"])
    try saga.lose("a")
    #expect(try saga.operate(.runNow(step: nil)) == ["a d run now", "d succeeded", "a 3", "b 1"])
    try saga.succeed("a")
    #expect(try saga.refuse("b").last == "undo a 1")
    try saga.lose("a")
    #expect(try saga.operate(.runNow(step: "a")) == ["a run now", "undo a 2"])
  }

  @Test("On a paused saga the step is due at the resume")
  func paused() throws {
    var saga = try Saga("[\(Saga.delay("d", "1m")), \(Saga.http("b"))]")
    try saga.start()
    try saga.operate(.pause)
    #expect(try saga.operate(.runNow(step: nil), after: 1_000) == ["d run now"])
    #expect(try saga.operate(.resume, after: 1_000) == ["sagaResumed", "d succeeded", "b 1"])
  }

  @Test("run-now is refused for a wait for a signal, and for a step without a due time")
  func refused() throws {
    var saga = try Saga("[\(Saga.signal("s")), \(Saga.http("b"))]")
    try saga.start()
    #expect(try saga.refusal(of: .runNow(step: "s")) == EngineErrorCode.stepNothingDue)
    #expect(try saga.refusal(of: .runNow(step: "b")) == EngineErrorCode.stepNothingDue)
    #expect(try saga.refusal(of: .runNow(step: nil)) == EngineErrorCode.stepNothingDue)
    #expect(try saga.refusal(of: .runNow(step: "x")) == EngineErrorCode.stepUnknown)
    #expect(saga.allowed == ["skip s b", "extend", "rewind s", "pause", "compensate", "cancel"])
  }
}

@Suite("Extend", .timeLimit(.minutes(15)), .inTurn)
struct ExtendTests {
  typealias Saga = SagaSpecification

  @Test("Extend moves the saga's deadline to a later time", arguments: [true, false])
  func saga(by: Bool) throws {
    var saga = try Saga("[\(Saga.http("a", #""retry": {"maxAttempts": 9}"#))]", members: #""timeout": "4m","#)
    try saga.start()
    let moment = Saga.startedAt + .seconds(600)
    try saga.operate(.extend(step: nil, by ? .by(.seconds(360)) : .until(moment)))
    #expect(saga.state?.deadline == moment)
    #expect(try saga.when(.wake, after: 599_999) == [])
    #expect(try saga.when(.wake, after: 1) == ["turnedBack timeout"])
  }

  @Test("A wait for a signal and a delay end later")
  func wait() throws {
    var saga = try Saga(
      "[\(Saga.signal("s", #""timeout": "1m", "dependsOn": []"#)), \(Saga.delay("d", "1m", #""dependsOn": []"#))]")
    try saga.start()
    try saga.operate(.extend(step: "s", .by(.seconds(60))))
    #expect(try saga.when(.wake, after: 60_000) == ["d succeeded"])
    #expect(try saga.when(.wake, after: 60_000).first == "s failed none signal.timeout turnsBack")
  }

  @Test("An overdue saga is not overdue any more when its deadline is ahead again")
  func overdue() throws {
    var saga = try Saga("[\(Saga.http("p", #""pivot": true"#)), \(Saga.signal("s"))]")
    try saga.start()
    try saga.succeed("p")
    #expect(try saga.wakeWhenDue() == ["sagaOverdue"])
    try saga.operate(.extend(step: nil, .by(.milliseconds(1))), after: 10)
    #expect(saga.state?.overdueSince != nil, "later, but not ahead")
    #expect(try saga.operate(.extend(step: nil, .by(.seconds(60)))) == ["saga extended"])
    #expect(saga.state?.overdueSince == nil)
    #expect(try saga.wakeWhenDue() == ["sagaOverdue"])
  }

  @Test("On a paused saga the new deadline moves with the pause, as every other")
  func paused() throws {
    var saga = try Saga("[\(Saga.signal("s"))]", members: #""timeout": "4m","#)
    try saga.start()
    try saga.operate(.pause)
    try saga.operate(.extend(step: nil, .by(.seconds(60))), after: 5_000)
    try saga.operate(.resume, after: 5_000)
    #expect(saga.state?.deadline == Saga.startedAt + .seconds(310))
  }

  @Test("Extend is refused for an earlier or equal time, another step, a time too far away, and an ended saga")
  func refused() throws {
    var saga = try Saga("[\(Saga.signal("s")), \(Saga.http("b"))]")
    try saga.start()
    #expect(try saga.refusal(of: .extend(step: nil, .by(.zero))) == EngineErrorCode.deadlineNotLater)
    #expect(try saga.refusal(of: .extend(step: nil, .until(Saga.startedAt))) == EngineErrorCode.deadlineNotLater)
    #expect(
      try saga.refusal(of: .extend(step: nil, .by(.seconds(100 * 366 * 86_400)))) == EngineErrorCode.deadlineNotLater)
    #expect(try saga.refusal(of: .extend(step: "s", .by(.seconds(1)))) == EngineErrorCode.stepNotWaiting, "no end")
    #expect(try saga.refusal(of: .extend(step: "b", .by(.seconds(1)))) == EngineErrorCode.stepNotWaiting)
    try saga.operate(.cancel)
    #expect(saga.status == .compensated)
    #expect(try saga.refusal(of: .extend(step: nil, .by(.seconds(1)))) == EngineErrorCode.sagaEnded)

    var turned = try Saga("[\(Saga.http("a")), \(Saga.http("b"))]")
    try turned.start()
    try turned.succeed("a")
    try turned.refuse("b")
    #expect(try turned.refusal(of: .extend(step: nil, .by(.seconds(1)))) == EngineErrorCode.sagaTurningBack)
  }
}
