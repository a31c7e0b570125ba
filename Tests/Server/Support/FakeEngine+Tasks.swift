import JSON
import Persistence
import Runtime
import SagaCore
import Server
import Synchronization
import TestSupport
import Values
import Workflows

@testable import WorkflowEngine

extension FakeEngine {
  /// Gives out tasks at once. The lease is the name of the task.
  func poll(_ poll: TaskPoll) async throws -> [GivenTask] {
    let free = offered.filter { $0.task.offer.queue == poll.queue && $0.task.offer.taken == nil }
    return try free.prefix(poll.max).compactMap { task, definition -> GivenTask? in
      let lease = "lease of \(task.id)"
      let state = try tell(task.id.saga, .taken(TaskClaim(task: task.id, worker: poll.worker, lease: lease)))
      let effects = Decider.effects(of: state, definition: definition) { $0.id == task.id.step }
      guard case .call(let call)? = effects.first, case .task(let rendered) = call.action else { return nil }
      return GivenTask(
        id: task.id, lease: lease, task: rendered, idempotencyKey: call.idempotencyKey, compensates: call.compensates,
        traceparent: call.traceparent, deadline: task.deadline, leaseUntil: environment.now() + task.heartbeatTimeout)
    }
  }

  func answer(_ id: TaskID, lease: String, _ outcome: StepOutcome) async throws {
    try tell(id.saga, .task(TaskAnswer(task: id, lease: lease, content: .settled(outcome))))
  }

  func heartbeat(_ id: TaskID, lease: String, progress: StepProgress?) async throws -> TaskHeartbeat {
    let saga = try await saga(id.saga)
    guard let task = offered.first(where: { $0.task.id == id })?.task, task.offer.taken?.lease == lease else {
      throw Refusal(EngineErrorCode.taskLeaseLost, "Another worker has the task.")
    }
    if let progress { try tell(id.saga, .task(TaskAnswer(task: id, lease: lease, content: .progress(progress)))) }
    return TaskHeartbeat(
      isCancelled: saga.state.isCancelled(id), until: environment.now() + task.heartbeatTimeout)
  }

  /// One queue, whatever sagas there are.
  var taskQueues: [TaskQueueNow] {
    let tasks = offered.map(\.task).filter { $0.offer.queue == "robot" }
    let taken = tasks.filter { $0.offer.taken != nil }.count
    return [
      TaskQueueNow(
        name: "robot", waiting: tasks.count - taken, taken: taken, pollers: 0, lastAskedAt: environment.now())
    ]
  }

  func tasks(of queue: String?, limit: Int) -> (tasks: [OfferedTask], more: Int) {
    let all = offered.map(\.task).filter { queue == nil || $0.offer.queue == queue }
    let shown = all.prefix(limit).map { task in
      OfferedTask(
        id: task.id, queue: task.offer.queue, status: task.offer.taken == nil ? .waiting : .taken,
        offeredAt: task.offeredAt, deadline: task.deadline, worker: task.offer.taken?.worker,
        takenAt: task.offer.taken?.at, leaseUntil: task.offer.taken.map { $0.at + task.heartbeatTimeout },
        progress: task.progress?.value)
    }
    return (shown, all.count - shown.count)
  }
}
