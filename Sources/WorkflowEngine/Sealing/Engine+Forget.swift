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
        try await requireAncestorsEnded(before)
        try await host.dataKeys.markForDestruction(id)
      }
      _ = try await host.ask(id, .forget(act))
    }
    try await host.dataKeys.destroy(id)
    return try await host.state(of: id).closed
  }

  /// Checks that no saga above can still undo this one. A parent that has ended opens again when its own parent turns
  /// back, and then it undoes its children.
  private func requireAncestorsEnded(_ saga: SagaState) async throws {
    var next = saga.start.parent?.saga
    while let id = next {
      let above = try await host.state(of: id)
      guard above.end != nil else {
        throw Refusal(
          EngineErrorCode.sagaNotEnded,
          "The saga belongs to \(id), which has not ended and may still undo it. Forget it when all above it have ended."
        )
      }
      next = above.start.parent?.saga
    }
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
