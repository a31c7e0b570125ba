import JSON
import Values
import Workflows

// What an attempt's outcome leads to.
extension Decider {
  /// Long enough that an engine which can't send doesn't spin.
  private static let pauseAfterNotMade = Duration.seconds(1)

  /// News of an attempt that has been settled already changes nothing.
  mutating func settle(_ id: String, phase: StepPhase, attempt: Int, outcome: StepOutcome) {
    guard let step = state.step(id) else { return }
    switch phase {
    case .forward:
      guard step.forward.inFlight?.number == attempt else { return }
      settleForward(step, attempt: attempt, outcome: outcome)
    case .undo:
      guard step.undo.inFlight?.number == attempt else { return }
      settleUndo(step, attempt: attempt, outcome: outcome)
    }
  }

  /// After a restart nobody will report what was in flight: it may have happened.
  mutating func interruptAttempts() {
    for step in state.steps {
      guard let (phase, attempt) = step.inFlight else { continue }
      let failure = StepFailure(
        code: EngineErrorCode.attemptInterrupted,
        message: "The engine stopped while this attempt was under way; whether it happened is not known.",
        isRetryable: true)
      settle(step.id, phase: phase, attempt: attempt.number, outcome: .unknown(failure))
    }
  }

  private mutating func settleForward(_ step: StepState, attempt: Int, outcome: StepOutcome) {
    let failure: StepFailure
    let isUnknown: Bool
    switch outcome {
    case .succeeded(let output):
      succeed(step.id, output: StepOutput(output))
      return
    case .succeededUnread(let problem):
      succeed(step.id, output: StepOutput(problem: problem))
      return
    case .failed(let reported): (failure, isUnknown) = (reported, false)
    case .unknown(let reported): (failure, isUnknown) = (reported, true)
    case .notMade(let reported):
      notMade(step, phase: .forward, attempt: attempt, failure: reported)
      return
    }
    guard let definition = definition(of: step) else { return }
    if isGoingForward(step),
      let retryAt = RetryDecision.next(
        after: failure, rules: definition.retry, spent: step.forward.spent,
        seed: seed(step, phase: .forward, attempt: attempt), now: now)
    {
      emit(
        .attemptFailed(
          step: step.id, phase: .forward, attempt: attempt, isUnknown: isUnknown, failure: failure, retryAt: retryAt))
    } else {
      fail(step.id, failure, isUnknown: isUnknown)
    }
  }

  private mutating func settleUndo(_ step: StepState, attempt: Int, outcome: StepOutcome) {
    guard let undo = undo(of: step) else { return }
    var failure: StepFailure
    var isUnknown = false
    switch outcome {
    case .succeeded, .succeededUnread:
      emit(.undoSucceeded(step: step.id, how: .answered))
      return
    case .failed(let reported): failure = reported
    case .unknown(let reported): (failure, isUnknown) = (reported, true)
    case .notMade(let reported):
      notMade(step, phase: .undo, attempt: attempt, failure: reported)
      return
    }
    if failure.isGone {
      // Nothing by that name: undone, if it had been there, or if a late command will be refused. Otherwise the command
      // may still be on its way, and we ask again.
      if step.outcome == .succeeded || failure.keepsTombstones {
        emit(.undoSucceeded(step: step.id, how: .alreadyGone))
        return
      }
      failure.isRetryable = true
    }
    if let retryAt = RetryDecision.next(
      after: failure, rules: undo.retry, spent: step.undo.spent, seed: seed(step, phase: .undo, attempt: attempt),
      now: now)
    {
      emit(
        .attemptFailed(
          step: step.id, phase: .undo, attempt: attempt, isUnknown: isUnknown, failure: failure, retryAt: retryAt))
    } else {
      emit(.undoFailed(step: step.id, failure: failure, blocks: undo.onFailure == .stuck))
    }
  }

  /// Nothing was sent: the attempt is made again, unless the saga turned back meanwhile.
  private mutating func notMade(_ step: StepState, phase: StepPhase, attempt: Int, failure: StepFailure) {
    if phase == .forward, !isGoingForward(step) {
      fail(step.id, failure, outcome: step.outcome)
    } else {
      let retryAt = now + Self.pauseAfterNotMade
      emit(.attemptNotMade(step: step.id, phase: phase, attempt: attempt, failure: failure, retryAt: retryAt))
    }
  }

  /// Whether another attempt may follow one that failed: not when what it has done is about to be undone.
  private func isGoingForward(_ step: StepState) -> Bool { state.turnBack == nil && !state.isRewinding(step.id) }

  private func seed(_ step: StepState, phase: StepPhase, attempt: Int) -> String {
    "\(state.id)/\(step.id)/\(step.round)/\(phase.rawValue)/\(attempt)"
  }
}
