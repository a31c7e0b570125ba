/// The status of a saga. The last three are ends.
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

/// The status of a step: its `StepStage` without the stage's data. `docs/state-diagram.md` draws the transitions.
public enum StepStatus: String, Sendable, Hashable, CaseIterable {
  case pending, running, backingOff, waiting
  case succeeded, failed, skipped
  case undoing, undone, undoFailed

  /// The phase that is under way. It lasts from the first attempt, or from the start of a wait, until it has settled.
  var phaseUnderWay: StepPhase? {
    switch self {
    case .running, .backingOff, .waiting: .forward
    case .undoing: .undo
    case .pending, .succeeded, .failed, .skipped, .undone, .undoFailed: nil
    }
  }
}

/// Whether an attempt does the step or undoes it.
public enum StepPhase: String, Sendable, Hashable, CaseIterable {
  case forward, undo
}

/// The known effect of a round. It belongs to the round, not to an attempt: once the outcome of one attempt is unknown,
/// the round stays unknown until an attempt succeeds. A later refusal does not clear it.
public enum RoundOutcome: String, Sendable, Hashable, CaseIterable {
  /// No attempt has settled.
  case none
  case succeeded
  /// The participant cleanly refused every attempt: it has not happened.
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

/// The consequence of a step's final failure for its saga.
public enum FailureConsequence: String, Sendable, Hashable, CaseIterable {
  /// `onFailure: continue`: the saga goes on.
  case goesOn
  /// The saga starts compensation as soon as no pivot is undecided.
  case turnsBack
  /// The saga is stuck here until an operator acts.
  case blocks
  /// The saga was compensating already.
  case settles
}
