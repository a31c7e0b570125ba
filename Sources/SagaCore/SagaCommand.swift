import JSON
import Values

/// What can be asked of a saga, and what can be reported to it.
public enum SagaCommand: Sendable, Hashable {
  case start(SagaStart)
  /// `round`: the one that the attempt was made in; nil for the one that is under way.
  case attemptSettled(step: String, phase: StepPhase, round: Int? = nil, attempt: Int, outcome: StepOutcome)
  /// A participant answered by a message: news of an attempt that may have been settled long ago.
  case answered(StepAnswer)
  /// Time has passed: do what is due.
  case wake
  /// The engine restarted: no executor will report what was in flight.
  case recover
  /// `formerIDs`: the names that an older version would have given the signal.
  case give(SignalGiven, formerIDs: [String] = [])
  /// An operator acts on it.
  case operate(OperatorRequest)
}

extension SagaCommand {
  public static func signal(name: String, signalID: String?, body: JSON, by: String) -> SagaCommand {
    .give(SignalGiven(name: name, id: signalID, body: body, by: by))
  }
}

/// A command that a saga can't take in its state. Nothing has changed.
public struct Refusal: CodedError, Hashable {
  public let code: String
  public let message: String
  /// What an operator could do instead.
  public let allowed: [AllowedVerb]

  public init(_ code: String, _ message: String, allowed: [AllowedVerb] = []) {
    self.code = code
    self.message = message
    self.allowed = allowed
  }
}

/// A history that no saga can have: a fault in what was stored, or in the engine.
public struct HistoryError: CodedError, Hashable {
  public var code: String { EngineErrorCode.historyImpossible }
  public let message: String
  package init(_ message: String) { self.message = message }
}
