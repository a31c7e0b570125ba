import JSON
import Messaging
import Persistence
import SagaCore
import Values

extension Poison {
  /// What makes a message one that no repetition helps; nil for what passes, as a store or an engine that is not there
  /// just now.
  ///
  /// A saga whose history can't be read is final too: its messages lie with the dead letters until somebody has looked at
  /// it, and hold up no other saga's.
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
    code == EngineErrorCode.workflowNotFound || code == EngineErrorCode.sagaStartKeyReused
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
