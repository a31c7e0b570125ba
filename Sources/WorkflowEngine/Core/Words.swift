/// Where a saga stands. The last three are its ends.
public enum SagaStatus: String, Sendable, Hashable, CaseIterable {
  case running, compensating, stuck
  case completed, compensated, abandoned

  public var isEnd: Bool {
    switch self {
    case .completed, .compensated, .abandoned: true
    case .running, .compensating, .stuck: false
    }
  }
}

/// Where a step stands. `SagaState+Apply.swift` holds the transitions, `docs/state-diagram.md` draws them.
public enum StepStatus: String, Sendable, Hashable, CaseIterable {
  case pending, running, backingOff, waiting
  case succeeded, failed, skipped
  case undoing, undone, undoFailed
}

/// Whether an attempt is to do the step or to undo it.
public enum StepPhase: String, Sendable, Hashable, CaseIterable {
  case forward, undo
}

/// What is known of a round's effect on the world. It belongs to the round, not to an attempt: once an attempt's outcome
/// is unknown the round stays unknown until one succeeds; a later refusal doesn't clear it.
public enum RoundOutcome: String, Sendable, Hashable, CaseIterable {
  /// No attempt has settled.
  case none
  case succeeded
  /// Every attempt was cleanly refused: it has not happened.
  case failed
  /// It may have happened.
  case unknown

  func after(attemptUnknown: Bool) -> RoundOutcome {
    switch self {
    case .unknown: .unknown
    case .none, .failed: attemptUnknown ? .unknown : .failed
    case .succeeded: .succeeded
    }
  }
}

/// What a step's final failure means for its saga.
public enum FailureConsequence: String, Sendable, Hashable, CaseIterable {
  /// `onFailure: continue`: the saga goes on.
  case goesOn
  /// The saga turns back, or wants to as soon as a pivot in flight has settled.
  case turnsBack
  /// The saga is stuck here until an operator acts.
  case blocks
  /// The saga was turning back already.
  case settles
}
