import JSON
import Values
import Workflows

// What people ask for. Each is an event with who, when, why and from where. `Decider+VerbChecks.swift` says what a saga
// takes as it stands, and here is what follows.
extension Decider {
  mutating func take(_ request: OperatorRequest) throws(Refusal) {
    do throws(Refusal) {
      // 1. A request is delivered again when its answer was lost: also when the saga has ended meanwhile.
      if try isRepeat(request) { return }
      // 2. Of two who act at once the second is told what the first did.
      try requireNobodyActed(since: request.expectedVersion)
      try requireOpen()
      try requireReason(request.act.reason)
      try check(request.verb)
    } catch {
      throw Refusal(error.code, error.message, allowed: Verbs.allowed(state, definition))
    }
    carryOut(request.verb, request.act)
  }

  /// Whether a saga takes a verb as it stands; changes nothing.
  /// - Throws: `Refusal` with the verbs that it takes instead.
  static func requireTaken(
    _ verb: OperatorVerb, by state: SagaState, _ definition: WorkflowDefinition, now: Timestamp
  ) throws(Refusal) {
    let decider = Decider(state, definition: definition, now: now)
    do throws(Refusal) {
      try decider.requireOpen()
      try decider.check(verb)
    } catch {
      throw Refusal(error.code, error.message, allowed: Verbs.allowed(state, definition))
    }
  }

  private func requireOpen() throws(Refusal) {
    if state.end != nil {
      throw Refusal(EngineErrorCode.sagaEnded, "The saga is \(state.status.rawValue): it has ended and can't change.")
    }
  }

  private func isRepeat(_ request: OperatorRequest) throws(Refusal) -> Bool {
    guard let id = request.act.commandID,
      let known = state.commands.first(where: { $0.id.hasSameScalars(as: id) })
    else { return false }
    let name = request.verb.name.rawValue
    guard known.verb == name, known.digest == nil || known.digest == request.verb.digest else {
      throw Refusal(
        EngineErrorCode.commandReused,
        "“\(id)” has named another request to this saga before (\(known.verb)); a new request needs a new name.")
    }
    return true
  }

  private func requireNobodyActed(since version: Int?) throws(Refusal) {
    guard let version else { return }
    guard version <= state.version else {
      throw Refusal(
        EngineErrorCode.sagaChanged, "The saga has \(state.version) events, and none with the number \(version).")
    }
    guard let last = state.lastAct, last.version > version else { return }
    let what = last.step.map { " of step \($0)" } ?? ""
    throw Refusal(
      EngineErrorCode.sagaChanged,
      "\(last.by) acted on the saga since you looked: \(last.verb)\(what) at \(last.at) (event \(last.version)), "
        + "because “\(last.reason)”. Look again, then decide.")
  }

  private func requireReason(_ reason: String) throws(Refusal) {
    guard reason.unicodeScalars.contains(where: { !$0.properties.isWhitespace }) else {
      throw Refusal(EngineErrorCode.sagaReasonMissing, "Say why: the reason is kept for the auditor.")
    }
  }

  private mutating func carryOut(_ verb: OperatorVerb, _ act: OperatorAct) {
    switch verb {
    case .cancel:
      request(
        TurnBack(
          cause: .cancelled, code: EngineErrorCode.sagaCancelled, message: "The saga was cancelled by \(act.by).",
          by: act.by, reason: act.reason, from: act.from, commandID: act.commandID))
    case .compensate:
      request(
        TurnBack(
          cause: .compensate, code: EngineErrorCode.sagaCompensate,
          message: "The operator \(act.by) had the saga turn back.", by: act.by, reason: act.reason, from: act.from,
          commandID: act.commandID))
    case .retry(let step, let input):
      for step in step.map({ [$0] }) ?? state.blockers.map(\.step) {
        let phase: StepPhase = state.step(step)?.status == .undoFailed ? .undo : .forward
        emit(.operatorRetried(step: step, phase: phase, input: input, act))
      }
    case .resolve(let step, let resolution):
      let definition = definition.step(step)
      // As if it had been cleanly refused in the first place.
      let goesOn = resolution == .didNotHappen && definition?.onFailure == .continue
      emit(
        .operatorResolved(
          step: step, resolution: resolution, isPivot: definition?.pivot ?? false, goesOn: goesOn, act))
    case .abandon: emit(.sagaAbandoned(act))
    case .pause: emit(.sagaPaused(act))
    case .resume: emit(.sagaResumed(act))
    case .skip(let step, let output):
      emit(
        .operatorSkipped(step: step, output: output, isPivot: definition.step(step)?.pivot ?? false, act))
    case .runNow(let step): emit(.operatorRanNow(steps: step.map { [$0] } ?? stepsToRunNow, act))
    case .extend(let step, let length):
      let moment = step.flatMap { state.step($0)?.waitUntil } ?? state.deadline
      emit(.operatorExtended(step: step, until: length.moment(after: moment), act))
    case .rewind(let step): startRewind(step, act)
    }
  }

  func knownStep(_ id: String) throws(Refusal) -> StepState {
    guard let step = state.step(id) else {
      let ids = state.steps.map(\.id).joined(separator: ", ")
      throw Refusal(EngineErrorCode.stepUnknown, "The saga has no step “\(id)”. Its steps are \(ids).")
    }
    return step
  }
}

extension OperatorVerb.Extension {
  func moment(after moment: Timestamp) -> Timestamp {
    switch self {
    case .by(let duration): moment + duration
    case .until(let moment): moment
    }
  }
}
