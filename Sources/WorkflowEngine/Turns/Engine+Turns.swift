import Persistence
import Runtime
import SagaCore
import Values

extension Engine {
  /// The most holders, and the most waiters, that a line shows.
  public static let mostClaims = 100
  /// The most other holders that the place of a saga names.
  static let mostHolders = 10

  /// Returns the holders and the waiters of a key; nil when it has neither.
  public func turns(of key: String) -> TurnLine? { host.turns.line(of: key, atMost: Self.mostClaims) }

  /// Returns a page of keys that have holders or waiters, in the order of the keys.
  public func turns(after key: String?, limit: Int) -> [TurnLine] {
    host.turns.lines(after: key, limit: limit, atMost: Self.mostClaims)
  }

  /// The numbers of keys, of held turns and of waiters.
  public var turnCounts: TurnCounts { host.turns.counts }
}

extension SagaHost {
  /// Reports the turns of a saga, and wakes the sagas whose turn has come.
  func noteTurns(of state: SagaState) { wake(turns.update(state)) }

  /// Begins to give turns.
  func openTurns() { wake(turns.open()) }

  private func wake(_ sagas: Set<UniqueID>) {
    for id in sagas.sorted() {
      Task(executorPreference: environment.executor) {
        if await !self.tell(id, .wake) { await self.passOverIfUnreadable(id) }
      }
    }
  }

  /// Gives the turn that was offered to a saga to the next one, if the saga can't be read. While the store is
  /// unavailable, the saga keeps its offer: its timer wakes it again.
  private func passOverIfUnreadable(_ id: UniqueID) async {
    do {
      _ = try await saga(id)
    } catch {
      if let trouble = error as? StoreError, Self.isWorthRepeating(trouble) { return }
      wake(turns.passOver(id))
    }
  }

  /// Reads the turns of a saga that is not in memory from its events alone, so that no other saga takes a turn that it
  /// holds. Its other events are not decoded. Waits while the store is unavailable.
  func noteTurnsOfUnread(_ id: UniqueID) async {
    var failures = 0
    while !Task.isCancelled, !isStopped {
      do {
        let (workflow, held) = try await turnsOfUnread(id)
        // A saga that came into memory meanwhile has reported newer ones.
        if !held.isEmpty, !isInMemory(id) {
          wake(turns.update(id, workflow: workflow, turns: held, isPaused: true))
        }
        return
      } catch {
        guard let trouble = error as? StoreError, Self.isWorthRepeating(trouble) else {
          log.error("The turns of a saga could not be read", ("saga", "\(id)"), ("error", "\(error)"))
          return
        }
        failures += 1
        await rest(after: failures)
      }
    }
  }

  private func turnsOfUnread(_ id: UniqueID) async throws -> (workflow: String, turns: [Turn]) {
    var held: [String: Turn] = [:]
    var workflow = ""
    var pages = history.pages(of: id)
    while let page = try await pages.next() {
      for stored in page where Self.concernsTurns(stored.type) {
        let event = try SagaEventCoding.decode(stored)
        if let started = event.what as? SagaStarted { workflow = started.saga.workflow }
        event.fold(into: &held)
      }
    }
    return (workflow, Array(held.values))
  }

  private static func concernsTurns(_ type: String) -> Bool {
    [
      SagaStarted.typeName, TurnAsked.typeName, TurnTaken.typeName, TurnReleased.typeName, SagaCompleted.typeName,
      SagaCompensated.typeName, SagaAbandoned.typeName,
    ].contains(type)
  }
}
