import JSON
import Values

// The transitions of a step. `docs/state-diagram.md` draws them; a test walks every state × event.
//
//   pending     → skipped · queued · waiting · polling · open · running · failed
//   queued      → waiting · polling · open · running · failed · skipped (operator)
//   backingOff, waiting, polling, failed (blocking) → skipped (operator)
//   running     → running (progress, a worker takes the task) · succeeded · backingOff · polling · waiting (for a child) · failed
//   backingOff  → running · queued · waiting · polling · open · failed
//   waiting     → succeeded · failed
//   polling     → polling (an answer, a failed look) · running (a look that may change something) · succeeded · failed
//   open        → succeeded · failed
//   failed      → backingOff (retry) · succeeded, failed (resolve) · undoing · undoFailed
//   succeeded   → undoing · undoFailed
//   undoing     → undoing (attempt, progress, a worker takes the task, a wait for a signal or a child) · undone · undoFailed
//   undoFailed  → undoing (retry) · undone (resolve)
//   skipped, undone stay, unless a rewind finishes: it makes every settled step of the rewind pending again
// A stage does not change when an answer is ignored or a step becomes overdue.

/// The stage that a step has reached, with what belongs to that stage and to no other.
public enum StepStage: Sendable, Hashable {
  case pending
  /// The step waits for its turn. `until`: the end of the wait by the step's own timeout. It holds the turn already when it
  /// can't begin yet, as while the saga is paused.
  case queued(until: Timestamp?)
  /// An attempt to do the step is under way.
  case running(Attempt)
  case backingOff(until: Timestamp)
  /// A signal step or a delay step waits, or a step waits for its child.
  case waiting(Wait)
  /// The members of a group, or the items of a step with `forEach`, may start. `until`: the time by which the members of
  /// a group should be done.
  case open(until: Timestamp?)
  /// A step with a `poll` waits for its next look, or for the answer to one.
  case polling(Polling)
  case succeeded
  case failed(FailureConsequence)
  /// `byOperator`: an operator may skip a step before its turn.
  case skipped(byOperator: Bool)
  /// An attempt to undo the step is under way.
  case undoing(Attempt)
  case undoBackingOff(until: Timestamp)
  /// The undo waits for the signal that confirms it, or for the child that it has started.
  case undoWaiting(Wait)
  /// `how`: an `UndoSuccess`, or `resolved` by an operator.
  case undone(how: String)
  /// `blocks`: false if the compensation is optional (`onFailure: continue`).
  case undoFailed(blocks: Bool)

  /// An attempt under way.
  public struct Attempt: Sendable, Hashable {
    public let number: Int
    public let startedAt: Timestamp
    public internal(set) var deadline: Timestamp
    /// The poll of which the attempt is a look; nil for other attempts.
    public internal(set) var polling: Polling?
    /// The offer to workers, for a task; nil for a call.
    public internal(set) var offer: Offer?
  }

  public struct Wait: Sendable, Hashable {
    /// Nil for a delay, and for a wait for a child.
    public let signal: String?
    /// Nil for a signal without a timeout, and for a child without one.
    public internal(set) var until: Timestamp?
    /// The time of the next reminder; nil when none follows.
    public internal(set) var remindAt: Timestamp?
    /// The number of reminders so far.
    public internal(set) var reminders = 0
  }

  public var status: StepStatus {
    switch self {
    case .pending: .pending
    case .running, .open: .running
    case .backingOff: .backingOff
    case .queued, .waiting, .polling: .waiting
    case .succeeded: .succeeded
    case .failed: .failed
    case .skipped: .skipped
    case .undoing, .undoBackingOff, .undoWaiting: .undoing
    case .undone: .undone
    case .undoFailed: .undoFailed
    }
  }

  /// The time at which the stage ends by itself: the next attempt, or the end of a wait. Nil when only an answer, a
  /// signal or an operator ends it, and for a poll, which has times of its own.
  var due: Timestamp? {
    get {
      switch self {
      case .backingOff(let until), .undoBackingOff(let until): until
      case .waiting(let wait), .undoWaiting(let wait): wait.until
      case .open(let until), .queued(let until): until
      case .pending, .running, .polling, .succeeded, .failed, .skipped, .undoing, .undone, .undoFailed: nil
      }
    }
    set {
      guard let newValue else { return }
      switch self {
      case .backingOff: self = .backingOff(until: newValue)
      case .undoBackingOff: self = .undoBackingOff(until: newValue)
      case .waiting(var wait):
        wait.until = newValue
        self = .waiting(wait)
      case .undoWaiting(var wait):
        wait.until = newValue
        self = .undoWaiting(wait)
      case .open: self = .open(until: newValue)
      case .queued: self = .queued(until: newValue)
      case .pending, .running, .polling, .succeeded, .failed, .skipped, .undoing, .undone, .undoFailed: break
      }
    }
  }

  /// Whether an attempt to do the step is under way, or the step polls.
  var isAsking: Bool {
    switch self {
    case .running, .polling: true
    case .pending, .queued, .backingOff, .waiting, .open, .succeeded, .failed, .skipped, .undoing, .undoBackingOff,
      .undoWaiting, .undone, .undoFailed:
      false
    }
  }

  /// The wait for a signal, a time or a child, of the step or of its undo; nil for every other stage.
  var wait: Wait? {
    get {
      switch self {
      case .waiting(let wait), .undoWaiting(let wait): wait
      case .pending, .queued, .running, .backingOff, .polling, .open, .succeeded, .failed, .skipped, .undoing,
        .undoBackingOff, .undone, .undoFailed:
        nil
      }
    }
    set {
      guard let newValue else { return }
      switch self {
      case .waiting: self = .waiting(newValue)
      case .undoWaiting: self = .undoWaiting(newValue)
      case .pending, .queued, .running, .backingOff, .polling, .open, .succeeded, .failed, .skipped, .undoing,
        .undoBackingOff, .undone, .undoFailed:
        break
      }
    }
  }

  /// The phase that is under way. A wait for a turn is not a part of it: that time is not the step's own.
  var phaseUnderWay: StepPhase? { if case .queued = self { nil } else { status.phaseUnderWay } }

  /// Moves every time that is still to come by the length of a pause.
  mutating func shift(by length: Duration) {
    if let due { self.due = due + length }
    if let remindAt = wait?.remindAt { wait?.remindAt = remindAt + length }
    polling?.shift(by: length)
    if let offeredUntil { self.offeredUntil = offeredUntil + length }
  }
}

/// One step of a saga, as its events have made it.
public struct StepState: Sendable, Hashable {
  public let id: String
  /// Which item it is; nil for a step of the definition.
  public internal(set) var item: Item?
  public internal(set) var stage = StepStage.pending
  /// A rerun after an undo, or with changed input, is a new round. All attempts of a round share one idempotency key.
  public internal(set) var round = 1
  public internal(set) var outcome = RoundOutcome.none
  /// The child that the round has started; nil for a step that starts none.
  public internal(set) var child: ChildLink?
  /// The last child that the undo of the round has started. It stays after the child has ended.
  public internal(set) var undoChild: ChildLink?
  /// The number of children of the undo that were compensated. The next attempt starts another one.
  var undoChildrenEnded = 0
  /// Attempts to do the step.
  public internal(set) var forward = Attempts()
  /// Attempts to undo it.
  public internal(set) var undo = Attempts()
  /// The key of the last turn that the step took; nil when it took none in this round.
  var turnKey: String?
  /// The signal that the step waits for, or waited for in this round. A rewind clears it.
  var awaitedSignal: String?
  /// The participant's last progress on the current attempt, or on the one before until the next begins.
  public internal(set) var progress: Dated<StepProgress>?
  /// The step's answer, for later steps to read; null when the answer can't be read.
  public internal(set) var output: JSON?
  /// Why the answer can't be read. Nil when it can be read, and when there is no answer.
  public internal(set) var outputProblem: StepFailure?
  /// The status and the headers of the last answer over HTTP to an attempt to do the step. Nil when the last attempt got
  /// no answer.
  public internal(set) var answer: CallAnswer?
  /// The input that an operator gave this step. The step reads it instead of the saga's input.
  public internal(set) var input: JSON?
  /// The last failure of an attempt to do the step.
  public internal(set) var failure: StepFailure?
  /// The last failure of an attempt to undo it.
  public internal(set) var undoFailure: StepFailure?
  /// Whether the undo has failed and what it did may remain: its child was abandoned, or has not ended in time.
  public internal(set) var undoUnknown = false
  public internal(set) var startedAt: Timestamp?
  /// When the step came to an end going forward.
  public internal(set) var endedAt: Timestamp?
  public internal(set) var undoEndedAt: Timestamp?
  /// The end of the wait for workers, over all attempts. It stays between two attempts.
  var taskWait: TaskWait?
  /// The last attempt to do the step that ended while a worker had it. The same answer again is a repeat.
  var answeredTask: AnsweredTask?
  /// The same of the attempts to undo it.
  var answeredUndo: AnsweredTask?
  /// Set while the step, or its undo, is under way.
  var clock: Clock?

  init(id: String) { self.id = id }

  /// One item of a step with `forEach`.
  public struct Item: Sendable, Hashable {
    /// The id of the step.
    public let step: String
    public let key: String
    /// The number of the item among those of the step, from 0.
    public let number: Int
  }

  /// The clock of a step's expected time. A pause shifts it, and an operator's retry starts a new one.
  struct Clock: Sendable, Hashable {
    var since: Timestamp
    /// Set when the step, or its undo, takes longer than was expected.
    var overdue: StepLateness?
  }

  public var status: StepStatus { stage.status }

  /// Whether the step was ever more than pending, in any round.
  public var hasBegun: Bool { stage != .pending || round > 1 }

  /// The attempt under way: doing the step, or undoing it.
  public var inFlight: (phase: StepPhase, attempt: StepStage.Attempt)? {
    switch stage {
    case .running(let attempt): (.forward, attempt)
    case .undoing(let attempt): (.undo, attempt)
    case .pending, .queued, .backingOff, .waiting, .polling, .open, .succeeded, .failed, .skipped, .undoBackingOff,
      .undoWaiting, .undone, .undoFailed:
      nil
    }
  }

  /// When the next attempt to do the step, or to undo it, is due.
  public var retryAt: Timestamp? {
    switch stage {
    case .backingOff(let until), .undoBackingOff(let until): until
    case .pending, .queued, .running, .waiting, .polling, .open, .succeeded, .failed, .skipped, .undoing,
      .undoWaiting, .undone, .undoFailed:
      nil
    }
  }

  /// Whether the step is a group whose members may start.
  public var isOpenGroup: Bool { if case .open = stage { true } else { false } }

  /// The time by which the members of an open group should be done; nil for every other step, and without a timeout.
  public var groupDeadline: Timestamp? { if case .open(let until) = stage { until } else { nil } }

  /// Whether the step waits for its turn, or holds it and can't begin yet.
  public var isQueued: Bool { if case .queued = stage { true } else { false } }

  /// Whether the step has begun its own wait: for a signal, a time or the next look.
  var isWaitingItself: Bool { status == .waiting && !isQueued }

  /// What the step waits for now: a signal, the end of a delay, or the end of its child.
  public var wait: StepStage.Wait? { if case .waiting(let wait) = stage { wait } else { nil } }

  /// What the undo of the step waits for now: a signal, or the end of its child.
  public var undoWait: StepStage.Wait? { if case .undoWaiting(let wait) = stage { wait } else { nil } }

  /// How the undo came to its end, for a step that is undone.
  public var undoHow: String? { if case .undone(let how) = stage { how } else { nil } }

  public var consequence: FailureConsequence? { if case .failed(let consequence) = stage { consequence } else { nil } }

  public var isSkippedByOperator: Bool { stage == .skipped(byOperator: true) }

  /// The time since which the step, or its undo, has been under way, without the time of pauses.
  public var underWaySince: Timestamp? { clock?.since }

  /// Set while the step, or its undo, takes longer than was expected.
  public var overdue: StepLateness? { clock?.overdue }

  /// Whether the saga can't go on past this step without an operator.
  public var isBlocked: Bool { stage == .failed(.blocks) || stage == .undoFailed(blocks: true) }

  /// Whether the steps that depend on this step may start.
  public var isPassed: Bool {
    switch stage {
    case .succeeded, .skipped, .failed(.goesOn): true
    case .pending, .queued, .running, .backingOff, .waiting, .polling, .open, .failed, .undoing, .undoBackingOff,
      .undoWaiting, .undone, .undoFailed:
      false
    }
  }

  func attempts(_ phase: StepPhase) -> Attempts {
    switch phase {
    case .forward: forward
    case .undo: undo
    }
  }
}

/// The number of attempts that a step has made in one phase of a round.
public struct Attempts: Sendable, Hashable {
  public internal(set) var count = 0
  /// Attempts that the retry policy doesn't count: made before an operator asked for more, or never sent.
  public internal(set) var budgetStart = 0
  public internal(set) var startedAt: Timestamp?

  /// Attempts that count against the retry policy.
  public var spent: Int { count - budgetStart }

  mutating func begin(_ number: Int, at time: Timestamp) {
    count = number
    startedAt = startedAt ?? time
  }
}

/// A value and its time.
public struct Dated<Value: Sendable & Hashable>: Sendable, Hashable {
  public let at: Timestamp
  public let value: Value
}

/// A step that waits for an operator. `Verbs` says what the operator can do.
public struct Blocker: Sendable, Hashable {
  public let step: String
  public let phase: StepPhase
  public let since: Timestamp
  public let failure: StepFailure
  /// Whether the step may have happened although it failed. False for an undo.
  public let outcomeIsUnknown: Bool

  init?(_ step: StepState) {
    let isUndo = step.status == .undoFailed
    guard step.isBlocked, let since = isUndo ? step.undoEndedAt : step.endedAt,
      let failure = isUndo ? step.undoFailure : step.failure
    else { return nil }
    self.step = step.id
    phase = isUndo ? .undo : .forward
    self.since = since
    self.failure = failure
    outcomeIsUnknown = !isUndo && step.outcome == .unknown
  }
}
