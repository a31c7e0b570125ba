import HTTP
import JSON
import SagaCore
import Values
import Wire
import WorkflowEngine

// Tasks: what workers ask for and answer, and what people see of the queues.
extension API {
  var taskRoutes: [Route] {
    [
      Route(.listTasks, listTasks),
      Route(.pollTasks, pollTasks),
      Route(.completeTask, completeTask),
      Route(.failTask, failTask),
      Route(.heartbeatTask, heartbeatTask),
    ]
  }

  private func listTasks(_ call: Call) async throws -> HTTPServerResponse {
    let queue = try call.query.text("queue")
    let limit = try call.query.integer("limit", in: 1...1_000, default: 100)
    let found = engine.tasks(of: queue, limit: limit)
    let names = await engine.names(of: found.tasks.map(\.id.saga))
    let queues = engine.taskQueues.filter { queue == nil || $0.name == queue }
    return .json(
      TasksResponse(
        queues: queues.map { .init($0) }, tasks: found.tasks.map { .init($0, names[$0.id.saga]) }, more: found.more
      ).json)
  }

  private func pollTasks(_ call: Call) async throws -> HTTPServerResponse {
    let queue = try call.path.value("queue")
    var body = try BodyReader(call.request)
    let worker = body.text("worker", isRequired: true)
    let most = body.integer("max", from: 1)
    if let most, most > TaskPoll.most { body.refuse("max", "must be at most \(TaskPoll.most)") }
    let wait = body.duration("wait", atMost: DurationText.longest)
    try body.finish()
    let given = try await engine.poll(
      TaskPoll(queue: queue, worker: worker ?? "", max: most ?? 1, wait: wait ?? .zero))
    return .json(TaskPollResponse(tasks: given.map { .init($0) }).json)
  }

  private func completeTask(_ call: Call) async throws -> HTTPServerResponse {
    let id = try call.path.taskID()
    var body = try BodyReader(call.request)
    let lease = body.text("lease", isRequired: true)
    let output = body.value("output")
    try body.finish()
    return try await answer(id, lease ?? "", .succeeded(output ?? .null), "succeeded")
  }

  private func failTask(_ call: Call) async throws -> HTTPServerResponse {
    let id = try call.path.taskID()
    var body = try BodyReader(call.request)
    let lease = body.text("lease", isRequired: true)
    let code = body.text("code", isRequired: true)
    let message = body.text("message", atMost: 1_000)
    let isRetryable = body.flag("retryable")
    let nothingHappened = body.flag("nothingHappened")
    try body.finish()
    let failure = StepFailure(
      code: code ?? "", classes: [TaskAnswer.failureClass], message: message ?? code ?? "",
      isRetryable: isRetryable ?? false)
    return nothingHappened ?? true
      ? try await answer(id, lease ?? "", .failed(failure), "failed")
      : try await answer(id, lease ?? "", .unknown(failure), "unknown")
  }

  private func answer(
    _ id: TaskID, _ lease: String, _ outcome: StepOutcome, _ word: String
  ) async throws -> HTTPServerResponse {
    try await engine.answer(id, lease: lease, outcome)
    return .json(TaskAnswerResponse(task: id.description, saga: id.saga.description, outcome: word).json)
  }

  private func heartbeatTask(_ call: Call) async throws -> HTTPServerResponse {
    let id = try call.path.taskID()
    var body = try BodyReader(call.request)
    let lease = body.text("lease", isRequired: true)
    let message = body.text("progress", atMost: StepProgress.longestMessage)
    let fraction = body.number("fraction", in: 0...1)
    try body.finish()
    let progress = message == nil && fraction == nil ? nil : StepProgress(message: message ?? "", fraction: fraction)
    let heartbeat = try await engine.heartbeat(id, lease: lease ?? "", progress: progress)
    return .json(TaskHeartbeatResponse(cancelled: heartbeat.isCancelled, until: heartbeat.until).json)
  }
}

extension PathParameters {
  /// The task that the path names.
  fileprivate func taskID() throws(Problem) -> TaskID {
    let text = try value("task")
    guard let id = TaskID(text) else {
      throw Refusals.problem(
        EngineErrorCode.taskNotFound, "There is no task \(quoted(text)). A poll answers the “id” of each task.")
    }
    return id
  }
}

extension TaskPollResponse.Task {
  fileprivate init(_ given: GivenTask) {
    let item = ItemID(given.id.step)
    self.init(
      id: given.id.description, lease: given.lease, queue: given.task.queue, saga: given.id.saga.description,
      step: item?.step ?? given.id.step, item: item?.key, phase: given.id.phase.rawValue, attempt: given.id.attempt,
      key: given.idempotencyKey, compensates: given.compensates, traceparent: given.traceparent,
      input: given.task.input, deadline: given.deadline,
      heartbeatTimeoutMs: given.task.heartbeatTimeout.wholeMilliseconds, leaseUntil: given.leaseUntil)
  }
}

extension TasksResponse.Queue {
  fileprivate init(_ queue: TaskQueueNow) {
    self.init(
      queue: queue.name, waiting: queue.waiting, taken: queue.taken, workersWaiting: queue.pollers,
      lastAskedAt: queue.lastAskedAt)
  }
}

extension TasksResponse.Task {
  fileprivate init(_ task: OfferedTask, _ saga: SagaName?) {
    self.init(
      id: task.id.description, queue: task.queue, saga: task.id.saga.description, title: saga?.title,
      sagaKey: saga?.key, step: task.id.step, phase: task.id.phase.rawValue, attempt: task.id.attempt,
      status: task.status.rawValue,
      offeredAt: task.offeredAt, deadline: task.deadline, worker: task.worker, takenAt: task.takenAt,
      heartbeatAt: task.heartbeatAt, leaseUntil: task.leaseUntil, progress: task.progress?.message)
  }
}
