import JSON
import Runtime
import Values

// The transitions of a step. `docs/state-diagram.md` draws them; a test walks every state × event.
//
//   pending     → skipped · waiting · running · failed
//   backingOff, waiting, failed (blocking) → skipped (operator)
//   running     → running (progress) · succeeded · backingOff · failed
//   backingOff  → running · waiting · failed
//   waiting     → succeeded · failed
//   failed      → backingOff (retry) · succeeded, failed (resolve) · undoing · undoFailed
//   succeeded   → undoing · undoFailed
//   undoing     → undoing (attempt, progress) · undone · undoFailed
//   undoFailed  → undoing (retry) · undone (resolve)
//   skipped, undone stay, unless a rewind is finished: it makes whatever is settled pending again
//   an answer that is ignored changes none of them, nor does it that a step under way is overdue

extension StepState {
  /// Applies an event of this step.
  /// - Returns: false when the event can't follow the step's status; the step is then as it was.
  mutating func apply(_ event: SagaEvent) -> Bool {
    let before = status.phaseUnderWay
    guard take(event) else { return false }
    // The clock of what is expected runs from one beginning to its end, whatever lies between.
    let after = status.phaseUnderWay
    if after != before {
      stopClock()
      if after != nil { underWaySince = event.at }
    }
    return true
  }

  mutating func stopClock() {
    underWaySince = nil
    overdue = nil
  }

  private mutating func take(_ event: SagaEvent) -> Bool {
    switch event.what {
    case .stepSkipped:
      guard status == .pending else { return false }
      status = .skipped
      endedAt = event.at
    case .waitStarted(_, let until, let signal):
      // A wait that an operator had begin again was backing off for a moment.
      guard status == .pending || status == .backingOff else { return false }
      status = .waiting
      forward.settle()
      startedAt = event.at
      waitUntil = until
      waitingFor = signal
    case .attemptStarted(_, let phase, let round, let attempt, let deadline):
      return startAttempt(phase, round: round, number: attempt, deadline: deadline, at: event.at)
    case .attemptFailed(_, let phase, let attempt, let isUnknown, let failure, let retryAt):
      return failAttempt(phase, number: attempt, isUnknown: isUnknown, failure: failure, retryAt: retryAt)
    case .attemptNotMade(_, let phase, let attempt, let failure, let retryAt):
      return giveAttemptBack(phase, number: attempt, failure: failure, retryAt: retryAt)
    case .stepProgressed(_, let phase, let attempt, let progress):
      guard let inFlight, inFlight.phase == phase, inFlight.attempt.number == attempt else { return false }
      self.progress = Dated(at: event.at, value: progress)
    case .stepSucceeded(_, let output, _):
      guard status == .running || status == .waiting else { return false }
      succeed(output: output, at: event.at)
    case .stepFailed(_, let outcome, let failure, let consequence):
      guard [.pending, .running, .backingOff, .waiting].contains(status) else { return false }
      status = .failed
      self.outcome = outcome
      self.failure = failure
      self.consequence = consequence
      forward.settle()
      endedAt = event.at
    case .undoSucceeded(_, let how):
      guard status == .undoing else { return false }
      finishUndo(how: how.rawValue, at: event.at)
    case .undoFailed(_, let failure, let blocks):
      guard [.undoing, .succeeded, .failed].contains(status) else { return false }
      status = .undoFailed
      undo.settle()
      undoFailure = failure
      undoBlocks = blocks
      undoEndedAt = event.at
    case .operatorRetried(_, let phase, let input, _):
      return grantRetry(phase, input: input, at: event.at)
    case .operatorResolved(_, let resolution, _, let goesOn, _):
      return resolve(resolution, goesOn: goesOn, at: event.at)
    case .operatorSkipped(_, let output, _, _):
      return skip(output: output, at: event.at)
    case .operatorRanNow:
      return makeDue(at: event.at)
    case .operatorExtended(_, let until, _):
      guard status == .waiting, waitUntil != nil else { return false }
      waitUntil = until
    case .stepOverdue(_, let phase, let overdue):
      guard phase == status.phaseUnderWay, self.overdue == nil else { return false }
      self.overdue = overdue
    case .rewindStarted:
      return prepareRewind()
    case .rewindFinished:
      return beginAgain()
    case .sagaPaused, .sagaResumed, .sagaStarted, .answerIgnored, .signalReceived, .signalRefused, .keptSignalTaken,
      .keptSignalRefused,
      .turnBackRequested, .turnBackLapsed,
      .turnedBack,
      .sagaOverdue, .sagaCompleted, .sagaCompensated, .sagaAbandoned:
      return false
    }
    return true
  }

  private mutating func startAttempt(
    _ phase: StepPhase, round: Int, number: Int, deadline: Timestamp, at moment: Timestamp
  ) -> Bool {
    let attempt = Attempts.InFlight(number: number, startedAt: moment, deadline: deadline)
    switch phase {
    case .forward:
      guard status == .pending || status == .backingOff else { return false }
      status = .running
      self.round = round
      startedAt = startedAt ?? moment
      progress = nil
      forward.begin(attempt)
    case .undo:
      guard [.succeeded, .failed].contains(status) || (status == .undoing && undo.inFlight == nil) else { return false }
      status = .undoing
      progress = nil
      undo.begin(attempt)
    }
    return true
  }

  private mutating func failAttempt(
    _ phase: StepPhase, number: Int, isUnknown: Bool, failure: StepFailure, retryAt: Timestamp
  ) -> Bool {
    switch phase {
    case .forward:
      guard status == .running, forward.inFlight?.number == number else { return false }
      status = .backingOff
      outcome = outcome.after(attemptUnknown: isUnknown)
      self.failure = failure
      forward.settle()
      forward.retryAt = retryAt
    case .undo:
      guard status == .undoing, undo.inFlight?.number == number else { return false }
      undoFailure = failure
      undo.settle()
      undo.retryAt = retryAt
    }
    return true
  }

  /// What never left the engine says nothing of the round, and costs no attempt.
  private mutating func giveAttemptBack(
    _ phase: StepPhase, number: Int, failure: StepFailure, retryAt: Timestamp
  ) -> Bool {
    switch phase {
    case .forward:
      guard status == .running, forward.inFlight?.number == number else { return false }
      status = .backingOff
      self.failure = failure
      forward.giveBack(until: retryAt)
    case .undo:
      guard status == .undoing, undo.inFlight?.number == number else { return false }
      undoFailure = failure
      undo.giveBack(until: retryAt)
    }
    return true
  }

  private mutating func succeed(output: StepOutput, at moment: Timestamp) {
    status = .succeeded
    outcome = .succeeded
    self.output = output.value
    outputProblem = output.problem
    failure = nil
    consequence = nil
    forward.settle()
    endedAt = moment
  }

  private mutating func finishUndo(how: String, at moment: Timestamp) {
    status = .undone
    undo.settle()
    undoFailure = nil
    undoBlocks = false
    undoHow = how
    undoEndedAt = moment
  }

  private mutating func grantRetry(_ phase: StepPhase, input: JSON?, at moment: Timestamp) -> Bool {
    switch phase {
    case .forward:
      guard status == .failed, consequence == .blocks, input == nil || outcome != .unknown else { return false }
      status = .backingOff
      consequence = nil
      endedAt = nil
      if let input {
        // Under the old key the participant would answer from memory.
        self.input = input
        round += 1
        outcome = .none
        forward = Attempts()
      }
      forward.budgetStart = forward.count
      forward.retryAt = moment
    case .undo:
      guard status == .undoFailed, undoBlocks, input == nil else { return false }
      status = .undoing
      undoBlocks = false
      undoEndedAt = nil
      undo.budgetStart = undo.count
      undo.retryAt = moment
    }
    return true
  }

  private mutating func resolve(_ resolution: Resolution, goesOn: Bool, at moment: Timestamp) -> Bool {
    switch resolution {
    case .happened(let output):
      guard status == .failed, consequence == .blocks else { return false }
      succeed(output: StepOutput(output), at: moment)
    case .didNotHappen:
      guard status == .failed, consequence == .blocks, outcome == .unknown else { return false }
      outcome = .failed
      consequence = goesOn ? .goesOn : .turnsBack
      endedAt = moment
    case .undone:
      guard status == .undoFailed, undoBlocks else { return false }
      finishUndo(how: "resolved", at: moment)
    }
    return true
  }
}

extension Attempts {
  mutating func begin(_ attempt: InFlight) {
    count = attempt.number
    inFlight = attempt
    retryAt = nil
    startedAt = startedAt ?? attempt.startedAt
  }

  mutating func giveBack(until retryAt: Timestamp) {
    settle()
    budgetStart += 1
    self.retryAt = retryAt
  }

  mutating func settle() {
    inFlight = nil
    retryAt = nil
  }
}

extension SagaEvent {
  /// The step that the event is about, if it is about one.
  public var step: String? {
    switch what {
    case .stepSkipped(let step), .waitStarted(let step, _, _), .attemptStarted(let step, _, _, _, _),
      .attemptFailed(let step, _, _, _, _, _), .attemptNotMade(let step, _, _, _, _),
      .stepProgressed(let step, _, _, _),
      .answerIgnored(let step, _, _, _), .stepSucceeded(let step, _, _), .stepFailed(let step, _, _, _),
      .undoSucceeded(let step, _), .undoFailed(let step, _, _), .operatorRetried(let step, _, _, _),
      .operatorResolved(let step, _, _, _, _), .operatorSkipped(let step, _, _, _), .rewindStarted(let step, _, _),
      .rewindFinished(let step, _), .keptSignalTaken(_, let step, _), .keptSignalRefused(_, let step, _),
      .stepOverdue(let step, _, _):
      step
    case .operatorExtended(let step, _, _): step
    case .operatorRanNow(let steps, _): steps.count == 1 ? steps[0] : nil
    case .signalReceived(_, let step): step
    case .signalRefused(let refused): refused.step
    case .sagaStarted, .turnBackRequested, .turnBackLapsed, .turnedBack, .sagaPaused, .sagaResumed,
      .sagaOverdue, .sagaCompleted, .sagaCompensated, .sagaAbandoned:
      nil
    }
  }
}
