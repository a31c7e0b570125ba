import SagaCore
import Synchronization
import Values

/// The table of turns that the sagas of one engine share.
///
/// A saga reports its turns after each append, and when it comes back into memory. The table answers with the sagas whose
/// turn has come, and the caller wakes them. A saga asks for its offers before it decides, so that an offer counts only
/// for the state that the table knows. So a saga that was paused or cancelled meanwhile never takes a turn that went to
/// another.
final class Turns: Sendable {
  private let table: Mutex<TurnTable>
  /// Whether the table has anything, so that sagas without turns take no lock.
  private let isUsed = Atomic<Bool>(false)

  init(fault: TurnTable.Fault? = nil) { table = Mutex(TurnTable(fault: fault)) }

  /// Reports what a saga holds and waits for.
  /// - Returns: the sagas whose turn has come.
  func update(_ state: SagaState) -> Set<UniqueID> {
    if !state.hasTurns, !isUsed.load(ordering: .acquiring) { return [] }
    return update(state.id, workflow: state.start.workflow, turns: state.turns, isPaused: state.isPaused)
  }

  func update(_ saga: UniqueID, workflow: String, turns: [Turn], isPaused: Bool) -> Set<UniqueID> {
    isUsed.store(true, ordering: .releasing)
    return table.withLock { $0.update(saga, workflow: workflow, turns: turns, isPaused: isPaused) }
  }

  /// Passes over a saga that can't be read.
  /// - Returns: the sagas whose turn has come.
  func passOver(_ saga: UniqueID) -> Set<UniqueID> { table.withLock { $0.passOver(saga) } }

  func offers(to saga: UniqueID) -> [TurnOffer] { table.withLock { $0.offers(to: saga) } }

  func open() -> Set<UniqueID> { table.withLock { $0.open() } }
  func close() { table.withLock { $0.close() } }
  func clear() { table.withLock { $0.clear() } }

  var counts: TurnCounts { table.withLock { $0.counts } }

  func line(of key: String, atMost most: Int) -> TurnLine? { table.withLock { $0.line(of: key, atMost: most) } }

  func lines(after: String?, limit: Int, atMost most: Int) -> [TurnLine] {
    table.withLock { $0.lines(after: after, limit: limit, atMost: most) }
  }

  func places(of saga: UniqueID, atMost most: Int) -> [TurnPlace] {
    table.withLock { $0.places(of: saga, atMost: most) }
  }
}

/// The faults that a test can put into the table of turns.
package enum TurnFault: Sendable { case forgetsRelease, ignoresLimit }
