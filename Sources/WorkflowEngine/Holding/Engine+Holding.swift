import Persistence
import Runtime
import SagaCore
import Values

extension SagaHost {
  /// Carries out an operator's verb, on one saga or as one of many.
  func operate(_ id: UniqueID, _ request: OperatorRequest) async throws -> SagaState {
    let state = try await ask(id, .operate(request))
    // A saga that an operator has resumed or ended is no longer held.
    if !state.isPaused || state.end != nil { await held.release(id) }
    return state
  }
}

extension Engine {
  /// The held sagas, the oldest first. Processes died while they computed these sagas.
  public var held: [HeldSaga] { host.held.all }

  /// Reads the held sagas, and pauses the sagas during which the last processes died, before any other saga is taken
  /// up.
  /// - Returns: the sagas during which one process died. They are taken up alone, after all others.
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
    // The pause reads the saga. If the process died of that, the pause is not tried again.
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
