import JSON
import TestSupport
import Testing
import Values
import Workflows

@testable import SagaCore
@testable import WorkflowEngine

@Suite("Polling", .timeLimit(.minutes(15)), .inTurn)
struct PollTests {
  typealias Saga = SagaSpecification

  private static let failing = #""failWhen": "$.answer.body.state == 'failed'""#

  /// A saga of one polling step `run`: every minute, for an hour.
  private static func saga(
    _ more: String = #""timeout": "1h""#, poll: String = failing, method: String = "GET", before: [String] = [],
    after: [String] = []
  ) throws -> Saga {
    let run = #"""
      {"id": "run", "http": {"service": "lab", "method": "\#(method)", "path": "/runs/7"},
       "poll": {"every": "1m", "until": "$.answer.body.state == 'done'"\#(poll.isEmpty ? "" : ", " + poll)}\#(more.isEmpty ? "" : ", " + more)}
      """#
    let steps = (before + [run] + after).joined(separator: ", ")
    return try Saga("[\(steps)]", members: #""timeout": "1d", "#)
  }

  private static func answer(_ state: JSON, status: Int = 200, code: String? = nil, words: String? = nil) -> StepOutcome
  {
    .answered(LookAnswer(status: status, body: ["state": state, "clock": "another"], code: code, words: words))
  }

  private static let running = answer("running")
  private static let lost = StepOutcome.unknown(
    StepFailure(code: "http.503", classes: ["http.5xx"], message: "busy", isRetryable: true))

  // MARK: Answers

  @Test("The first look is made at once, and an answer that meets until gives the step its output")
  func doneAtOnce() throws {
    var saga = try Self.saga()
    #expect(try saga.start() == ["sagaStarted", "run polls"])
    let call = try #require(saga.dueLooks.first)
    #expect(call.idempotencyKey == "\(Saga.id)/run/1/look/1")
    #expect(call.timeout == .seconds(30))
    #expect(call.look == .unrecorded(number: 1, at: Saga.startedAt))
    #expect(try saga.look("run", Self.answer("done")) == ["run succeeded", "sagaCompleted"])
    #expect(saga.state?.step("run")?.output == ["state": "done", "clock": "another"])
    #expect(saga.state?.step("run")?.forward.count == 0, "a look is not an attempt")
  }

  @Test("Answers that say nothing new leave no event, however many looks are made")
  func unchanged() throws {
    var saga = try Self.saga()
    try saga.start()
    #expect(try saga.look("run", Self.running, taking: 400) == ["run look 1 running"])
    let version = try #require(saga.state).version
    for minute in 1...50 {
      #expect(saga.due == Int64(minute) * 60_000)
      #expect(saga.dueLooks.isEmpty)
      #expect(try saga.wakeWhenDue() == [])
      #expect(saga.dueLooks.map(\.attempt) == [minute + 1])
      #expect(try saga.look("run", Self.running, taking: 300) == [])
    }
    #expect(saga.state?.version == version)
    try saga.wakeWhenDue()
    #expect(try saga.look("run", Self.answer("done")) == ["run succeeded", "sagaCompleted"])
    #expect(saga.log.count == 5, "started, polls, one answer, succeeded, completed")
  }

  @Test("A new answer is an event with the number of its look, and the next looks follow its time")
  func changed() throws {
    var saga = try Self.saga()
    try saga.start()
    try saga.look("run", Self.running)
    for _ in 0..<2 {
      try saga.wakeWhenDue()
      try saga.look("run", Self.running)
    }
    try saga.wakeWhenDue()
    saga.pass(700)
    #expect(try saga.look("run", Self.answer("cooling"), taking: 100) == ["run look 4 cooling"])
    let polling = try #require(saga.state?.step("run")?.polling)
    #expect(polling.answer?.status == 200 && polling.answer?.shown == "cooling")
    #expect(polling.answer?.since == Saga.startedAt + .milliseconds(180_800))
    #expect(polling.look == 5)
    #expect(saga.due == 240_700, "one minute after the look began")
  }

  @Test("A change of what no condition reads is nothing new, and a change of the status is")
  func readParts() throws {
    var saga = try Self.saga()
    try saga.start()
    try saga.look("run", Self.running)
    try saga.wakeWhenDue()
    let other = StepOutcome.answered(LookAnswer(status: 200, body: ["state": "running", "clock": 12, "free": true]))
    #expect(try saga.look("run", other) == [])
    try saga.wakeWhenDue()
    #expect(try saga.look("run", Self.answer("running", status: 206)) == ["run look 3 running"])
  }

  @Test("Conditions read the status and the headers of an answer, and the saga's document")
  func parts() throws {
    var saga = try Saga(
      #"""
      [{"id": "a", "http": {"service": "lab", "method": "GET", "path": "/a", "success": ["2xx", 304]},
        "poll": {"every": "10s", "failWhen": "$.answer.status == 304",
          "until": "$.answer.headers['x-left'] == '0' && $.answer.body.n == $.input.n"}}]
      """#)
    try saga.start(input: ["n": 3])
    func answer(_ left: String?, _ n: JSON, status: Int = 200) -> StepOutcome {
      .answered(LookAnswer(status: status, headers: left.map { ["x-left": $0] } ?? [:], body: ["n": n]))
    }
    #expect(try saga.look("a", answer(nil, 3)) == ["a look 1 3"])
    try saga.wakeWhenDue()
    #expect(try saga.look("a", answer("0", 2)) == ["a look 2 0"])
    try saga.wakeWhenDue()
    #expect(try saga.look("a", answer("0", 3)) == ["a succeeded", "sagaCompleted"])
    var failed = try Saga(saga.definition.source["steps"]?.text() ?? "")
    try failed.start(input: ["n": 3])
    #expect(
      try failed.look("a", answer("0", 3, status: 304)) == [
        "a failed failed poll.failed turnsBack", "turnedBack stepFailed", "sagaCompensated",
      ], "failWhen is judged first")
  }

  @Test("failWhen fails the step cleanly in the participant's words, and nothing asks again")
  func failed() throws {
    var saga = try Self.saga(before: [Saga.http("load")])
    try saga.start()
    try saga.succeed("load")
    #expect(
      try saga.look("run", Self.answer("failed", code: "FLOWCELL_BAD", words: "The flow cell leaks.")) == [
        "run failed failed FLOWCELL_BAD turnsBack", "turnedBack stepFailed", "undo load 1",
      ])
    #expect(saga.state?.step("run")?.failure?.message == "The flow cell leaks.")
    #expect(saga.state?.step("run")?.failure?.classes == [EngineErrorCode.pollFailed])
  }

  @Test("A retry policy that names poll.failed looks again after failWhen")
  func failedAndRetried() throws {
    var saga = try Self.saga(
      #""timeout": "1h", "retry": [{"on": ["poll.failed"], "maxAttempts": 2, "initialInterval": "5s", "jitter": 0}]"#)
    try saga.start()
    #expect(try saga.look("run", Self.answer("failed")) == ["run refused poll.failed"])
    #expect(saga.due == 5_000)
    try saga.wakeWhenDue()
    #expect(try saga.look("run", Self.answer("failed")).first == "run failed failed poll.failed turnsBack")
  }

  // MARK: Looks without an answer

  @Test("A look without an answer is retried as an attempt is, and an answer resets the attempts")
  func retried() throws {
    var saga = try Self.saga(#""timeout": "1h", "retry": {"maxAttempts": 2, "initialInterval": "2s", "jitter": 0}"#)
    try saga.start()
    try saga.look("run", Self.running)
    try saga.wakeWhenDue()
    #expect(try saga.look("run", Self.lost) == ["run refused http.503"])
    #expect(saga.state?.step("run")?.status == .waiting)
    #expect(saga.due == 62_000)
    try saga.wakeWhenDue()
    #expect(saga.dueLooks.map(\.idempotencyKey) == ["\(Saga.id)/run/1/look/2"], "the same look again")
    #expect(try saga.look("run", Self.running) == ["run look 2 running"], "the end of trouble is news")
    #expect(saga.state?.step("run")?.polling?.answer?.since == Saga.startedAt)
    #expect(saga.state?.step("run")?.failure == nil)
    try saga.wakeWhenDue()
    #expect(try saga.look("run", Self.lost) == ["run refused http.503"], "the first failure of two again")
    try saga.wakeWhenDue()
    #expect(
      try saga.look("run", Self.lost) == [
        "run failed failed http.503 turnsBack", "turnedBack stepFailed", "sagaCompensated",
      ])
  }

  @Test("Retry-After delays the next look")
  func retryAfter() throws {
    var saga = try Self.saga()
    try saga.start()
    var failure = StepFailure(code: "http.429", classes: ["http.4xx"], message: "slow down", isRetryable: true)
    failure.retryAfter = .seconds(600)
    try saga.look("run", .unknown(failure))
    #expect(saga.due == 600_000)
  }

  @Test("A refusal that is not retryable ends the poll")
  func refused() throws {
    var saga = try Self.saga()
    try saga.start()
    let gone = StepFailure(code: "http.404", classes: ["http.4xx"], message: "no run 7")
    #expect(try saga.look("run", .failed(gone)).first == "run failed failed http.404 turnsBack")
  }

  @Test("A look that was not sent leaves no event and is made again after a second")
  func notSent() throws {
    var saga = try Self.saga()
    try saga.start()
    let busy = StepFailure(code: "service.busy", message: "busy", isRetryable: true)
    #expect(try saga.look("run", .notSent(busy)) == [])
    #expect(saga.due == 1_000)
    try saga.wakeWhenDue()
    #expect(try saga.look("run", Self.running) == ["run look 1 running"])
  }

  @Test("A condition that can't be computed fails the step with the code of the error")
  func undecided() throws {
    var saga = try Self.saga(poll: #""failWhen": "$.answer.body.progress + 1 > 100""#)
    try saga.start()
    let answer = StepOutcome.answered(LookAnswer(status: 200, body: ["progress": "half"]))
    #expect(
      try saga.look("run", answer).first == "run failed failed \(WorkflowErrorCode.expressionWrongType) turnsBack")
  }

  @Test("A body that can't be read is a look without an answer, if a condition reads it")
  func unreadable() throws {
    let problem = StepFailure(code: "http.answerNotJSON", message: "a page of HTML")
    var saga = try Self.saga()
    try saga.start()
    #expect(
      try saga.look("run", .answered(LookAnswer(status: 200, body: nil, problem: problem)))
        == ["run refused http.answerNotJSON"])
    var status = try Saga(
      #"""
      [{"id": "run", "http": {"service": "lab", "method": "HEAD", "path": "/x"},
        "poll": {"every": "1s", "until": "$.answer.status == 200"}}]
      """#)
    try status.start()
    #expect(
      try status.look("run", .answered(LookAnswer(status: 200, body: nil, problem: problem)))
        == ["run succeeded", "sagaCompleted"])
    #expect(status.state?.step("run")?.outputProblem?.code == "http.answerNotJSON")
  }

  // MARK: The end of the time

  @Test("At the end of its time the step looks once more, and then fails with poll.timeout")
  func timeout() throws {
    var saga = try Self.saga(#""timeout": "90s""#)
    try saga.start()
    try saga.look("run", Self.running)
    try saga.wakeWhenDue()
    try saga.look("run", Self.running)
    #expect(saga.due == 90_000, "not 120 s")
    try saga.wakeWhenDue()
    #expect(
      try saga.look("run", Self.running) == [
        "run failed failed poll.timeout turnsBack", "turnedBack stepFailed", "sagaCompensated",
      ])
    let end = Saga.startedAt + .seconds(90)
    #expect(
      saga.state?.step("run")?.failure?.message
        == "No answer met the poll's \"until\" by \(end). The last answer: running.")
  }

  @Test("A poll that an engine finds after the end of its time still succeeds when the look says so")
  func late() throws {
    var saga = try Self.saga(#""timeout": "90s""#)
    try saga.start()
    try saga.look("run", Self.running)
    saga.looks = Looks()
    saga.move(to: 7_200_000)
    #expect(try saga.when(.wake) == [])
    #expect(try saga.look("run", Self.answer("done")) == ["run succeeded", "sagaCompleted"])
  }

  @Test("A poll ends without a look when its time is over before it may look again")
  func endsBeforeRetry() throws {
    var saga = try Self.saga(#""timeout": "90s""#)
    try saga.start()
    var failure = StepFailure(code: "http.429", message: "slow down", isRetryable: true)
    failure.retryAfter = .seconds(600)
    try saga.look("run", .unknown(failure))
    #expect(saga.due == 90_000)
    #expect(try saga.wakeWhenDue().first == "run failed failed poll.timeout turnsBack")
    #expect(saga.state?.step("run")?.failure?.message.hasSuffix("The last look failed: slow down [http.429]") == true)
  }

  @Test("Without a timeout only the saga's timeout ends a poll, and then at once")
  func sagaTimeout() throws {
    var saga = try Saga(
      #"""
      [{"id": "run", "http": {"service": "lab", "method": "GET", "path": "/x"},
        "poll": {"every": "1m", "until": "$.answer.body.ok == true"}}]
      """#, members: #""timeout": "90s", "#)
    try saga.start()
    try saga.look("run", .answered(LookAnswer(status: 200, body: ["ok": false])))
    #expect(saga.state?.step("run")?.waitsUntil == nil)
    try saga.wakeWhenDue()
    try saga.look("run", .answered(LookAnswer(status: 200, body: ["ok": false])))
    #expect(saga.due == 90_000)
    #expect(
      try saga.wakeWhenDue() == ["turnedBack timeout", "run failed none saga.waitEnded settles", "sagaCompensated"])
  }

  // MARK: Crashes, pauses and operators

  @Test("After a crash no wait is lost: the saga looks when the history says so, and not before")
  func crash() throws {
    var saga = try Self.saga()
    try saga.start()
    try saga.look("run", Self.running)
    saga.looks = Looks()
    saga.pass(20_000)
    try saga.when(.recover)
    #expect(saga.dueLooks.isEmpty)
    #expect(saga.due == 60_000)
    for _ in 0..<3 {
      try saga.wakeWhenDue()
      try saga.look("run", Self.running)
    }
    // The engine forgets that it looked three times.
    saga.looks = Looks()
    saga.pass(10_000)
    #expect(try saga.when(.recover) == [])
    #expect(saga.dueLooks.map(\.attempt) == [4])
    #expect(try saga.look("run", Self.running) == [])
    #expect(saga.due == 240_000, "the timetable has not moved")
  }

  @Test("A saga that comes back into memory remembers that its looks have been made")
  func asleep() throws {
    var saga = try Self.saga()
    try saga.start()
    try saga.look("run", Self.running)
    try saga.wakeWhenDue()
    try saga.look("run", Self.running)
    saga.looks = Looks(of: try #require(saga.state), madeUntil: saga.now)
    saga.pass(30_000)
    #expect(saga.dueLooks.isEmpty)
    #expect(saga.due == 120_000)
  }

  @Test("A pause stops the looks and the end of the poll, and both go on from there")
  func pause() throws {
    var saga = try Self.saga(#""timeout": "90s""#)
    try saga.start()
    try saga.look("run", Self.running)
    try saga.wakeWhenDue()
    try saga.look("run", Self.running)
    saga.pass(10_000)
    try saga.when(.operate(OperatorRequest(.pause, by: OperatorAct(by: "mia", reason: "r"))))
    #expect(saga.due == nil)
    saga.pass(1_000_000)
    #expect(saga.dueLooks.isEmpty)
    try saga.when(.operate(OperatorRequest(.resume, by: OperatorAct(by: "mia", reason: "r"))))
    saga.looks.shift(by: .seconds(1_000))
    #expect(saga.dueLooks.isEmpty)
    #expect(saga.due == 1_090_000, "20 s after the resume")
    try saga.wakeWhenDue()
    #expect(try saga.look("run", Self.running).first == "run failed failed poll.timeout turnsBack")
  }

  @Test("An answer that comes during a pause is recorded, and the next look counts from the pause")
  func answeredInPause() throws {
    var saga = try Self.saga()
    try saga.start()
    let call = try #require(saga.dueLooks.first)
    saga.looks.begin(try #require(saga.state?.step("run")), at: saga.now)
    saga.pass(1_000)
    try saga.when(.operate(OperatorRequest(.pause, by: OperatorAct(by: "mia", reason: "r"))))
    saga.pass(2_000)
    #expect(try saga.when(call.report(Self.running)) == ["run look 1 running"])
    saga.looks = Looks()
    saga.pass(7_000)
    try saga.when(.operate(OperatorRequest(.resume, by: OperatorAct(by: "mia", reason: "r"))))
    // The look is due 57 s after the answer, and the pause went on for 7 s after it.
    #expect(saga.due == 67_000)
  }

  @Test("A cancel ends the poll at once, and the answer of its look changes nothing")
  func cancel() throws {
    var saga = try Self.saga(before: [Saga.http("load")])
    try saga.start()
    try saga.succeed("load")
    let call = try #require(saga.dueLooks.first)
    #expect(
      try saga.when(.cancel(by: "mia", reason: "no")) == [
        "turnedBack cancelled", "run failed none saga.waitEnded settles", "undo load 1",
      ])
    #expect(try saga.when(call.report(Self.answer("done"))) == [])
    #expect(saga.dueLooks.isEmpty)
  }

  @Test("Operators look now, extend the poll, and skip it")
  func operators() throws {
    var saga = try Self.saga(#""timeout": "10m""#, after: [Saga.http("next")])
    func act(_ verb: OperatorVerb) -> SagaCommand {
      .operate(OperatorRequest(verb, by: OperatorAct(by: "mia", reason: "r")))
    }
    try saga.start()
    try saga.look("run", Self.running)
    saga.pass(10_000)
    #expect(try saga.when(act(.runNow(step: nil))) == ["run run now"])
    #expect(saga.dueLooks.map(\.attempt) == [2])
    #expect(try saga.look("run", Self.running) == [])
    #expect(saga.due == 70_000, "the timetable moved to the look of the operator")
    #expect(try saga.when(act(.extend(step: "run", .by(.seconds(600))))) == ["run extended"])
    #expect(saga.state?.step("run")?.waitsUntil == Saga.startedAt + .seconds(1_200))
    #expect(try saga.when(act(.skip(step: "run", output: ["state": "done"]))) == ["run skipped by operator", "next 1"])
    #expect(throws: Refusal.self) { try saga.when(act(.runNow(step: "run"))) }
  }

  @Test("A rewind ends the poll, and it begins again in a new round")
  func rewind() throws {
    var saga = try Self.saga()
    try saga.start()
    let call = try #require(saga.dueLooks.first)
    try saga.look("run", Self.running)
    #expect(
      try saga.when(.operate(OperatorRequest(.rewind(step: "run"), by: OperatorAct(by: "mia", reason: "r")))) == [
        "rewind run", "run failed none saga.waitEnded settles", "rewound to run", "run polls",
      ])
    #expect(saga.dueLooks.map(\.idempotencyKey) == ["\(Saga.id)/run/2/look/1"])
    #expect(try saga.when(call.report(Self.answer("done"))) == [], "the answer is of an earlier round")
  }

  @Test("Behind a pivot a failed poll waits for an operator, whose retry polls again for the whole time")
  func retriedByOperator() throws {
    var saga = try Self.saga(#""timeout": "90s""#, before: [Saga.http("p", #""pivot": true"#)])
    try saga.start()
    try saga.succeed("p")
    try saga.look("run", Self.answer("failed"))
    #expect(saga.status == .stuck)
    saga.pass(500_000)
    #expect(try saga.when(.retry(step: "run", by: "mia", reason: "repaired")) == ["run retried", "run polls"])
    #expect(saga.state?.step("run")?.waitsUntil == saga.now + .seconds(90))
    #expect(try saga.look("run", Self.answer("done")).first == "run succeeded")
  }

  @Test("A poll is overdue like any other step")
  func overdue() throws {
    var saga = try Self.saga(#""timeout": "1h", "expected": "30s""#)
    try saga.start()
    try saga.look("run", Self.running)
    #expect(saga.due == 30_000)
    #expect(try saga.wakeWhenDue() == ["run overdue declared"])
    #expect(saga.dueLooks.isEmpty)
    #expect(saga.due == 60_000)
  }

  // MARK: Methods that may change something

  private static let undo = #""compensation": {"http": {"service": "lab", "method": "DELETE", "path": "/runs/7"}}"#

  @Test("Each look with POST is an attempt of the history, with a key of its own")
  func recorded() throws {
    var saga = try Self.saga(#""timeout": "1h", \#(Self.undo)"#, method: "POST")
    #expect(try saga.start() == ["sagaStarted", "run polls", "run 1"])
    #expect(saga.dueLooks.isEmpty)
    #expect(saga.calls == ["run/1/look/1"])
    #expect(try saga.settle("run", Self.running) == ["run look 1 running"])
    #expect(try saga.wakeWhenDue() == ["run 2"])
    #expect(saga.calls == ["run/1/look/2"])
    #expect(try saga.settle("run", Self.lost) == ["run unknown http.503"])
    #expect(try saga.wakeWhenDue() == ["run 3"])
    #expect(saga.calls == ["run/1/look/2"], "an unknown look is retried under its key")
    #expect(try saga.settle("run", Self.running) == ["run look 2 running"], "also an unchanged answer")
    #expect(try saga.wakeWhenDue() == ["run 4"])
    #expect(try saga.settle("run", Self.answer("done")) == ["run succeeded", "sagaCompleted"])
  }

  @Test("A crash leaves the outcome of a look with POST unknown, and the look is retried")
  func interrupted() throws {
    var saga = try Self.saga(#""timeout": "1h", \#(Self.undo)"#, method: "POST")
    try saga.start()
    #expect(try saga.when(.recover) == ["run unknown engine.attemptInterrupted"])
    #expect(try saga.wakeWhenDue() == ["run 2"])
    #expect(saga.calls == ["run/1/look/1"])
  }

  @Test("What looks with POST may have done is undone, after the look under way has settled")
  func undone() throws {
    var saga = try Self.saga(#""timeout": "1h", \#(Self.undo)"#, method: "POST")
    try saga.start()
    try saga.settle("run", Self.running)
    #expect(
      try saga.when(.cancel(by: "mia", reason: "no")) == [
        "turnedBack cancelled", "run failed unknown saga.waitEnded settles", "undo run 1",
      ])
    var other = try Self.saga(#""timeout": "1h", \#(Self.undo)"#, method: "POST")
    try other.start()
    #expect(try other.when(.cancel(by: "mia", reason: "no")) == ["turnedBack cancelled"])
    #expect(
      try other.settle("run", Self.running) == ["run failed unknown saga.waitEnded settles", "undo run 1"])
  }

  @Test("The end of a poll with POST is unknown, and its failWhen is clean")
  func outcomes() throws {
    var saga = try Self.saga(#""timeout": "90s", \#(Self.undo)"#, poll: "", method: "POST")
    try saga.start()
    try saga.settle("run", Self.running)
    #expect(try saga.wakeWhenDue() == ["run 2"])
    try saga.settle("run", Self.running)
    #expect(saga.due == 90_000)
    #expect(try saga.wakeWhenDue() == ["run 3"])
    #expect(
      try saga.settle("run", Self.running) == [
        "run failed unknown poll.timeout turnsBack", "turnedBack stepFailed", "undo run 1",
      ])
    var failed = try Self.saga(#""timeout": "1h", \#(Self.undo)"#, method: "POST")
    try failed.start()
    #expect(try failed.settle("run", Self.answer("failed")).first == "run failed failed poll.failed turnsBack")
  }
}
