import Persistence
import Runtime
import SagaCore
import Values

extension Engine {
  /// The held sagas, the oldest first. Processes died while they computed these sagas.
  public var held: [HeldSaga] { host.held.all }

  /// Reads what is held back, and pauses the sagas that the last processes died of, before any other is taken up.
  /// - Returns: the sagas that one process died of: they are taken up alone, after all others.
  func holdBack() async throws -> Set<UniqueID> {
    try await host.held.load()
    if configuration.takesUpHeld {
      for saga in host.held.all where !saga.isPaused { await host.held.release(saga.id) }
    }
    var suspects: Set<UniqueID> = []
    for (id, deaths) in host.held.suspects.sorted(by: { $0.key < $1.key }) {
      guard deaths >= InterruptionFile.certain, !configuration.takesUpHeld else {
        suspects.insert(id)
        continue
      }
      await hold(id, isUntouchable: deaths >= InterruptionFile.untouchable)
    }
    return suspects
  }

  private func hold(_ id: UniqueID, isUntouchable: Bool) async {
    let now = host.environment.now()
    // Pausing reads the saga. When the process died of that, it is not tried again.
    if !isUntouchable {
      do {
        let isPaused = try await host.held.doing(.putAway, with: id) { try await host.pause(id, because: Self.reason) }
        host.held.clear(id)
        // It has ended meanwhile.
        if !isPaused { return }
      } catch {
        host.log.error("A saga that is held back could not be paused", ("saga", "\(id)"), ("error", "\(error)"))
        if let refusal = error as? Refusal, refusal.code == EngineErrorCode.sagaNotFound {
          host.held.clear(id)
          return
        }
      }
    }
    await host.held.hold(HeldSaga(id: id, since: now, isPaused: !isUntouchable))
    host.log.error(
      "A saga is held back, because the engine died while it computed it; an operator has to look",
      ("saga", "\(id)"), ("paused", "\(!isUntouchable)"))
  }

  private static let reason =
    "The engine died while it computed this saga, and again when it took it up. An operator resumes or ends it."
}
