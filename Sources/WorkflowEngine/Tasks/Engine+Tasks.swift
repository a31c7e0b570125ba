import JSON
import Runtime
import SagaCore
import Values

// What workers ask of the engine. A worker polls a queue, takes tasks, sends heartbeats, and answers each task once.

/// A worker asks a queue for tasks.
public struct TaskPoll: Sendable {
  /// The most tasks that one poll gets.
  public static let most = 100
  /// The longest wait for a task.
  public static let longestWait = Duration.seconds(60)

  public let queue: String
  /// The worker's name, for people to see.
  public let worker: String
  /// The most tasks that the worker takes.
  public let max: Int
  /// How long the worker waits when there is no task.
  public let wait: Duration

  public init(queue: String, worker: String, max: Int = 1, wait: Duration = .zero) {
    self.queue = queue
    self.worker = worker
    self.max = Swift.max(1, Swift.min(max, Self.most))
    self.wait = Swift.min(wait, Self.longestWait)
  }
}

/// A task that a worker has taken, with everything that it needs.
public struct GivenTask: Sendable, Hashable {
  public let id: TaskID
  /// The worker's right to answer. It has 192 random bits, so it can't be guessed.
  public let lease: String
  public let task: RenderedTask
  /// Shared by all attempts of the work.
  public let idempotencyKey: String
  /// The forward key that an undo undoes.
  public let compensates: String?
  public let traceparent: String
  /// The end of the whole wait. An answer after it is refused.
  public let deadline: Timestamp
  /// When the lease ends without a heartbeat.
  public let leaseUntil: Timestamp

  public init(
    id: TaskID, lease: String, task: RenderedTask, idempotencyKey: String, compensates: String?, traceparent: String,
    deadline: Timestamp, leaseUntil: Timestamp
  ) {
    self.id = id
    self.lease = lease
    self.task = task
    self.idempotencyKey = idempotencyKey
    self.compensates = compensates
    self.traceparent = traceparent
    self.deadline = deadline
    self.leaseUntil = leaseUntil
  }
}

/// The answer to a heartbeat.
public struct TaskHeartbeat: Sendable, Hashable {
  /// Whether the worker should stop: the saga compensates, or is being rewound.
  public let isCancelled: Bool
  /// When the lease ends without another heartbeat.
  public let until: Timestamp

  public init(isCancelled: Bool, until: Timestamp) {
    self.isCancelled = isCancelled
    self.until = until
  }
}

extension Engine {
  /// Takes tasks from a queue for a worker, the longest waiting first. If there is none, waits for one.
  /// - Returns: the tasks. Their takes are stored. None when the time is over.
  /// - Throws: `EngineError` `task.tooManyPolls` when too many workers wait, `engine.notReady`; the store's error when no
  ///   take could be stored.
  public func poll(_ poll: TaskPoll) async throws -> [GivenTask] {
    let deadline = host.environment.now() + poll.wait
    let ticket = host.tasks.ticket()
    while true {
      try requireReady()
      let claims = try await host.tasks.claims(poll.queue, max: poll.max, ticket: ticket, until: deadline)
      if claims.isEmpty {
        try requireReady()
        return []
      }
      let given = try await take(claims, by: poll.worker)
      if !given.isEmpty || host.environment.now() >= deadline { return given }
    }
  }

  /// Records that a worker has the tasks.
  /// - Throws: the store's error when no take could be stored.
  private func take(_ claims: [TaskID], by worker: String) async throws -> [GivenTask] {
    var given: [TaskID: GivenTask] = [:]
    var failure: (any Error)?
    await withTaskGroup(of: Result<GivenTask?, any Error>.self) { group in
      for claim in claims { group.addTask { await self.take(claim, by: worker) } }
      for await result in group {
        switch result {
        case .success(let task): if let task { given[task.id] = task }
        case .failure(let error): failure = error
        }
      }
    }
    if given.isEmpty, let failure { throw failure }
    return claims.compactMap { given[$0] }
  }

  /// Records that a worker has a task.
  /// - Returns: nil when the saga does not offer it any more.
  private func take(_ id: TaskID, by worker: String) async -> Result<GivenTask?, any Error> {
    let lease = newLease()
    do {
      let state = try await host.ask(
        id.saga, .taken(TaskClaim(task: id, worker: worker, lease: Self.digest(of: lease))))
      let definition = try await host.definitions.definition(of: state.definition)
      let effects = await computed {
        Decider.effects(of: state, definition: definition) { step in
          step.id == id.step && step.offer?.taken?.lease == Self.digest(of: lease)
        }
      }
      guard let effect = effects.first, let offered = host.tasks.task(id), let until = offered.leaseUntil else {
        return .success(nil)
      }
      switch effect {
      case .call(let call):
        guard case .task(let task) = call.action else { return .success(nil) }
        return .success(
          GivenTask(
            id: id, lease: lease, task: task, idempotencyKey: call.idempotencyKey, compensates: call.compensates,
            traceparent: call.traceparent, deadline: offered.deadline, leaseUntil: until))
      case .unrenderable(_, _, _, let failure):
        // The task could be rendered when it was offered. Another event has removed a value since.
        _ = try await host.ask(
          id.saga,
          .task(TaskAnswer(task: id, lease: Self.digest(of: lease), content: .settled(.failed(failure)))))
        return .success(nil)
      case .wake: return .success(nil)
      }
    } catch let refusal as Refusal {
      host.tasks.hold(id)
      return refusal.code == EngineErrorCode.taskNotOffered ? .success(nil) : .failure(refusal)
    } catch {
      // Whether the take was stored is not known. If it was, the saga says so, and the lease ends.
      host.tasks.release(id)
      return .failure(error)
    }
  }

  /// Returns 192 random bits as hexadecimal digits.
  private func newLease() -> String {
    var bytes: [UInt8] = []
    for _ in 0..<3 {
      let word = host.environment.random()
      for place in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: word >> (UInt64(place) * 8))) }
    }
    return Digest.hexadecimal(bytes)
  }

  private static func digest(of lease: String) -> String { Digest.hex(Array(lease.utf8)) }

  /// Records a worker's answer to a task. The same answer again changes nothing.
  /// - Throws: `Refusal` `task.leaseLost` when the task is not under this lease; `saga.notFound`.
  public func answer(_ id: TaskID, lease: String, _ outcome: StepOutcome) async throws {
    _ = try await host.ask(
      id.saga, .task(TaskAnswer(task: id, lease: Self.digest(of: lease), content: .settled(outcome))))
  }

  /// Keeps a lease for another heartbeat timeout. The history gets the progress once a minute at most.
  /// - Throws: `Refusal` `task.leaseLost` when the task is not under this lease; `EngineError` `engine.notReady`.
  public func heartbeat(_ id: TaskID, lease: String, progress: StepProgress?) async throws -> TaskHeartbeat {
    try requireReady()
    let digest = Self.digest(of: lease)
    guard let heartbeat = host.tasks.heartbeat(id, lease: digest, progress: progress) else {
      throw Refusal(
        EngineErrorCode.taskLeaseLost,
        "The task is not leased to this worker any more: the lease has ended, or the task was answered. Stop the work.")
    }
    if heartbeat.recordsProgress, let progress {
      _ = try await host.ask(id.saga, .task(TaskAnswer(task: id, lease: digest, content: .progress(progress))))
    }
    return TaskHeartbeat(isCancelled: heartbeat.isCancelled, until: heartbeat.until)
  }

  /// Returns the queues of tasks, by name.
  public var taskQueues: [TaskQueueNow] { host.tasks.queues }

  /// Returns tasks, the first offered first, and the number of the others.
  /// - Parameter queue: nil for the tasks of all queues.
  public func tasks(of queue: String?, limit: Int) -> (tasks: [OfferedTask], more: Int) {
    host.tasks.tasks(of: queue, limit: limit)
  }
}
