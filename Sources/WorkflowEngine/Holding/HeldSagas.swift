import JSON
import Persistence
import Runtime
import Synchronization
import Values

/// The held sagas, in memory and in the store.
///
/// A process notes each saga while it computes it (`InterruptionFile`). When it dies, the next process finds the notes.
///
/// The engine takes up a saga from the notes alone, after all others. The process may have been killed by chance while
/// it computed that saga.
///
/// The engine pauses a saga in two cases: a process died when it took the saga up alone, or three processes died while
/// they computed the saga. The pause is an event in the saga's history. The engine stores it before it evaluates
/// anything of the saga. An operator resumes or ends the saga.
///
/// If the process also dies when it pauses the saga, the engine does not read the saga any more.
final class HeldSagas: Sendable {
  private static let collection = "held-sagas"

  private let store: any EventStore
  private let log: Log
  private let file: InterruptionFile?
  private let sagas = Mutex<[UniqueID: HeldSaga]>([:])
  /// Called before a saga is computed. A test ends the process there.
  private let beforeComputing: (@Sendable (UniqueID) -> Void)?

  init(
    store: any EventStore, file: InterruptionFile?, beforeComputing: (@Sendable (UniqueID) -> Void)?, log: Log
  ) {
    self.store = store
    self.file = file
    self.beforeComputing = beforeComputing
    self.log = log
  }

  /// Computes something of a saga, with a note for the next process.
  func computing<Result>(_ id: UniqueID, _ body: () throws -> Result) rethrows -> Result {
    let note = file?.begin(id)
    defer { file?.end(note) }
    beforeComputing?(id)
    return try body()
  }

  /// The sagas that were being computed when processes died, with the number of deaths.
  var suspects: [UniqueID: Int] { file?.interrupted ?? [:] }

  /// Does something with a suspect saga, and notes the mode.
  func doing<Result>(_ mode: InterruptionFile.Mode, with id: UniqueID, _ body: () async throws -> Result) async rethrows
    -> Result
  {
    file?.work(on: id, mode)
    defer { file?.work(on: id, .beside) }
    return try await body()
  }

  /// Clears the suspicion: the saga has ended, or waits for its operator.
  func clear(_ id: UniqueID) { file?.forget(id) }

  /// Clears every suspicion, because the process ends in an orderly way.
  func clearAll() { file?.close() }

  /// The held sagas, the oldest first.
  var all: [HeldSaga] { sagas.withLock { $0.values.sorted { ($0.since, $0.id) < ($1.since, $1.id) } } }

  /// Whether the saga must not be read at all.
  func isUntouchable(_ id: UniqueID) -> Bool { sagas.withLock { $0[id].map { !$0.isPaused } ?? false } }

  /// Loads the sagas that earlier processes held.
  func load() async throws {
    var after: DocumentCursor?
    while true {
      let page = try await store.documents(DocumentQuery(collection: Self.collection, after: after, limit: 500))
      for document in page {
        guard let json = try? JSON(parsing: document.data, limits: .stored), let held = HeldSaga(json) else { continue }
        sagas.withLock { $0[held.id] = held }
      }
      guard page.count == 500, let last = page.last else { return }
      after = last.cursor
    }
  }

  func hold(_ held: HeldSaga) async {
    sagas.withLock { $0[held.id] = held }
    let document = Document(
      collection: Self.collection, id: held.id.description, sort: held.since.description, data: held.json.bytes())
    await write([document], [], shard: store.shard(of: held.id))
  }

  /// Removes a saga from the held ones.
  func release(_ id: UniqueID) async {
    guard sagas.withLock({ $0.removeValue(forKey: id) }) != nil else { return }
    let name = DocumentName(collection: Self.collection, id: id.description)
    await write([], [name], shard: store.shard(of: id))
  }

  private func write(_ documents: [Document], _ names: [DocumentName], shard: Int) async {
    do {
      try await store.apply(
        ProjectionBatch(follower: Self.collection, shard: shard, from: 0, to: 0, upserts: documents, deletes: names))
    } catch {
      log.error("The list of held sagas could not be written", ("error", error.message))
    }
  }
}
