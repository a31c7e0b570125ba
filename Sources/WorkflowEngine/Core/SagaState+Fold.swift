import JSON
import Values

extension SagaState {
  /// The state that a history makes.
  /// - Throws: `HistoryError` when the events can't follow each other.
  public init(folding events: some Sequence<SagaEvent>) throws(HistoryError) {
    var state: SagaState?
    for event in events { state = try SagaState.evolve(state, event) }
    guard let state else { throw HistoryError("A history has at least one event.") }
    self = state
  }

  /// The state after one more event. The same state and event always give the same state.
  /// - Throws: `HistoryError` when the event can't follow this state.
  public static func evolve(_ state: SagaState?, _ event: SagaEvent) throws(HistoryError) -> SagaState {
    guard var state else {
      guard case .sagaStarted(let start) = event.what else {
        throw HistoryError("A history begins with sagaStarted, not with \(event.typeName).")
      }
      return SagaState(start: start, at: event.at)
    }
    try state.apply(event)
    state.version += 1
    state.note(event)
    return state
  }

  private mutating func apply(_ event: SagaEvent) throws(HistoryError) {
    guard end == nil else { throw HistoryError("\(event.typeName) can't follow the end of a saga.") }
    switch event.what {
    case .sagaStarted:
      throw HistoryError("A saga starts once.")

    case .stepSkipped, .waitStarted, .attemptStarted, .attemptFailed, .attemptNotMade, .stepProgressed, .stepFailed,
      .undoSucceeded, .undoFailed, .operatorRetried, .stepOverdue:
      try applyToStep(event)
    case .operatorSkipped(_, _, let isPivot, _):
      try applyToStep(event)
      if isPivot { passPivot() }
    case .operatorRanNow(let steps, _):
      for step in steps { try apply(event, to: step) }
    case .operatorExtended(let step?, _, _):
      try apply(event, to: step)
    case .operatorExtended(nil, let until, _):
      deadline = until
      if until > pausedAt ?? event.at { overdueSince = nil }
    case .rewindStarted(let step, let steps, let act):
      guard turnBack == nil, rewind == nil else { throw HistoryError("A rewind can't begin while another goes on.") }
      // What they had waited for has to come again.
      dropKeptSignals(waitedForBy: steps)
      for step in steps { try apply(event, to: step) }
      rewind = Rewind(step: step, steps: steps, at: event.at, by: act.by, reason: act.reason)
    case .rewindFinished(_, let steps):
      guard rewind?.steps == steps else { throw HistoryError("Only a rewind that goes on can be finished.") }
      for step in steps { try apply(event, to: step) }
      rewind = nil
    case .sagaPaused(let act):
      guard pausedAt == nil else { throw HistoryError("A saga that is paused can't be paused again.") }
      pause = Dated(at: event.at, value: act)
    case .sagaResumed:
      guard let pausedAt else { throw HistoryError("Only a paused saga is resumed.") }
      letTimePass(max(.zero, event.at - pausedAt))
      pause = nil
    case .operatorResolved(_, let resolution, let isPivot, _, _):
      try applyToStep(event)
      if case .happened = resolution, isPivot { passPivot() } else if pivotPassed { passPivot() }
    case .stepSucceeded(let step, _, let isPivot):
      noteWaitEnded(step)
      try applyToStep(event)
      if isPivot { passPivot() }

    case .answerIgnored(let step, _, _, _):
      guard self.step(step) != nil else { throw Self.unknownStep(event) }

    case .signalReceived(let signal, let step): try apply(signal, step: step, at: event.at)
    case .signalRefused(let refused): apply(refused, at: event.at)
    case .keptSignalTaken(_, let step, let received): try takeKeptSignal(received, for: step)
    case .keptSignalRefused(let name, let step, let received):
      refuseKeptSignal(named: name, for: step, received: received)

    case .turnBackRequested(let reason):
      requestedTurnBack = Dated(at: event.at, value: reason)
    case .turnBackLapsed:
      requestedTurnBack = nil
      // It lapses only because a pivot was passed. A history of an older version may not have said so before.
      passPivot()
    case .turnedBack(let reason):
      guard turnBack == nil else { throw HistoryError("A saga turns back once.") }
      guard !pivotPassed else { throw HistoryError("A saga that passed its pivot can't turn back.") }
      turnBack = Dated(at: event.at, value: reason)
      requestedTurnBack = nil
      rewind = nil

    case .sagaOverdue:
      overdueSince = event.at
    case .sagaCompleted(let output, let errors):
      guard turnBack == nil else { throw HistoryError("A saga that turned back can't complete.") }
      end = SagaEnd(status: .completed, at: event.at, output: output, outputErrors: errors, by: nil, reason: nil)
    case .sagaCompensated:
      guard turnBack != nil else { throw HistoryError("A saga is compensated only after it turned back.") }
      end = SagaEnd(status: .compensated, at: event.at, output: nil, outputErrors: [], by: nil, reason: nil)
    case .sagaAbandoned(let act):
      end = SagaEnd(status: .abandoned, at: event.at, output: nil, outputErrors: [], by: act.by, reason: act.reason)
      for index in steps.indices { steps[index].stopClock() }
    }
  }

  private mutating func applyToStep(_ event: SagaEvent) throws(HistoryError) {
    guard let id = event.step else { throw Self.unknownStep(event) }
    if case .operatorResolved(_, .happened, _, _, _) = event.what, turnBack != nil {
      throw HistoryError("A step can't be found done once the saga has turned back.")
    }
    try apply(event, to: id)
  }

  private mutating func apply(_ event: SagaEvent, to id: String) throws(HistoryError) {
    guard let index = steps.firstIndex(where: { $0.id == id }) else { throw Self.unknownStep(event) }
    let before = steps[index]
    guard steps[index].apply(event) else {
      throw HistoryError("\(event.typeName) can't follow \(before.status.rawValue) of step \(id).")
    }
    if let pausedAt { steps[index].holdMoments(since: before, of: event, standing: event.at - pausedAt) }
  }

  /// What was to come at a moment comes so much later.
  private mutating func letTimePass(_ length: Duration) {
    deadline = deadline + length
    overdueSince = overdueSince.map { $0 + length }
    for index in steps.indices { steps[index].letTimePass(length) }
  }

  /// Keeps who acted last, and by which name a repeat is known.
  private mutating func note(_ event: SagaEvent) {
    guard let (verb, act) = event.operated else { return }
    lastAct = LastAct(
      verb: verb.rawValue, step: event.step, by: act.by, reason: act.reason, at: event.at, version: version)
    guard let id = act.commandID, !commands.contains(where: { $0.id.hasSameScalars(as: id) }) else { return }
    commands.append(KnownCommand(id: id, verb: verb.rawValue, digest: act.commandDigest))
  }

  private static func unknownStep(_ event: SagaEvent) -> HistoryError {
    HistoryError("\(event.typeName) names a step that the saga doesn't have.")
  }

  /// From here nothing is undone: what failed beside the pivot waits for an operator instead.
  private mutating func passPivot() {
    pivotPassed = true
    for index in steps.indices where steps[index].status == .failed && steps[index].consequence == .turnsBack {
      steps[index].consequence = .blocks
    }
  }
}
