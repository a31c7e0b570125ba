import JSON
import Runtime

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
    return state
  }

  private mutating func apply(_ event: SagaEvent) throws(HistoryError) {
    guard end == nil else { throw HistoryError("\(event.typeName) can't follow the end of a saga.") }
    switch event.what {
    case .sagaStarted:
      throw HistoryError("A saga starts once.")

    case .stepSkipped, .waitStarted, .attemptStarted, .attemptFailed, .attemptNotMade, .stepProgressed, .stepFailed,
      .undoSucceeded, .undoFailed, .operatorRetried:
      try applyToStep(event)
    case .operatorResolved(_, let resolution, let isPivot, _, _, _):
      try applyToStep(event)
      if case .happened = resolution, isPivot { passPivot() } else if pivotPassed { passPivot() }
    case .stepSucceeded(_, _, let isPivot):
      try applyToStep(event)
      if isPivot { passPivot() }

    case .answerIgnored(let step, _, _, _):
      guard self.step(step) != nil else { throw Self.unknownStep(event) }

    case .signalReceived(let name, let signalID, let body, let by):
      signals.append(ReceivedSignal(name: name, id: signalID, body: body, by: by, at: event.at))
    case .keptSignalRefused(let name, _):
      signals.removeAll { $0.name == name }

    case .turnBackRequested(let reason):
      requestedTurnBack = Dated(at: event.at, value: reason)
      cancelID = reason.commandID ?? cancelID
    case .turnBackLapsed:
      requestedTurnBack = nil
    case .turnedBack(let reason):
      guard turnBack == nil else { throw HistoryError("A saga turns back once.") }
      guard !pivotPassed else { throw HistoryError("A saga that passed its pivot can't turn back.") }
      turnBack = Dated(at: event.at, value: reason)
      cancelID = reason.commandID ?? cancelID
      requestedTurnBack = nil

    case .sagaOverdue:
      overdueSince = event.at
    case .sagaCompleted(let output, let problem):
      guard turnBack == nil else { throw HistoryError("A saga that turned back can't complete.") }
      end = SagaEnd(status: .completed, at: event.at, output: output, outputProblem: problem, by: nil, reason: nil)
    case .sagaCompensated:
      guard turnBack != nil else { throw HistoryError("A saga is compensated only after it turned back.") }
      end = SagaEnd(status: .compensated, at: event.at, output: nil, outputProblem: nil, by: nil, reason: nil)
    case .sagaAbandoned(let by, let reason):
      end = SagaEnd(status: .abandoned, at: event.at, output: nil, outputProblem: nil, by: by, reason: reason)
    }
  }

  private mutating func applyToStep(_ event: SagaEvent) throws(HistoryError) {
    guard let id = event.step, let index = steps.firstIndex(where: { $0.id == id }) else {
      throw Self.unknownStep(event)
    }
    if case .operatorResolved(_, .happened, _, _, _, _) = event.what, turnBack != nil {
      throw HistoryError("A step can't be found done once the saga has turned back.")
    }
    let before = steps[index].status
    guard steps[index].apply(event) else {
      throw HistoryError("\(event.typeName) can't follow \(before.rawValue) of step \(id).")
    }
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
