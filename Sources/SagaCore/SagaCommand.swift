import JSON
import JSONSchema
import Values

/// The requests and the reports that a saga can get.
public enum SagaCommand: Sendable, Hashable {
  case start(SagaStart)
  /// `round`: the round of the attempt; nil for the current round.
  case attemptSettled(step: String, phase: StepPhase, round: Int? = nil, attempt: Int, outcome: StepOutcome)
  /// A look ended that the history does not have as an attempt.
  case looked(LookReport)
  /// Turns for which the saga waits have come.
  case takeTurns([TurnOffer])
  /// A child of the saga was started, or has ended.
  case child(ChildReport)
  /// The saga is a child, and its parent undoes it.
  case undoForParent
  /// A participant answered by a message. The attempt may have settled long ago.
  case answered(StepAnswer)
  /// A worker takes a task.
  case taken(TaskClaim)
  /// A worker answers a task that it has taken, or its lease has ended.
  case task(TaskAnswer)
  /// Time has passed: do what is due.
  case wake
  /// The engine restarted: no executor will report on the attempts that were in flight.
  case recover
  /// `formerIDs`: the ids that an older version would have given the signal.
  case give(SignalGiven, formerIDs: [String] = [])
  /// An operator acts on it.
  case operate(OperatorRequest)
  /// The key of the sensitive values of the ended saga is about to be destroyed.
  case forget(OperatorAct)
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
  /// The verbs that an operator could use instead.
  public let allowed: [AllowedVerb]
  /// The violations of a schema, when it refused the input or the body: at most `SchemaVerdict.most`.
  public let violations: [SchemaViolation]
  /// The number of further violations.
  public let moreViolations: Int

  public init(
    _ code: String, _ message: String, allowed: [AllowedVerb] = [], violations: [SchemaViolation] = [],
    moreViolations: Int = 0
  ) {
    self.code = code
    self.message = message
    self.allowed = allowed
    self.violations = violations
    self.moreViolations = moreViolations
  }

  /// Returns the same refusal with the verbs that an operator could use instead.
  func allowing(_ verbs: [AllowedVerb]) -> Refusal {
    Refusal(code, message, allowed: verbs, violations: violations, moreViolations: moreViolations)
  }
}

/// A history that no saga can have: an error in the stored events or in the engine.
public struct HistoryError: CodedError, Hashable {
  public var code: String { EngineErrorCode.historyImpossible }
  public let message: String
  package init(_ message: String) { self.message = message }
}
