import JSON
import Runtime
import Workflows

// What people ask for. Each is an event with who, when and why.
extension Decider {
  mutating func cancel(by: String, reason: String, commandID: String?) throws(Refusal) {
    try requireReason(reason)
    if state.pivotPassed {
      throw Refusal(
        EngineErrorCode.sagaPivotPassed, "The saga has passed its point of no return: it only goes forward now.")
    }
    if state.turnBack != nil || state.requestedTurnBack != nil {
      throw Refusal(EngineErrorCode.sagaTurningBack, "The saga is turning back already.")
    }
    request(
      TurnBack(
        cause: .cancelled, code: EngineErrorCode.sagaCancelled, message: "The saga was cancelled by \(by).", by: by,
        reason: reason, commandID: commandID))
  }

  mutating func retry(_ id: String, by: String, reason: String) throws(Refusal) {
    try requireReason(reason)
    let step = try knownStep(id)
    guard step.isBlocked else {
      throw Refusal(
        EngineErrorCode.stepNotRetryable,
        "Step \(id) is \(step.status.rawValue) and does not wait for an operator; only a step that the saga is stuck on "
          + "can be retried.")
    }
    let phase: StepPhase = step.status == .undoFailed ? .undo : .forward
    emit(.operatorRetried(step: id, phase: phase, by: by, reason: reason))
  }

  mutating func resolve(_ id: String, _ resolution: Resolution, by: String, reason: String) throws(Refusal) {
    try requireReason(reason)
    let step = try knownStep(id)
    func refuse(_ message: String) -> Refusal { Refusal(EngineErrorCode.stepNotResolvable, message) }
    guard step.isBlocked else {
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
    let isPivot = definition.step(id)?.pivot ?? false
    // As if it had been cleanly refused in the first place.
    let goesOn = resolution == .didNotHappen && definition.step(id)?.onFailure == .continue
    emit(
      .operatorResolved(
        step: id, resolution: resolution, isPivot: isPivot, goesOn: goesOn, by: by, reason: reason))
  }

  mutating func abandon(by: String, reason: String) throws(Refusal) {
    try requireReason(reason)
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
    emit(.sagaAbandoned(by: by, reason: reason))
  }

  func knownStep(_ id: String) throws(Refusal) -> StepState {
    guard let step = state.step(id) else {
      let ids = state.steps.map(\.id).joined(separator: ", ")
      throw Refusal(EngineErrorCode.stepUnknown, "The saga has no step “\(id)”. Its steps are \(ids).")
    }
    return step
  }

  private func requireReason(_ reason: String) throws(Refusal) {
    guard reason.unicodeScalars.contains(where: { !$0.properties.isWhitespace }) else {
      throw Refusal(EngineErrorCode.sagaReasonMissing, "Say why: the reason is kept for the auditor.")
    }
  }
}
