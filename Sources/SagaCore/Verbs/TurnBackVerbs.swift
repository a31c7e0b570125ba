import JSON

// Cancel and compensate: a person starts the saga's compensation. `Compensation.swift` has the effects; the events are
// `TurnBackRequested` and `TurnedBack`.

/// The requester's wish.
struct Cancel: VerbRules {
  static let name = OperatorVerb.Name.cancel

  static func read(_ json: JSON) -> OperatorVerb? { .cancel }

  func check(_ saga: Decider) throws(Refusal) { try saga.checkTurningBack() }

  func carryOut(_ act: OperatorAct, in saga: inout Decider) {
    saga.request(
      TurnBack(
        cause: .cancelled, code: EngineErrorCode.sagaCancelled, message: "The saga was cancelled by \(act.by).",
        by: act.by, reason: act.reason, from: act.from, commandID: act.commandID))
  }

  static func targets(in saga: Decider) -> VerbTargets { VerbTargets(saga: saga.takes(Cancel())) }
}

/// The operator's decision.
struct Compensate: VerbRules {
  static let name = OperatorVerb.Name.compensate

  static func read(_ json: JSON) -> OperatorVerb? { .compensate }

  func check(_ saga: Decider) throws(Refusal) { try saga.checkTurningBack() }

  func carryOut(_ act: OperatorAct, in saga: inout Decider) {
    saga.request(
      TurnBack(
        cause: .compensate, code: EngineErrorCode.sagaCompensate,
        message: "The operator \(act.by) had the saga turn back.", by: act.by, reason: act.reason, from: act.from,
        commandID: act.commandID))
  }

  static func targets(in saga: Decider) -> VerbTargets { VerbTargets(saga: saga.takes(Compensate())) }
}

extension Decider {
  fileprivate func checkTurningBack() throws(Refusal) {
    if isPivotPassed {
      throw Refusal(
        EngineErrorCode.sagaPivotPassed, "The saga has passed its point of no return: it only goes forward now.")
    }
    try requireGoingForward()
  }
}
