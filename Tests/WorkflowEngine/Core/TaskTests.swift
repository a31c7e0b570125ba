import JSON
import TestSupport
import Testing
import Values
import Workflows

@testable import SagaCore
@testable import WorkflowEngine

@Suite("Tasks", .timeLimit(.minutes(15)), .inTurn)
struct TaskTests {
  typealias Saga = SagaSpecification

  private static let retry = #""retry": {"maxAttempts": 3, "initialInterval": "1s", "jitter": 0}"#
  private static let undo =
    #""compensation": {"task": {"queue": "cleaner", "input": {"key": "${steps.load.key}"}}, "timeout": "1h"}"#

  /// A saga of one task `load` of the queue robot, that a worker has ten minutes for.
  private static func saga(
    _ more: String = "\(retry), \(undo)", timeout: String = #""timeout": "10m", "#, before: [String] = [],
    after: [String] = [], members: String = #""timeout": "1d", "#
  ) throws -> Saga {
    let load = #"""
      {"id": "load", \#(timeout)"task": {"queue": "robot", "input": {"plate": "${input.plate}"},
       "heartbeatTimeout": "30s"}, \#(more)}
      """#
    let steps = (before + [load] + after).joined(separator: ", ")
    return try Saga("[\(steps)]", members: members)
  }

  private static let input: JSON = ["plate": "P-1"]
  private static let failure = StepFailure(
    code: "TIP_CRASH", classes: [TaskAnswer.failureClass], message: "The tip is bent.", isRetryable: true)
  private static let lease = #"task.leaseLost"#

  // MARK: A worker does the work

  @Test("A task is offered, taken, and completed with the step's output")
  func completes() throws {
    var saga = try Self.saga()
    #expect(try saga.start(input: Self.input) == ["sagaStarted", "load 1"])
    #expect((saga.log.last?.what as? AttemptStarted)?.queue == "robot")
    #expect(saga.state?.step("load")?.isOnlyOffered == true)
    #expect(saga.due == 600_000, "the end of the whole wait")
    #expect(try saga.takeTask("load", by: "robot-2") == ["load taken by robot-2"])
    let taken = try #require(saga.state?.step("load")?.offer?.taken)
    #expect(taken.worker == "robot-2" && taken.lease == "l1" && taken.at == Saga.startedAt)
    #expect(try saga.answerTask("load", .settled(.succeeded(["run": 7]))) == ["load succeeded", "sagaCompleted"])
    #expect(saga.state?.step("load")?.output == ["run": 7])
  }

  @Test("The call of a task has its rendered input, its key, and the time of the whole wait")
  func rendered() throws {
    var saga = try Self.saga()
    try saga.start(input: Self.input)
    let effects = Decider.effects(of: try #require(saga.state), definition: saga.definition)
    guard case .call(let call)? = effects.first, case .task(let task) = call.action else {
      Issue.record("no call of a task: \(effects)")
      return
    }
    #expect(task == RenderedTask(queue: "robot", input: ["plate": "P-1"], heartbeatTimeout: .seconds(30)))
    #expect(call.idempotencyKey == "\(Saga.id)/load/1")
    #expect(call.timeout == .seconds(600))
    #expect(call.task.description == "\(Saga.id).load.1.1")
  }

  @Test("A task whose input can't be rendered fails cleanly, and no worker sees it")
  func unrenderable() throws {
    var saga = try Self.saga()
    #expect(
      try saga.start() == [
        "sagaStarted", "load failed none expression.empty turnsBack", "turnedBack stepFailed", "sagaCompensated",
      ])
  }

  @Test("A step without a timeout waits as long as the workflow's timeout")
  func withoutTimeout() throws {
    var saga = try Self.saga(timeout: "", members: #""timeout": "2h", "#)
    try saga.start(input: Self.input)
    #expect(saga.state?.step("load")?.waitsUntil == Saga.startedAt + .seconds(7_200))
  }

  @Test("A worker's failure is clean, and the task is offered again as retry says")
  func failsAndIsOfferedAgain() throws {
    var saga = try Self.saga()
    try saga.start(input: Self.input)
    try saga.takeTask("load")
    #expect(try saga.answerTask("load", .settled(.failed(Self.failure))) == ["load refused TIP_CRASH"])
    #expect(saga.state?.step("load")?.outcome == .failed)
    #expect(try saga.wakeWhenDue() == ["load 2"])
    #expect(saga.state?.step("load")?.waitsUntil == Saga.startedAt + .seconds(600), "one wait over all attempts")
    try saga.takeTask("load", lease: "l2")
    #expect(
      try saga.answerTask("load", .settled(.succeeded(.null)), lease: "l2") == ["load succeeded", "sagaCompleted"])
  }

  @Test("A failure that another attempt does not help ends the step, and nothing is undone")
  func failsForGood() throws {
    var saga = try Self.saga()
    try saga.start(input: Self.input)
    try saga.takeTask("load")
    var failure = Self.failure
    failure.isRetryable = false
    #expect(
      try saga.answerTask("load", .settled(.failed(failure))) == [
        "load failed failed TIP_CRASH turnsBack", "turnedBack stepFailed", "sagaCompensated",
      ])
  }

  @Test("A retry policy can name the class of workers' failures")
  func failureClass() throws {
    let retry =
      #""retry": [{"on": ["task.failed"], "maxAttempts": 1}, {"on": ["*"], "maxAttempts": 5, "initialInterval": "1s"}]"#
    var saga = try Self.saga("\(retry), \(Self.undo)")
    try saga.start(input: Self.input)
    try saga.takeTask("load")
    #expect(
      try saga.answerTask("load", .settled(.failed(Self.failure))).first == "load failed failed TIP_CRASH turnsBack")
  }

  @Test("The progress of a worker is an event of its attempt")
  func progress() throws {
    var saga = try Self.saga()
    try saga.start(input: Self.input)
    try saga.takeTask("load")
    let progress = StepProgress(message: "column 3 of 12", fraction: 0.25)
    #expect(try saga.answerTask("load", .progress(progress)) == ["load 1 “column 3 of 12”"])
    #expect(saga.state?.step("load")?.progress?.value == progress)
    #expect(throws: Refusal.self) { try saga.answerTask("load", .progress(progress), lease: "other") }
  }

  // MARK: Leases

  @Test("A lost lease leaves the outcome unknown, and the task is offered again")
  func heartbeatLost() throws {
    var saga = try Self.saga()
    try saga.start(input: Self.input)
    try saga.takeTask("load", by: "robot-2")
    #expect(try saga.answerTask("load", .lost) == ["load unknown task.heartbeatLost"])
    let step = try #require(saga.state?.step("load"))
    #expect(step.outcome == .unknown)
    #expect(step.failure?.message.contains("robot-2") == true)
    #expect(try saga.wakeWhenDue() == ["load 2"])
    #expect(saga.state?.step("load")?.isOnlyOffered == true)
  }

  @Test("A worker that lost its lease is fenced: its answers are refused and change nothing")
  func fenced() throws {
    var saga = try Self.saga()
    try saga.start(input: Self.input)
    let first = try saga.task("load")
    try saga.takeTask("load")
    try saga.answerTask("load", .lost)
    func refused(_ content: TaskAnswer.Content) throws {
      let before = saga.state
      let refusal = #expect(throws: Refusal.self) {
        try saga.when(.task(TaskAnswer(task: first, lease: "l1", content: content)))
      }
      #expect(refusal?.code == "task.leaseLost")
      #expect(saga.state == before)
    }
    let answers: [TaskAnswer.Content] = [
      .settled(.succeeded(["run": 7])), .settled(.failed(Self.failure)), .progress(StepProgress(message: "half")),
    ]
    for content in answers { try refused(content) }
    try saga.wakeWhenDue()
    for content in answers { try refused(content) }
    try saga.takeTask("load", by: "robot-3", lease: "l2")
    for content in answers { try refused(content) }
    try saga.answerTask("load", .settled(.succeeded(["run": 8])), lease: "l2")
    for content in answers { try refused(content) }
    #expect(saga.state?.step("load")?.output == ["run": 8])
  }

  @Test("The end of a lease that was answered meanwhile changes nothing")
  func lostTooLate() throws {
    var saga = try Self.saga(after: [Saga.http("next")])
    try saga.start(input: Self.input)
    let task = try saga.task("load")
    try saga.takeTask("load")
    try saga.answerTask("load", .settled(.succeeded(.null)))
    #expect(try saga.answerTask("load", .lost, task: task) == [])
  }

  @Test("The same completion again is a repeat, also when the saga has ended; another one is refused")
  func repeats() throws {
    var saga = try Self.saga()
    try saga.start(input: Self.input)
    let task = try saga.task("load")
    try saga.takeTask("load")
    try saga.answerTask("load", .settled(.succeeded(["run": 7])))
    #expect(saga.status == .completed)
    #expect(try saga.answerTask("load", .settled(.succeeded(["run": 7])), task: task) == [])
    #expect(throws: Refusal.self) { try saga.answerTask("load", .settled(.succeeded(["run": 8])), task: task) }
    #expect(throws: Refusal.self) {
      try saga.answerTask("load", .settled(.succeeded(["run": 7])), lease: "l2", task: task)
    }
    #expect(throws: Refusal.self) { try saga.answerTask("load", .settled(.failed(Self.failure)), task: task) }
  }

  @Test("The same failure again is a repeat until a worker has answered the next attempt")
  func failureRepeats() throws {
    var saga = try Self.saga()
    try saga.start(input: Self.input)
    let task = try saga.task("load")
    try saga.takeTask("load")
    try saga.answerTask("load", .settled(.failed(Self.failure)))
    #expect(try saga.answerTask("load", .settled(.failed(Self.failure)), task: task) == [])
    try saga.wakeWhenDue()
    #expect(try saga.answerTask("load", .settled(.failed(Self.failure)), task: task) == [])
    try saga.takeTask("load", lease: "l2")
    try saga.answerTask("load", .settled(.succeeded(.null)), lease: "l2")
    #expect(throws: Refusal.self) { try saga.answerTask("load", .settled(.failed(Self.failure)), task: task) }
  }

  @Test("A task is taken once")
  func takenOnce() throws {
    var saga = try Self.saga()
    try saga.start(input: Self.input)
    try saga.takeTask("load")
    let refusal = #expect(throws: Refusal.self) { try saga.takeTask("load", by: "other", lease: "l2") }
    #expect(refusal?.code == "task.notOffered")
    #expect(saga.state?.step("load")?.offer?.taken?.worker == "w")
  }

  @Test("A restart interrupts no task: its worker completes it under the lease of the history")
  func restart() throws {
    var saga = try Self.saga()
    try saga.start(input: Self.input)
    #expect(try saga.when(.recover) == [])
    try saga.takeTask("load")
    #expect(try saga.when(.recover) == [])
    #expect(try saga.answerTask("load", .settled(.succeeded(.null))) == ["load succeeded", "sagaCompleted"])
  }

  // MARK: The end of the wait

  @Test("A task that no worker takes fails at its timeout, cleanly")
  func neverTaken() throws {
    var saga = try Self.saga()
    try saga.start(input: Self.input)
    #expect(
      try saga.wakeWhenDue() == [
        "load failed failed task.timeout turnsBack", "turnedBack stepFailed", "sagaCompensated",
      ])
    #expect(saga.state?.step("load")?.failure?.message.contains("queue “robot”") == true)
  }

  @Test("A task that its worker does not complete by the timeout may have happened, and is undone")
  func takenTooLong() throws {
    var saga = try Self.saga()
    try saga.start(input: Self.input)
    let task = try saga.task("load")
    try saga.takeTask("load")
    #expect(
      try saga.wakeWhenDue() == [
        "load failed unknown task.timeout turnsBack", "turnedBack stepFailed", "undo load 1",
      ])
    #expect(throws: Refusal.self) { try saga.answerTask("load", .settled(.succeeded(.null)), task: task) }
  }

  @Test("An attempt that could begin only after the end of the wait is not planned")
  func noRetryAfterTheEnd() throws {
    var saga = try Self.saga()
    try saga.start(input: Self.input)
    try saga.takeTask("load")
    saga.pass(599_500)
    #expect(
      try saga.answerTask("load", .settled(.failed(Self.failure))).first == "load failed failed TIP_CRASH turnsBack")
  }

  @Test("An operator gives a task more time")
  func extended() throws {
    var saga = try Self.saga()
    try saga.start(input: Self.input)
    let act = OperatorAct(by: "mia", reason: "The robot is being repaired.")
    #expect(
      try saga.when(.operate(OperatorRequest(.extend(step: "load", .by(.seconds(300))), by: act))) == ["load extended"])
    #expect(saga.due == 900_000)
    try saga.takeTask("load")
    try saga.answerTask("load", .settled(.failed(Self.failure)))
    try saga.wakeWhenDue()
    #expect(saga.state?.step("load")?.waitsUntil == Saga.startedAt + .seconds(900), "it stays over attempts")
  }

  @Test("An operator skips a task that no worker has taken, and no other")
  func skipped() throws {
    let act = OperatorAct(by: "mia", reason: "Pipetted by hand.")
    let skip = SagaCommand.operate(OperatorRequest(.skip(step: "load", output: ["run": 9]), by: act))
    var saga = try Self.saga()
    try saga.start(input: Self.input)
    #expect(try saga.when(skip) == ["load skipped by operator", "sagaCompleted"])
    var taken = try Self.saga()
    try taken.start(input: Self.input)
    try taken.takeTask("load")
    let refusal = #expect(throws: Refusal.self) { try taken.when(skip) }
    #expect(refusal?.code == "step.notSkippable")
  }

  // MARK: Pauses

  @Test("The task of a paused saga is not taken, and its wait stops with the clock")
  func paused() throws {
    let act = OperatorAct(by: "mia", reason: "wait")
    var saga = try Self.saga()
    try saga.start(input: Self.input)
    saga.pass(60_000)
    try saga.when(.operate(OperatorRequest(.pause, by: act)))
    #expect(saga.due == nil)
    let refusal = #expect(throws: Refusal.self) { try saga.takeTask("load") }
    #expect(refusal?.code == "task.notOffered")
    saga.pass(3_600_000)
    try saga.when(.operate(OperatorRequest(.resume, by: act)))
    #expect(saga.due == 4_200_000)
    #expect(try saga.takeTask("load") == ["load taken by w"])
  }

  @Test("A worker completes its task while the saga is paused, and what follows begins on resume")
  func completedInPause() throws {
    let act = OperatorAct(by: "mia", reason: "wait")
    var saga = try Self.saga(after: [Saga.http("next")])
    try saga.start(input: Self.input)
    try saga.takeTask("load")
    try saga.when(.operate(OperatorRequest(.pause, by: act)))
    #expect(try saga.answerTask("load", .settled(.succeeded(.null))) == ["load succeeded"])
    #expect(try saga.when(.operate(OperatorRequest(.resume, by: act))) == ["sagaResumed", "next 1"])
  }

  // MARK: Turning back

  private static let cancel = SagaCommand.operate(
    OperatorRequest(.cancel, by: OperatorAct(by: "mia", reason: "The tube is broken.")))

  @Test("A cancelled saga withdraws a task that no worker has, and undoes nothing of it")
  func cancelledOffer() throws {
    var saga = try Self.saga()
    try saga.start(input: Self.input)
    #expect(
      try saga.when(Self.cancel) == [
        "turnedBack cancelled", "load failed none saga.waitEnded settles", "sagaCompensated",
      ])
  }

  @Test("A cancelled saga waits for its worker: what it completed is undone by a task")
  func cancelledTaken() throws {
    var saga = try Self.saga()
    try saga.start(input: Self.input)
    try saga.takeTask("load")
    #expect(try saga.when(Self.cancel) == ["turnedBack cancelled"])
    #expect(saga.state?.isCancelled(try saga.task("load")) == true)
    #expect(try saga.answerTask("load", .settled(.succeeded(.null))) == ["load succeeded", "undo load 1"])
    let undo = try saga.task("load")
    #expect(undo.phase == .undo && saga.state?.isCancelled(undo) == false)
    #expect((saga.log.last?.what as? AttemptStarted)?.queue == "cleaner")
    #expect(saga.state?.step("load")?.waitsUntil == Saga.startedAt + .seconds(3_600))
    #expect(try saga.takeTask("load", by: "cleaner-1", lease: "l2") == ["undo load taken by cleaner-1"])
    #expect(
      try saga.answerTask("load", .settled(.succeeded(.null)), lease: "l2") == [
        "load undone answered", "sagaCompensated",
      ])
    #expect(try saga.answerTask("load", .settled(.succeeded(["x": 1])), lease: "l2", task: undo) == [])
  }

  @Test("A worker that stops because of a cancel, and says that nothing happened, leaves nothing to undo")
  func cancelledStops() throws {
    var saga = try Self.saga()
    try saga.start(input: Self.input)
    try saga.takeTask("load")
    try saga.when(Self.cancel)
    #expect(
      try saga.answerTask("load", .settled(.failed(Self.failure))) == [
        "load failed failed TIP_CRASH settles", "sagaCompensated",
      ])
  }

  @Test("A worker that is lost after a cancel may have done the work, and the step is undone")
  func cancelledLost() throws {
    var saga = try Self.saga()
    try saga.start(input: Self.input)
    try saga.takeTask("load")
    try saga.when(Self.cancel)
    #expect(
      try saga.answerTask("load", .lost) == ["load failed unknown task.heartbeatLost settles", "undo load 1"])
  }

  @Test("An offer after a lost lease is withdrawn by a cancel, and the step is undone")
  func cancelledAgain() throws {
    var saga = try Self.saga()
    try saga.start(input: Self.input)
    try saga.takeTask("load")
    try saga.answerTask("load", .lost)
    try saga.wakeWhenDue()
    #expect(
      try saga.when(Self.cancel) == [
        "turnedBack cancelled", "load failed unknown saga.waitEnded settles", "undo load 1",
      ])
  }

  @Test("An undo that no worker takes makes the saga stuck at its timeout, and a retry offers it for a new wait")
  func undoNeverTaken() throws {
    var saga = try Self.saga()
    try saga.start(input: Self.input)
    try saga.takeTask("load")
    try saga.when(Self.cancel)
    try saga.answerTask("load", .settled(.succeeded(.null)))
    #expect(try saga.wakeWhenDue() == ["load undo failed task.timeout blocks"])
    #expect(saga.status == .stuck)
    saga.pass(60_000)
    let act = OperatorAct(by: "mia", reason: "The cleaner is back.")
    #expect(
      try saga.when(.operate(OperatorRequest(.retry(step: "load", input: nil), by: act))) == [
        "load retried", "undo load 2",
      ])
    #expect(saga.due == 7_260_000)
  }

  // MARK: Pivots

  @Test("A pivot that is only offered has not begun: a cancel withdraws it")
  func pivotOffered() throws {
    var saga = try Self.saga(#""pivot": true"#, before: [Saga.http("first")])
    try saga.start(input: Self.input)
    try saga.succeed("first")
    #expect(
      try saga.when(Self.cancel) == [
        "turnedBack cancelled", "load failed none saga.waitEnded settles", "undo first 1",
      ])
  }

  @Test("A pivot that a worker has is decided first: a cancel waits for it")
  func pivotTaken() throws {
    var saga = try Self.saga(#""pivot": true"#, before: [Saga.http("first")])
    try saga.start(input: Self.input)
    try saga.succeed("first")
    try saga.takeTask("load")
    #expect(try saga.when(Self.cancel) == ["turnBackRequested cancelled"])
    #expect(
      try saga.answerTask("load", .settled(.succeeded(.null))) == ["load succeeded", "turnBackLapsed", "sagaCompleted"])
  }

  @Test("A pivot whose worker is lost is offered again, and blocks when its wait ends")
  func pivotLost() throws {
    var saga = try Self.saga(#""pivot": true"#, before: [Saga.http("first")])
    try saga.start(input: Self.input)
    try saga.succeed("first")
    try saga.takeTask("load")
    try saga.when(Self.cancel)
    #expect(try saga.answerTask("load", .lost) == ["load unknown task.heartbeatLost"])
    #expect(try saga.wakeWhenDue() == ["load 2"])
    #expect(try saga.wakeWhenDue() == ["load failed unknown task.timeout blocks"])
    #expect(saga.status == .stuck)
  }

  // MARK: Items

  @Test("Each item of a forEach is a task of its own")
  func items() throws {
    let forEach = #""forEach": {"items": "${input.plates[*]}", "as": "plate", "key": "${plate}", "maxParallel": 2}"#
    let load = #"{"id": "load", \#(forEach), "task": {"queue": "robot", "input": "${plate}"}, "compensation": "none"}"#
    var saga = try Saga("[\(load)]", members: #""timeout": "1d", "#)
    try saga.start(input: ["plates": ["P/1", "P-2", "P-3"]])
    let task = try saga.task("load[P/1]")
    #expect(task.description == "\(Saga.id).load-502f31.1.1")
    #expect(TaskID(task.description) == task)
    #expect(task.idempotencyKey == "\(Saga.id)/load/P%2F1/1")
    let offered = try #require(saga.state).tasks(by: saga.definition)
    #expect(offered.map(\.id.step) == ["load[P/1]", "load[P-2]"], "maxParallel")
    #expect(try saga.takeTask("load[P-2]") == ["load[P-2] taken by w"])
    #expect(
      try saga.answerTask("load[P-2]", .settled(.succeeded(.null))) == ["load[P-2] succeeded", "load[P-3] 1"])
  }

  @Test("The text of a task's id is read back, and no other text is")
  func ids() {
    let id = TaskID(saga: Saga.id, step: "a_1", phase: .undo, round: 2, attempt: 3)
    #expect(id.description == "\(Saga.id).a_1.2.3.undo")
    #expect(TaskID(id.description) == id)
    #expect(id.idempotencyKey == "\(Saga.id)/a_1/2/undo")
    for text in [
      "", "x", "\(Saga.id)", "\(Saga.id).a.0.1", "\(Saga.id).a.1.0", "\(Saga.id).a.01.1", "\(Saga.id).a.1.1.do",
      "\(Saga.id).a-0g.1.1", "\(Saga.id).a-ff.1.1", "\(Saga.id).a.1.1.undo.x",
    ] {
      #expect(TaskID(text) == nil, "\(text)")
    }
  }
}
