import JSON
import Runtime
import Values

/// One step of a saga, as its events have made it.
public struct StepState: Sendable, Hashable {
  public let id: String
  public internal(set) var status = StepStatus.pending
  /// A rerun after an undo, or with changed input, is a new round. All attempts of a round share one idempotency key.
  public internal(set) var round = 1
  public internal(set) var outcome = RoundOutcome.none
  /// Attempts to do the step.
  public internal(set) var forward = Attempts()
  /// Attempts to undo it.
  public internal(set) var undo = Attempts()
  /// The moment a wait ends by itself; nil for a signal without a timeout.
  public internal(set) var waitUntil: Timestamp?
  public internal(set) var waitingFor: String?
  /// What the participant last said of the attempt under way, or of the one before, until the next begins.
  public internal(set) var progress: Dated<StepProgress>?
  /// What it answered, for later steps to read; null when its answer can't be read.
  public internal(set) var output: JSON?
  /// Why its answer can't be read; nil when it can, and when there is none.
  public internal(set) var outputProblem: StepFailure?
  /// What an operator gave this step to read instead of the saga's input.
  public internal(set) var input: JSON?
  /// Whether it was an operator who had it skipped, maybe before its turn had come.
  public internal(set) var skippedByOperator = false
  /// The last failure of an attempt to do the step.
  public internal(set) var failure: StepFailure?
  public internal(set) var consequence: FailureConsequence?
  /// The last failure of an attempt to undo it.
  public internal(set) var undoFailure: StepFailure?
  public internal(set) var undoBlocks = false
  public internal(set) var startedAt: Timestamp?
  /// When the step came to an end going forward.
  public internal(set) var endedAt: Timestamp?
  public internal(set) var undoEndedAt: Timestamp?
  public internal(set) var undoHow: String?
  /// Since when the step, or its undo, has been under way: the clock of what is expected of it. A pause moves it, and an
  /// operator who has it tried again begins it anew.
  public internal(set) var underWaySince: Timestamp?
  /// Set while the step, or its undo, takes longer than was expected.
  public internal(set) var overdue: StepOverdue?

  /// The attempt under way: doing the step, or undoing it.
  public var inFlight: (phase: StepPhase, attempt: Attempts.InFlight)? {
    if let attempt = forward.inFlight { return (.forward, attempt) }
    if let attempt = undo.inFlight { return (.undo, attempt) }
    return nil
  }

  /// Whether the saga can't go on past this step without an operator.
  public var isBlocked: Bool {
    switch status {
    case .failed: consequence == .blocks
    case .undoFailed: undoBlocks
    case .pending, .running, .backingOff, .waiting, .succeeded, .skipped, .undoing, .undone: false
    }
  }

  /// Whether what depends on this step may start.
  public var isPassed: Bool {
    switch status {
    case .succeeded, .skipped: true
    case .failed: consequence == .goesOn
    case .pending, .running, .backingOff, .waiting, .undoing, .undone, .undoFailed: false
    }
  }
}

/// The attempts of one step in one phase.
public struct Attempts: Sendable, Hashable {
  public struct InFlight: Sendable, Hashable {
    public let number: Int
    public let startedAt: Timestamp
    public let deadline: Timestamp
  }
  /// Attempts begun in this round.
  public internal(set) var count = 0
  /// Attempts made before an operator asked for more: the retry policy counts from here.
  public internal(set) var budgetStart = 0
  public internal(set) var inFlight: InFlight?
  /// When the next attempt is due.
  public internal(set) var retryAt: Timestamp?
  public internal(set) var startedAt: Timestamp?

  /// Attempts that count against the retry policy.
  public var spent: Int { count - budgetStart }
}

/// A step that waits for an operator. `Verbs` says what the operator can do.
public struct Blocker: Sendable, Hashable {
  public let step: String
  public let phase: StepPhase
  public let since: Timestamp
  public let failure: StepFailure

  init?(_ step: StepState) {
    guard step.isBlocked else { return nil }
    self.step = step.id
    let isUndo = step.status == .undoFailed
    phase = isUndo ? .undo : .forward
    guard let since = isUndo ? step.undoEndedAt : step.endedAt,
      let failure = isUndo ? step.undoFailure : step.failure
    else { return nil }
    self.since = since
    self.failure = failure
  }
}
