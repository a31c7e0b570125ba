import Messaging
import Persistence
import SagaCore
import Values
import WorkflowEngine

extension Poison {
  /// Makes a poison message from an error that no repetition resolves. Nil for a temporary error, such as an
  /// unavailable store or engine.
  ///
  /// A saga whose history can't be read is final too. Its messages stay with the dead letters until a person has
  /// checked them, and do not block the messages of other sagas.
  init?(finally error: any Error) {
    switch error {
    case let refusal as Refusal: self.init(refusal.code, refusal.message)
    case let error as HistoryError: self.init(error.code, error.message)
    case let error as UnreadableEvent: self.init(error.code, error.message)
    case let error as EngineError where Self.isFinal(error.code): self.init(error.code, error.message)
    case let error as StoreError where Self.isFinal(error.kind): self.init(error.code, error.message)
    default: return nil
    }
  }

  private static func isFinal(_ code: String) -> Bool {
    [EngineErrorCode.workflowNotFound, EngineErrorCode.workflowOnlyDrafts, EngineErrorCode.sagaStartKeyReused]
      .contains(code)
  }

  private static func isFinal(_ kind: StoreError.Kind) -> Bool {
    switch kind {
    case .invalid, .corrupt: true
    case .versionConflict, .startKeyTaken, .claimTaken, .definitionConflict, .checkpointConflict, .notOwner,
      .unavailable, .outcomeUnknown, .closed, .locked, .foreign, .newerVersion, .olderVersion:
      false
    }
  }
}
