import JSON

// What a participant's answer leads to, when it comes as a message: at any time, in any order, more than once.
extension Decider {
  mutating func take(_ answer: StepAnswer) throws(Refusal) {
    let step = try knownStep(answer.step)
    guard let attempt = attempt(answeredBy: answer, of: step) else {
      emit(
        .answerIgnored(
          step: step.id, phase: answer.phase, attempt: answer.attempt,
          answer: IgnoredAnswer(
            round: answer.round, id: answer.id, outcome: answer.word, code: answer.code,
            why: isRepeat(answer, of: step) ? .repeated : .late)))
      return
    }
    switch answer.content {
    case .settled(let outcome): settle(step.id, phase: answer.phase, attempt: attempt, outcome: outcome)
    case .progress(let progress):
      emit(.stepProgressed(step: step.id, phase: answer.phase, attempt: attempt, progress: progress))
    }
  }

  /// The attempt under way that the answer is news of, if it is of one.
  private func attempt(answeredBy answer: StepAnswer, of step: StepState) -> Int? {
    guard answer.round == step.round, let number = step.attempts(answer.phase).inFlight?.number else { return nil }
    if answer.attempt == number { return number }
    // All attempts of a round ask for one thing under one key: when an earlier one did it, it is done. That an earlier
    // one failed says nothing of the one under way.
    if case .settled(.succeeded) = answer.content, (1..<number).contains(answer.attempt) { return number }
    return nil
  }

  /// Whether what the answer says has been recorded before, of the step, of its undo, or of the attempt last settled.
  private func isRepeat(_ answer: StepAnswer, of step: StepState) -> Bool {
    guard answer.round == step.round, case .settled(let outcome) = answer.content else { return false }
    switch (answer.phase, outcome) {
    case (.forward, .succeeded), (.forward, .succeededUnread): return step.outcome == .succeeded
    case (.undo, .succeeded), (.undo, .succeededUnread): return step.status == .undone
    case (.undo, .failed(let failure)) where step.status == .undone:
      return failure.isGone && step.undoHow == UndoSuccess.alreadyGone.rawValue
    case (.forward, .failed(let failure)), (.forward, .unknown(let failure)):
      return isLastFailure(failure, step.failure, answer.attempt, step.forward)
    case (.undo, .failed(let failure)), (.undo, .unknown(let failure)):
      return isLastFailure(failure, step.undoFailure, answer.attempt, step.undo)
    case (_, .notMade): return false
    }
  }

  private func isLastFailure(
    _ failure: StepFailure, _ recorded: StepFailure?, _ attempt: Int, _ attempts: Attempts
  ) -> Bool {
    guard let recorded, attempt == attempts.count - (attempts.inFlight == nil ? 0 : 1) else { return false }
    return recorded.code.hasSameScalars(as: failure.code)
  }
}

extension StepState {
  fileprivate func attempts(_ phase: StepPhase) -> Attempts {
    switch phase {
    case .forward: forward
    case .undo: undo
    }
  }
}
