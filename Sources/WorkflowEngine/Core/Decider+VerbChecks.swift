import JSON
import Values
import Workflows

// What a saga takes as it stands. `Verbs.allowed` asks the same questions, so that what is offered is what is taken.
extension Decider {
  func check(_ verb: OperatorVerb) throws(Refusal) {
    switch verb {
    case .cancel, .compensate: try checkTurningBack()
    case .retry(let step?, let input): try checkRetry(step, input: input)
    case .retry(nil, let input): try checkRetryOfAll(input: input)
    case .resolve(let step, let resolution): try checkResolve(step, resolution)
    case .abandon: try checkAbandon()
    case .pause:
      guard !state.isPaused else { throw Refusal(EngineErrorCode.sagaPaused, "The saga is paused already.") }
    case .resume:
      guard state.isPaused else { throw Refusal(EngineErrorCode.sagaNotPaused, "The saga is not paused.") }
    case .skip(let step, _): try checkSkip(step)
    case .runNow(let step): try checkRunNow(step)
    case .extend(let step, let length): try checkExtend(step, length)
    case .rewind(let step): try checkRewind(step)
    }
  }

  private func checkTurningBack() throws(Refusal) {
    if isPivotPassed {
      throw Refusal(
        EngineErrorCode.sagaPivotPassed, "The saga has passed its point of no return: it only goes forward now.")
    }
    try requireGoingForward()
  }

  /// Turning back is for good: what is asked of a step's way forward then comes too late.
  func requireGoingForward() throws(Refusal) {
    if state.turnBack != nil || state.requestedTurnBack != nil {
      throw Refusal(EngineErrorCode.sagaTurningBack, "The saga is turning back already.")
    }
  }

  func requireNoRewind() throws(Refusal) {
    guard let rewind = state.rewind else { return }
    throw Refusal(
      EngineErrorCode.sagaRewinding,
      "The saga is being rewound to step \(rewind.step); wait until that is done, or turn the saga back.")
  }

  // MARK: Retry, resolve, abandon

  private func checkRetry(_ id: String, input: JSON?) throws(Refusal) {
    let step = try knownStep(id)
    guard state.isBlocked(step) else {
      throw Refusal(
        EngineErrorCode.stepNotRetryable,
        "Step \(id) is \(step.status.rawValue) and does not wait for an operator; only a step that the saga is stuck on "
          + "can be retried.")
    }
    guard let input else { return }
    func refuse(_ message: String) -> Refusal { Refusal(EngineErrorCode.stepInputNotTaken, message) }
    guard step.status == .failed else {
      throw refuse("Step \(id) is being undone: an undo is made of what was done, and takes no other input.")
    }
    guard step.outcome != .unknown else {
      throw Refusal(
        EngineErrorCode.stepOutcomeUnknown,
        "Step \(id) may have happened, and with other input it could happen twice. Retry it as it is, under the same "
          + "key, or resolve it.")
    }
    guard input.objectValue != nil else { throw refuse("The input of a step is a JSON object.") }
  }

  private func checkRetryOfAll(input: JSON?) throws(Refusal) {
    guard !state.blockers.isEmpty else {
      throw Refusal(
        EngineErrorCode.sagaNotStuck, "The saga is \(state.status.rawValue): no step of it waits to be retried.")
    }
    guard input == nil else {
      throw Refusal(EngineErrorCode.stepInputNotTaken, "Changed input is for one step: say which.")
    }
  }

  private func checkResolve(_ id: String, _ resolution: Resolution) throws(Refusal) {
    let step = try knownStep(id)
    func refuse(_ message: String) -> Refusal { Refusal(EngineErrorCode.stepNotResolvable, message) }
    guard state.isBlocked(step) else {
      throw refuse("Step \(id) is \(step.status.rawValue) and does not wait for an operator.")
    }
    switch (resolution, step.status) {
    case (.undone, .undoFailed): break
    case (_, .undoFailed):
      throw refuse("The undo of step \(id) has failed: undo it by hand and resolve it as undone, or retry it.")
    case (.undone, _): throw refuse("Step \(id) is not being undone; say whether it happened or did not happen.")
    case (.happened, _): break
    case (.didNotHappen, _):
      guard step.outcome == .unknown else {
        throw refuse("Step \(id) was cleanly refused: it is known not to have happened. Retry it.")
      }
    }
  }

  private func checkAbandon() throws(Refusal) {
    guard state.status == .stuck else {
      throw Refusal(
        EngineErrorCode.sagaNotStuck,
        "The saga is \(state.status.rawValue), not stuck: only a saga that can't go on by itself can be abandoned.")
    }
    guard !state.hasAttemptInFlight else {
      throw Refusal(
        EngineErrorCode.sagaAttemptInFlight,
        "An attempt is still under way; wait until it has settled, so that what it did is known.")
    }
  }

  // MARK: Skip, run-now, extend

  private func checkSkip(_ id: String) throws(Refusal) {
    let step = try knownStep(id)
    func refuse(_ message: String) -> Refusal { Refusal(EngineErrorCode.stepNotSkippable, message) }
    switch step.status {
    case .undoing, .undoFailed, .undone:
      throw refuse("An undo can't be skipped: undo step \(id) by hand and resolve it as undone.")
    case .succeeded, .skipped: throw refuse("Step \(id) is \(step.status.rawValue): there is nothing left to skip.")
    case .pending, .running, .backingOff, .waiting, .failed: break
    }
    try requireGoingForward()
    try requireNoRewind()
    if case .running = step.status {
      throw refuse(
        "An attempt of step \(id) is under way: wait until it has settled. Pause the saga, and none follows meanwhile.")
    }
    if definition(of: step)?.pivot ?? false, step.forward.count > 0 {
      throw refuse(
        "Step \(id) is a point of no return and has been attempted: it can't be skipped. Once the saga is stuck on it, "
          + "retry it, or resolve it as happened if it was done by hand.")
    }
    guard step.outcome != .unknown else {
      throw Refusal(
        EngineErrorCode.stepOutcomeUnknown,
        "Step \(id) may have happened. Whoever skips it leaves it standing: resolve it first, once the saga is stuck on it, "
          + "or let its attempts find out.")
    }
    if case .failed = step.status, !state.isBlocked(step) {
      throw refuse("Step \(id) has failed, and the saga is not stuck on it.")
    }
  }

  /// Whatever waits for its next attempt, and delays.
  var stepsToRunNow: [String] { state.steps.filter(canRunNow).map(\.id) }

  private func canRunNow(_ step: StepState) -> Bool {
    switch step.status {
    case .backingOff: state.requestedTurnBack == nil || (definition(of: step)?.pivot ?? false)
    case .undoing: step.undo.inFlight == nil
    case .waiting: step.waitingFor == nil
    case .pending, .running, .succeeded, .failed, .skipped, .undone, .undoFailed: false
    }
  }

  private func checkRunNow(_ id: String?) throws(Refusal) {
    func refuse(_ message: String) -> Refusal { Refusal(EngineErrorCode.stepNothingDue, message) }
    guard let id else {
      guard !stepsToRunNow.isEmpty else {
        throw refuse("No step waits for a moment: none is between attempts, and no delay goes on.")
      }
      return
    }
    let step = try knownStep(id)
    if case .waiting = step.status, let signal = step.waitingFor {
      throw refuse("Step \(id) waits for the signal “\(signal)”, not for a moment: send the signal.")
    }
    guard canRunNow(step) else {
      throw refuse("Step \(id) is \(step.status.rawValue): it waits for no moment that could be now.")
    }
  }

  /// Long enough for everything that a laboratory waits for; far from where dates have five digits.
  private static let furthest = DurationText.longest

  private func checkExtend(_ id: String?, _ length: OperatorVerb.Extension) throws(Refusal) {
    let moment: Timestamp
    if let id {
      let step = try knownStep(id)
      guard step.status == .waiting, let until = step.waitUntil else {
        throw Refusal(
          EngineErrorCode.stepNotWaiting,
          "Step \(id) is \(step.status.rawValue)\(step.status == .waiting ? " without an end" : ""): only a wait that ends "
            + "at a moment can be extended.")
      }
      moment = until
    } else {
      try requireGoingForward()
      moment = state.deadline
    }
    let new = length.moment(after: moment)
    guard new > moment else {
      throw Refusal(
        EngineErrorCode.deadlineNotLater, "It stands at \(moment); an extension makes it later, and \(new) is not.")
    }
    guard new <= state.startedAt + Self.furthest else {
      throw Refusal(EngineErrorCode.deadlineNotLater, "\(new) is more than a hundred years after the saga began.")
    }
  }
}
