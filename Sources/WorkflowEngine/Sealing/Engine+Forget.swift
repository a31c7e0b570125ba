import Persistence
import Runtime
import SagaCore
public import Values

extension Engine {
  /// The open sagas that can't be taken up because the key of their sensitive values can't be had, the oldest first.
  public var sagasWithoutKey: [UniqueID] { host.dataKeys.lostSagas }

  /// Destroys the key of an ended saga's sensitive values, behind an event with the person and the reason. A repeat
  /// makes sure that the key is destroyed.
  /// - Throws: `Refusal` `saga.notEnded`, `saga.notSealed`, `saga.reasonMissing` or `saga.notFound`; `StoreError`, and
  ///   then the key may be there still: the same request again, or the next start of the engine, destroys it.
  public func forget(_ id: UniqueID, _ act: OperatorAct) async throws -> SagaState {
    try requireReady()
    let before = try await host.state(of: id)
    if before.forgotten == nil {
      if before.end != nil, before.start.isSealed {
        if let parent = before.start.parent?.saga, try await host.state(of: parent).end == nil {
          throw Refusal(
            EngineErrorCode.sagaNotEnded,
            "The saga was started by \(parent), which has not ended and may still undo it. Forget it when both have ended."
          )
        }
        try await host.dataKeys.markForDestruction(id)
      }
      _ = try await host.ask(id, .forget(act))
    }
    try await host.dataKeys.destroy(id)
    return try await host.state(of: id).closed
  }

  /// Finishes what an earlier process has begun: keys that were to be destroyed, and keys of other master keys.
  func tidyDataKeys() async {
    do {
      try await host.dataKeys.tidy { [host] id in (try? await host.state(of: id))?.forgotten != nil }
    } catch {
      host.log.error(
        "The data keys of sagas could not be tidied; the next start tries again", ("error", "\(error)"))
    }
  }
}
