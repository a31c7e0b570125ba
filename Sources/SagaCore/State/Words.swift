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

/// The status of a step: its `StepStage` without what belongs to it. `docs/state-diagram.md` draws the transitions.
public enum StepStatus: String, Sendable, Hashable, CaseIterable {
  case pending, running, backingOff, waiting
  case succeeded, failed, skipped
  case undoing, undone, undoFailed

  /// The phase that is under way: from the first attempt, or from the start of a wait, until it has settled.
  var phaseUnderWay: StepPhase? {
    switch self {
    case .running, .backingOff, .waiting: .forward
    case .undoing: .undo
    case .pending, .succeeded, .failed, .skipped, .undone, .undoFailed: nil
    }
  }
}

/// Whether an attempt is to do the step or to undo it.
public enum StepPhase: String, Sendable, Hashable, CaseIterable {
  case forward, undo
}

/// What is known of a round's effect on the world. It belongs to the round, not to an attempt: once the outcome of one
/// attempt is unknown, the round stays unknown until an attempt succeeds. A later refusal does not clear it.
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

/// What a step's final failure means for its saga.
public enum FailureConsequence: String, Sendable, Hashable, CaseIterable {
  /// `onFailure: continue`: the saga goes on.
  case goesOn
  /// The saga turns back, as soon as no pivot is undecided.
  case turnsBack
  /// The saga is stuck here until an operator acts.
  case blocks
  /// The saga was turning back already.
  case settles
}
