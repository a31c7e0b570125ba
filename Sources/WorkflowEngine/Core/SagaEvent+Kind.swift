extension SagaEvent {
  /// What happened, by its name in the store. A name never changes, and is never used for something else.
  ///
  /// Every kind has a JSON Schema in `docs/schema/events/` and stored fixtures in `Tests/WorkflowEngine/Fixtures/events/`;
  /// the compiler and the tests ask for whatever a new one lacks.
  public enum Kind: String, Sendable, Hashable, CaseIterable {
    case sagaStarted, stepSkipped, waitStarted
    case attemptStarted, attemptFailed, attemptNotMade
    case stepProgressed, answerIgnored
    case stepSucceeded, stepFailed
    case signalReceived, signalRefused, keptSignalTaken, keptSignalRefused
    case turnBackRequested, turnBackLapsed, turnedBack
    case undoSucceeded, undoFailed
    case operatorRetried, operatorResolved, operatorSkipped, operatorRanNow, operatorExtended
    case rewindStarted, rewindFinished, sagaPaused, sagaResumed
    case stepOverdue, sagaOverdue, sagaCompleted, sagaCompensated, sagaAbandoned
  }

  public var kind: Kind {
    switch what {
    case .sagaStarted: .sagaStarted
    case .stepSkipped: .stepSkipped
    case .waitStarted: .waitStarted
    case .attemptStarted: .attemptStarted
    case .attemptFailed: .attemptFailed
    case .attemptNotMade: .attemptNotMade
    case .stepProgressed: .stepProgressed
    case .answerIgnored: .answerIgnored
    case .stepSucceeded: .stepSucceeded
    case .stepFailed: .stepFailed
    case .signalReceived: .signalReceived
    case .signalRefused: .signalRefused
    case .keptSignalTaken: .keptSignalTaken
    case .keptSignalRefused: .keptSignalRefused
    case .turnBackRequested: .turnBackRequested
    case .turnBackLapsed: .turnBackLapsed
    case .turnedBack: .turnedBack
    case .undoSucceeded: .undoSucceeded
    case .undoFailed: .undoFailed
    case .operatorRetried: .operatorRetried
    case .operatorResolved: .operatorResolved
    case .operatorSkipped: .operatorSkipped
    case .operatorRanNow: .operatorRanNow
    case .operatorExtended: .operatorExtended
    case .rewindStarted: .rewindStarted
    case .rewindFinished: .rewindFinished
    case .sagaPaused: .sagaPaused
    case .sagaResumed: .sagaResumed
    case .stepOverdue: .stepOverdue
    case .sagaOverdue: .sagaOverdue
    case .sagaCompleted: .sagaCompleted
    case .sagaCompensated: .sagaCompensated
    case .sagaAbandoned: .sagaAbandoned
    }
  }
}
