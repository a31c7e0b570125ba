import JSON
import Runtime

/// What can be asked of a saga, and what can be reported to it.
public enum SagaCommand: Sendable, Hashable {
  case start(SagaStart)
  case attemptSettled(step: String, phase: StepPhase, attempt: Int, outcome: StepOutcome)
  /// A participant answered by a message: news of an attempt that may have been settled long ago.
  case answered(StepAnswer)
  /// Time has passed: do what is due.
  case wake
  /// The engine restarted: nothing that was in flight will report any more.
  case recover
  case signal(name: String, signalID: String?, body: JSON, by: String)
  /// `commandID` names the message that brought it: the same one again is a repeat.
  case cancel(by: String, reason: String, commandID: String? = nil)
  case retry(step: String, by: String, reason: String)
  case resolve(step: String, Resolution, by: String, reason: String)
  case abandon(by: String, reason: String)
}

/// A command that can't be done as the saga stands. Nothing has changed.
public struct Refusal: CodedError, Hashable {
  public let code: String
  public let message: String

  public init(_ code: String, _ message: String) {
    self.code = code
    self.message = message
  }
}

/// A history that no saga can have: a fault in what was stored, or in the engine.
public struct HistoryError: CodedError, Hashable {
  public var code: String { EngineErrorCode.historyImpossible }
  public let message: String
  init(_ message: String) { self.message = message }
}
