import JSON
import Values
import Workflows

// A task is an attempt that the engine does not send. It offers the attempt in a queue; a worker asks for it, takes it,
// works, and answers. The step's timeout limits the whole wait, over all attempts.
//
// The history has the offer (`AttemptStarted` with a queue), the take (`TaskTaken`) and the end. It does not have the
// heartbeats. The engine keeps the clock of a lease in memory and reports its end (`TaskAnswer.Content.lost`).

extension StepStage {
  /// The offer of an attempt to the workers of a queue.
  public struct Offer: Sendable, Hashable {
    public let queue: String
    /// Nil while the task waits for a worker.
    public internal(set) var taken: Taken?

    /// A worker has the task.
    public struct Taken: Sendable, Hashable {
      /// The worker's name, as it gave it.
      public let worker: String
      /// The SHA-256 of the lease in hexadecimal digits. Only the worker has the lease itself.
      public let lease: String
      public let at: Timestamp
    }
  }
}

extension StepStage {
  /// The end of the wait of an attempt that is a task; nil for every other stage.
  var offeredUntil: Timestamp? {
    get {
      switch self {
      case .running(let attempt), .undoing(let attempt): attempt.offer == nil ? nil : attempt.deadline
      case .pending, .queued, .backingOff, .waiting, .polling, .open, .succeeded, .failed, .skipped, .undoBackingOff,
        .undoWaiting, .undone, .undoFailed:
        nil
      }
    }
    set {
      guard let newValue else { return }
      switch self {
      case .running(var attempt):
        attempt.deadline = newValue
        self = .running(attempt)
      case .undoing(var attempt):
        attempt.deadline = newValue
        self = .undoing(attempt)
      case .pending, .queued, .backingOff, .waiting, .polling, .open, .succeeded, .failed, .skipped, .undoBackingOff,
        .undoWaiting, .undone, .undoFailed:
        break
      }
    }
  }

  /// Whether the attempt under way is a task that no worker has taken.
  var isOnlyOffered: Bool {
    switch self {
    case .running(let attempt), .undoing(let attempt): attempt.offer.map { $0.taken == nil } ?? false
    case .pending, .queued, .backingOff, .waiting, .polling, .open, .succeeded, .failed, .skipped, .undoBackingOff,
      .undoWaiting, .undone, .undoFailed:
      false
    }
  }
}

extension StepState {
  /// The wait of one phase for workers, over all its attempts.
  struct TaskWait: Sendable, Hashable {
    let phase: StepPhase
    var until: Timestamp
  }

  /// An attempt that ended while a worker had it.
  struct AnsweredTask: Sendable, Hashable {
    let round: Int
    let attempt: Int
    let lease: String
    /// The code of the failure that ended it; nil when it succeeded.
    let code: String?
  }

  /// The task that is offered, or that a worker has.
  public var offer: StepStage.Offer? { inFlight?.attempt.offer }

  /// Returns the name of the task under way; nil when the attempt under way is a call.
  package func task(of saga: UniqueID) -> TaskID? {
    guard let (phase, attempt) = inFlight, attempt.offer != nil else { return nil }
    return TaskID(saga: saga, step: id, phase: phase, round: round, attempt: attempt.number)
  }

  /// Whether the step, or its undo, waits for a worker that takes its task.
  public var isOnlyOffered: Bool { stage.isOnlyOffered }

  /// Remembers the end of an attempt that a worker has. An event that ends the attempt calls it first.
  mutating func noteAnsweredTask(code: String?) {
    guard let (phase, attempt) = inFlight, let taken = attempt.offer?.taken else { return }
    let answered = AnsweredTask(round: round, attempt: attempt.number, lease: taken.lease, code: code)
    switch phase {
    case .forward: answeredTask = answered
    case .undo: answeredUndo = answered
    }
  }

  mutating func extendTask(until time: Timestamp) {
    stage.offeredUntil = time
    taskWait?.until = time
  }
}

extension SagaState {
  /// The tasks that are offered, or that workers have, in file order and then items.
  package func tasks(by definition: WorkflowDefinition) -> [TaskNow] {
    guard end == nil, steps.count == definition.steps.count else { return [] }
    return sets.inFlight.compactMap { index in
      let step = steps[index]
      guard let (phase, attempt) = step.inFlight, let offer = attempt.offer, let task = step.task(of: id) else {
        return nil
      }
      return TaskNow(
        id: task, offer: offer,
        offeredAt: attempt.startedAt, deadline: attempt.deadline, progress: step.progress,
        heartbeatTimeout: definition.steps[ItemPlace.step(of: index)].heartbeatTimeout(phase))
    }
  }

  /// Returns whether the worker of a task should stop: the saga compensates or is being rewound, and the task goes
  /// forward.
  package func isCancelled(_ task: TaskID) -> Bool {
    task.phase == .forward && (turnBack != nil || isRewinding(task.step))
  }
}

/// A task of a saga in its state.
package struct TaskNow: Sendable, Hashable {
  package let id: TaskID
  package let offer: StepStage.Offer
  package let offeredAt: Timestamp
  /// The end of the whole wait.
  package let deadline: Timestamp
  package let progress: Dated<StepProgress>?
  package let heartbeatTimeout: Duration
}

extension Step {
  /// The heartbeat timeout of the step's task, or of its undo's.
  fileprivate func heartbeatTimeout(_ phase: StepPhase) -> Duration {
    var action: Action? = action
    if phase == .undo { action = undo?.action }
    guard case .task(let task)? = action else { return TaskAction.defaultHeartbeatTimeout }
    return task.heartbeatTimeout
  }
}

/// Names one attempt that is a task. Its text is safe in a path.
public struct TaskID: Sendable, Hashable, CustomStringConvertible {
  public let saga: UniqueID
  /// The id of a step or of an item.
  public let step: String
  public let phase: StepPhase
  public let round: Int
  public let attempt: Int

  public init(saga: UniqueID, step: String, phase: StepPhase, round: Int, attempt: Int) {
    self.saga = saga
    self.step = step
    self.phase = phase
    self.round = round
    self.attempt = attempt
  }

  /// `<saga>.<step>.<round>.<attempt>`, with `.undo` behind it for an undo. An item's key follows its step as `-` and
  /// hexadecimal digits.
  public var description: String {
    var name = step
    if let item = ItemID(step) { name = "\(item.step)-\(Digest.hexadecimal(Array(item.key.utf8)))" }
    return "\(saga).\(name).\(round).\(attempt)" + (phase == .undo ? ".undo" : "")
  }

  /// Nil for a text of another form.
  public init?(_ text: String) {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 4 || parts.count == 5 && parts[4] == "undo", let saga = UniqueID(String(parts[0])),
      let round = Int(parts[2]), round >= 1, let attempt = Int(parts[3]), attempt >= 1
    else { return nil }
    let name = parts[1].split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
    var step = String(name[0])
    if name.count == 2 {
      guard let bytes = Digest.bytes(hexadecimal: String(name[1])), let key = String(validating: bytes, as: UTF8.self)
      else { return nil }
      step = ItemID(step: step, key: key).text
    }
    self.init(
      saga: saga, step: step, phase: parts.count == 5 ? .undo : .forward, round: round, attempt: attempt)
    // One task has one text.
    guard description == text else { return nil }
  }

  /// The key by which participants recognise repeats. All attempts of a round share it.
  public var idempotencyKey: String {
    switch phase {
    case .forward: IdempotencyKey.forward(saga: saga, step: step, round: round)
    case .undo: IdempotencyKey.undo(saga: saga, step: step, round: round)
    }
  }
}

extension StepCall {
  /// The name of the attempt, when it is a task.
  package var task: TaskID { TaskID(saga: saga, step: step, phase: phase, round: round, attempt: attempt) }
}

/// A worker takes a task.
public struct TaskClaim: Sendable, Hashable {
  public let task: TaskID
  public let worker: String
  /// The SHA-256 of the lease in hexadecimal digits.
  public let lease: String

  public init(task: TaskID, worker: String, lease: String) {
    self.task = task
    self.worker = worker
    self.lease = lease
  }
}

/// News of a task that a worker has.
public struct TaskAnswer: Sendable, Hashable {
  public enum Content: Sendable, Hashable {
    /// The worker ends the attempt.
    case settled(StepOutcome)
    case progress(StepProgress)
    /// The lease has ended without a heartbeat. The engine reports it.
    case lost
  }

  /// The class of the failures that workers answer. A retry policy can name it.
  public static let failureClass = "task.failed"

  public let task: TaskID
  /// The SHA-256 of the lease in hexadecimal digits.
  public let lease: String
  public let content: Content

  public init(task: TaskID, lease: String, content: Content) {
    self.task = task
    self.lease = lease
    self.content = content
  }
}

// MARK: Snapshots

extension StepStage.Offer {
  var json: JSON {
    var members: JSONObject = ["queue": .string(queue)]
    if let taken {
      members["taken"] = [
        "worker": .string(taken.worker), "lease": .string(taken.lease), "at": .timestamp(taken.at),
      ]
    }
    return .object(members)
  }

  static func read(_ data: EventReader) throws(UnreadableEvent) -> Self {
    var offer = Self(queue: try data.string("queue"))
    if let taken = try data.optional("taken") {
      offer.taken = Taken(
        worker: try taken.string("worker"), lease: try taken.string("lease"), at: try taken.timestamp("at"))
    }
    return offer
  }
}

extension StepState.TaskWait {
  var json: JSON { ["phase": .word(phase), "until": .timestamp(until)] }

  static func read(_ data: EventReader) throws(UnreadableEvent) -> Self {
    Self(phase: try data.word("phase"), until: try data.timestamp("until"))
  }
}

extension StepState.AnsweredTask {
  var json: JSON {
    var members: JSONObject = [
      "round": .int(round), "attempt": .int(attempt), "lease": .string(lease),
    ]
    members["code"] = code.map(JSON.string)
    return .object(members)
  }

  static func read(_ data: EventReader) throws(UnreadableEvent) -> Self {
    Self(
      round: try data.int("round"), attempt: try data.int("attempt"), lease: try data.string("lease"),
      code: data.optionalString("code"))
  }
}
