import JSON
import Values

/// The answer of `POST /v1/tasks/{queue}/poll`: the tasks that the worker has now.
public struct TaskPollResponse: WireValue {
  public let tasks: [Task]

  public init(tasks: [Task]) { self.tasks = tasks }

  public init(_ members: Members) throws(UnexpectedMember) { tasks = try members.list("tasks") }

  public var json: JSON { .members(["tasks": .list(tasks)]) }

  /// A task that a worker has taken.
  public struct Task: WireValue {
    public let id: String
    /// The worker's right to answer. It goes with every heartbeat and with the answer.
    public let lease: String
    public let queue: String
    public let saga: String
    /// The id of the step, without the key of its item.
    public let step: String
    /// The key of the item, for a step with `forEach`.
    public let item: String?
    /// `forward` or `undo`.
    public let phase: String
    public let attempt: Int
    /// The idempotency key, which all attempts of the work share.
    public let key: String
    /// The idempotency key of the work that an undo undoes.
    public let compensates: String?
    public let traceparent: String
    public let input: JSON
    /// The end of the whole wait.
    public let deadline: Timestamp
    public let heartbeatTimeoutMs: Int
    /// When the task is lost without a heartbeat.
    public let leaseUntil: Timestamp

    public init(
      id: String, lease: String, queue: String, saga: String, step: String, item: String? = nil, phase: String,
      attempt: Int, key: String, compensates: String? = nil, traceparent: String, input: JSON, deadline: Timestamp,
      heartbeatTimeoutMs: Int, leaseUntil: Timestamp
    ) {
      self.id = id
      self.lease = lease
      self.queue = queue
      self.saga = saga
      self.step = step
      self.item = item
      self.phase = phase
      self.attempt = attempt
      self.key = key
      self.compensates = compensates
      self.traceparent = traceparent
      self.input = input
      self.deadline = deadline
      self.heartbeatTimeoutMs = heartbeatTimeoutMs
      self.leaseUntil = leaseUntil
    }

    public init(_ members: Members) throws(UnexpectedMember) {
      id = try members.text("id")
      lease = try members.text("lease")
      queue = try members.text("queue")
      saga = try members.text("saga")
      step = try members.text("step")
      item = try members.textIfAny("item")
      phase = try members.text("phase")
      attempt = try members.int("attempt")
      key = try members.text("key")
      compensates = try members.textIfAny("compensates")
      traceparent = try members.text("traceparent")
      input = try members.json("input")
      deadline = try members.time("deadline")
      heartbeatTimeoutMs = try members.int("heartbeatTimeoutMs")
      leaseUntil = try members.time("leaseUntil")
    }

    public var json: JSON {
      .members([
        "id": .string(id), "lease": .string(lease), "queue": .string(queue), "saga": .string(saga),
        "step": .string(step), "item": .text(item), "phase": .string(phase), "attempt": .int(attempt),
        "key": .string(key), "compensates": .text(compensates), "traceparent": .string(traceparent), "input": input,
        "deadline": .time(deadline), "heartbeatTimeoutMs": .int(heartbeatTimeoutMs), "leaseUntil": .time(leaseUntil),
      ])
    }
  }
}

/// The answer of `POST /v1/tasks/{id}/complete` and `/fail`. A repeat gets the same answer.
public struct TaskAnswerResponse: WireValue {
  public let task: String
  public let saga: String
  /// `succeeded`, `failed`, or `unknown`: what the worker has answered.
  public let outcome: String

  public init(task: String, saga: String, outcome: String) {
    self.task = task
    self.saga = saga
    self.outcome = outcome
  }

  public init(_ members: Members) throws(UnexpectedMember) {
    task = try members.text("task")
    saga = try members.text("saga")
    outcome = try members.text("outcome")
  }

  public var json: JSON {
    .members(["task": .string(task), "saga": .string(saga), "outcome": .string(outcome)])
  }
}

/// The answer of `POST /v1/tasks/{id}/heartbeat`.
public struct TaskHeartbeatResponse: WireValue {
  /// Whether the worker should stop, and answer what it has done.
  public let cancelled: Bool
  /// When the task is lost without another heartbeat.
  public let until: Timestamp

  public init(cancelled: Bool, until: Timestamp) {
    self.cancelled = cancelled
    self.until = until
  }

  public init(_ members: Members) throws(UnexpectedMember) {
    cancelled = try members.bool("cancelled")
    until = try members.time("until")
  }

  public var json: JSON { .members(["cancelled": .bool(cancelled), "until": .time(until)]) }
}

/// The answer of `GET /v1/tasks`: the queues, and the tasks that were offered first.
public struct TasksResponse: WireValue {
  public let queues: [Queue]
  public let tasks: [Task]
  /// The number of tasks that the answer has no room for.
  public let more: Int

  public init(queues: [Queue], tasks: [Task], more: Int) {
    self.queues = queues
    self.tasks = tasks
    self.more = more
  }

  public init(_ members: Members) throws(UnexpectedMember) {
    queues = try members.list("queues")
    tasks = try members.list("tasks")
    more = try members.int("more")
  }

  public var json: JSON { .members(["queues": .list(queues), "tasks": .list(tasks), "more": .int(more)]) }

  /// A queue of tasks.
  public struct Queue: WireValue {
    public let queue: String
    /// The number of tasks that wait for a worker.
    public let waiting: Int
    /// The number of tasks that workers have.
    public let taken: Int
    /// The number of workers that wait for a task.
    public let workersWaiting: Int
    /// When a worker last asked; nil when none has asked since the engine started.
    public let lastAskedAt: Timestamp?

    public init(queue: String, waiting: Int, taken: Int, workersWaiting: Int, lastAskedAt: Timestamp? = nil) {
      self.queue = queue
      self.waiting = waiting
      self.taken = taken
      self.workersWaiting = workersWaiting
      self.lastAskedAt = lastAskedAt
    }

    public init(_ members: Members) throws(UnexpectedMember) {
      queue = try members.text("queue")
      waiting = try members.int("waiting")
      taken = try members.int("taken")
      workersWaiting = try members.int("workersWaiting")
      lastAskedAt = try members.timeIfAny("lastAskedAt")
    }

    public var json: JSON {
      .members([
        "queue": .string(queue), "waiting": .int(waiting), "taken": .int(taken),
        "workersWaiting": .int(workersWaiting), "lastAskedAt": .time(lastAskedAt),
      ])
    }
  }

  /// A task that is offered, or that a worker has.
  public struct Task: WireValue {
    public let id: String
    public let queue: String
    public let saga: String
    /// What people see first of the saga; nil when it has no title, or the lists do not have it yet.
    public let title: String?
    /// The idempotency key that has started the saga.
    public let sagaKey: String?
    /// The step, or the item of a step.
    public let step: String
    /// `forward` or `undo`.
    public let phase: String
    public let attempt: Int
    /// `waiting`, `held` while its saga is paused, or `taken`.
    public let status: String
    public let offeredAt: Timestamp
    public let deadline: Timestamp
    public let worker: String?
    public let takenAt: Timestamp?
    public let heartbeatAt: Timestamp?
    public let leaseUntil: Timestamp?
    /// The worker's words about its progress.
    public let progress: String?

    public init(
      id: String, queue: String, saga: String, title: String? = nil, sagaKey: String? = nil, step: String,
      phase: String, attempt: Int, status: String, offeredAt: Timestamp, deadline: Timestamp, worker: String? = nil,
      takenAt: Timestamp? = nil,
      heartbeatAt: Timestamp? = nil, leaseUntil: Timestamp? = nil, progress: String? = nil
    ) {
      self.id = id
      self.queue = queue
      self.saga = saga
      self.title = title
      self.sagaKey = sagaKey
      self.step = step
      self.phase = phase
      self.attempt = attempt
      self.status = status
      self.offeredAt = offeredAt
      self.deadline = deadline
      self.worker = worker
      self.takenAt = takenAt
      self.heartbeatAt = heartbeatAt
      self.leaseUntil = leaseUntil
      self.progress = progress
    }

    public init(_ members: Members) throws(UnexpectedMember) {
      id = try members.text("id")
      queue = try members.text("queue")
      saga = try members.text("saga")
      title = try members.textIfAny("title")
      sagaKey = try members.textIfAny("sagaKey")
      step = try members.text("step")
      phase = try members.text("phase")
      attempt = try members.int("attempt")
      status = try members.text("status")
      offeredAt = try members.time("offeredAt")
      deadline = try members.time("deadline")
      worker = try members.textIfAny("worker")
      takenAt = try members.timeIfAny("takenAt")
      heartbeatAt = try members.timeIfAny("heartbeatAt")
      leaseUntil = try members.timeIfAny("leaseUntil")
      progress = try members.textIfAny("progress")
    }

    public var json: JSON {
      .members([
        "id": .string(id), "queue": .string(queue), "saga": .string(saga), "title": .text(title),
        "sagaKey": .text(sagaKey), "step": .string(step), "phase": .string(phase), "attempt": .int(attempt),
        "status": .string(status), "offeredAt": .time(offeredAt),
        "deadline": .time(deadline), "worker": .text(worker), "takenAt": .time(takenAt),
        "heartbeatAt": .time(heartbeatAt), "leaseUntil": .time(leaseUntil), "progress": .text(progress),
      ])
    }
  }
}
