import JSON
import Persistence
import Runtime
import SagaCore
import Synchronization
import Values

/// Keeps one generation of the read model up to date with the events.
///
/// Open sagas are kept folded in memory, so that an event costs only its own work. A saga that is not in memory, after
/// a start or when very many are open, is read from its events again.
final class SagaFollower: ShardFollower {
  let name = "the read model of sagas"
  let generation: Int
  private let history: SagaHistory
  private let store: any SagaReadStore
  private let log: Log
  private let folds: Mutex<FollowedSagas>

  init(generation: Int, events: any EventStore, store: any SagaReadStore, log: Log, keeping limit: Int = 20_000) {
    self.generation = generation
    history = SagaHistory(events)
    self.store = store
    self.log = log
    folds = Mutex(FollowedSagas(limit: limit))
  }

  func checkpoint(shard: Int) async throws -> Int64 {
    try await store.checkpoints(generation)[shard]?.position ?? 0
  }

  func reset() async throws {
    throw StoreError.invalid("a generation isn't emptied: a new one is begun")
  }

  func apply(_ events: [StoredEvent], shard: Int, from: Int64) async throws {
    guard let last = events.last else { return }
    // 1. Read every saga as it was before these events.
    var sagas = try await sagas(before: events)
    let before = sagas.mapValues(\.row)
    // 2. Fold the events.
    var counting = StepCounting()
    for event in events { take(event, into: &sagas, &counting) }
    // 3. Store the changes together with the new position.
    let changes = sagas.values.compactMap { saga -> SagaChange? in
      guard let row = saga.row else { return nil }
      let old = before[row.id] ?? nil
      return old == row ? nil : SagaChange(old: old, new: row)
    }.sorted { $0.new.id < $1.new.id }
    let batch = ReadBatch(
      generation: generation, shard: shard, from: from,
      to: ReadCheckpoint(position: last.position, hash: last.hash), changes: changes, minutes: counting.all)
    do throws(StoreError) {
      try await store.apply(batch)
    } catch {
      guard error.kind == .invalid else { throw error }
      try await applyReduced(batch, refusedWith: error, &sagas)
    }
    // 4. Keep the folds only now: after a failure, the next try begins from the stored state.
    folds.withLock { folds in for (id, saga) in sagas { folds.keep(saga, id) } }
  }

  // MARK: What the store refuses

  /// Writes the part that the store takes of a batch that it refused for its values. One saga must not block its shard:
  /// its row is written reduced, with a note. If the store refuses even that, the saga gets no row.
  private func applyReduced(
    _ refused: ReadBatch, refusedWith error: StoreError, _ sagas: inout [UniqueID: FollowedSaga]
  ) async throws {
    var batch = refused
    let reasons = try await store.refused(batch.changes, generation: generation)
    for index in batch.changes.indices {
      let saga = batch.changes[index].new.id
      guard let reason = reasons[saga] else { continue }
      log.warning(
        "The list of sagas can't store a row; it is stored reduced", ("saga", "\(saga)"), ("error", reason))
      batch.changes[index].new = batch.changes[index].new.reduced(because: reason)
      sagas[saga]?.row = batch.changes[index].new
    }
    let rest = try await store.refused(batch.changes.filter { reasons[$0.new.id] != nil }, generation: generation)
    for change in batch.changes where rest[change.new.id] != nil {
      log.warning("The list of sagas can't store a row even reduced; it stays as it was", ("saga", "\(change.new.id)"))
      sagas[change.new.id]?.row = change.old
    }
    batch.changes.removeAll { rest[$0.new.id] != nil }
    if !reasons.isEmpty {
      do throws(StoreError) {
        return try await store.apply(batch)
      } catch {
        guard error.kind == .invalid else { throw error }
      }
    }
    // The store refused the counters, not a single row.
    if batch.minutes.isEmpty { throw error }
    log.warning("The statistics of steps can't be stored; they lack a moment", ("error", "\(error)"))
    batch.minutes = []
    try await store.apply(batch)
  }

  // MARK: Before

  private func sagas(before events: [StoredEvent]) async throws -> [UniqueID: FollowedSaga] {
    var first: [UniqueID: Int] = [:]
    for event in events where first[event.stream] == nil { first[event.stream] = event.version }
    var sagas: [UniqueID: FollowedSaga] = [:]
    var missing: [UniqueID: Int] = [:]
    folds.withLock { folds in
      for (id, version) in first {
        if version == 1 {
          sagas[id] = FollowedSaga()
        } else if let kept = folds.take(id), kept.version == version - 1 {
          sagas[id] = kept
        } else {
          missing[id] = version - 1
        }
      }
    }
    let rows = try await store.rows(missing.keys.sorted(), generation: generation)
    for row in rows { sagas[row.id, default: FollowedSaga()].row = row }
    for (id, version) in missing { try await fold(id, to: version, into: &sagas[id, default: FollowedSaga()]) }
    return sagas
  }

  /// Folds a saga to one of its versions.
  private func fold(_ id: UniqueID, to version: Int, into saga: inout FollowedSaga) async throws {
    saga.fold = SagaFold(try await history.snapshot(of: id, upTo: version))
    var pages = history.pages(of: id, after: saga.version, upTo: version)
    while let page = try await pages.next() {
      for event in page {
        let wasBroken = saga.isBroken
        if !saga.evolve(event), !wasBroken {
          log.warning(
            "An event can't be read; the list shows the saga as its writer recorded it", ("saga", "\(id)"),
            ("version", "\(event.version)"))
        }
      }
    }
    if pages.version < version {
      // Another program wrote the row, and the store has no events before it. The row does not block the shard.
      log.warning(
        "A stream in the read model has a gap", ("stream", "\(id)"), ("after", "\(pages.version)"),
        ("before", "\(version + 1)"))
      saga.fold.breakOff(at: version)
    }
  }

  // MARK: After

  private func take(_ stored: StoredEvent, into sagas: inout [UniqueID: FollowedSaga], _ counting: inout StepCounting) {
    // The saga is out of the table while it changes, because otherwise it would be copied.
    guard var saga = sagas.removeValue(forKey: stored.stream) else { return }
    let before = saga.state
    let wasBroken = saga.isBroken
    if saga.evolve(stored) {
      if let before, let event = saga.lastEvent { counting.note(event, before: before) }
      saga.makeRow(shard: stored.shard)
    } else {
      // One event that can't be read does not block the shard. A request for its saga gets the error. The list shows
      // what the event's writer recorded in it.
      if !wasBroken {
        log.warning("An event can't be shown in lists", ("saga", "\(stored.stream)"), ("type", stored.type))
      }
      saga.noteStatus(of: stored)
    }
    sagas[stored.stream] = saga
  }
}

/// A saga as far as its events have been folded, with its row.
struct FollowedSaga {
  var fold = SagaFold()
  /// The row that is to be stored.
  var row: SagaRow?
  private(set) var lastEvent: SagaEvent?
  private var startWords: [String]?
  /// Whether the stream does not belong to a saga.
  private var isForeign = false

  var version: Int { fold.version }
  var state: SagaState? { fold.state }
  var isBroken: Bool { fold.isBroken }

  /// Folds one more event.
  /// - Returns: false when this event, or one before it, can't be folded.
  mutating func evolve(_ stored: StoredEvent) -> Bool {
    if stored.version == 1, stored.type != SagaStarted.typeName { isForeign = true }
    if isForeign {
      fold.breakOff(at: stored.version)
      return true
    }
    guard let event = try? fold.take(stored) else { return false }
    lastEvent = event
    return true
  }

  /// Updates the row to the state.
  mutating func makeRow(shard: Int) {
    guard let state, let lastEvent else { return }
    let words = startWords ?? SagaRow.startWords(state.start)
    startWords = words
    row = SagaRow(state, shard: shard, at: lastEvent.at, startWords: words)
  }

  mutating func noteStatus(of stored: StoredEvent) {
    guard row != nil, let status = (try? JSON(parsing: stored.meta, limits: .stored))?["status"]?.stringValue else {
      return
    }
    // The engine can't take the saga up, so a person must look at it. Why it is stuck can't be read, but that it is.
    let isEnd = SagaStatus(rawValue: status)?.isEnd ?? false
    let since = row?.need.flatMap { $0.code == EngineErrorCode.eventUnreadable ? $0.since : nil } ?? stored.recordedAt
    row?.need = isEnd ? nil : SagaNeed(kind: .held, code: EngineErrorCode.eventUnreadable, since: since)
    row?.late = nil
    row?.status = status
    row?.updatedAt = stored.recordedAt
  }
}

/// The folded sagas that were used last.
struct FollowedSagas {
  let limit: Int
  private var folds: [UniqueID: (fold: FollowedSaga, used: Int)] = [:]
  private var clock = 0

  init(limit: Int) { self.limit = limit }

  /// Removes a fold. The caller adds it again once its events are stored.
  mutating func take(_ id: UniqueID) -> FollowedSaga? { folds.removeValue(forKey: id)?.fold }

  mutating func keep(_ fold: FollowedSaga, _ id: UniqueID) {
    // Only a child that its parent undoes gets events after its end. Then it is folded from its history.
    if fold.state?.end != nil { return }
    clock += 1
    folds[id] = (fold, clock)
    guard folds.count > limit else { return }
    // Half of the folds are removed at once, because a search for the oldest one each time would cost more than it
    // saves.
    let uses = folds.values.map(\.used).sorted()
    let oldest = uses[uses.count / 2]
    folds = folds.filter { $0.value.used > oldest }
  }
}
