import Foundation
import Runtime
import TestSupport
import Testing
import Values

@testable import Persistence
@testable import PostgresPersistence

/// Runs a test on a new read model of its own and clears up after it.
/// - Parameter limits: small ones let few rows go the ways that many go.
func withReadStore(
  _ kind: StoreKind, limits: SagaListingLimits = SagaListingLimits(),
  _ body: @Sendable (any SagaReadStore) async throws -> Void
) async throws {
  try await withPlace(kind) { place in
    let store: any SagaReadStore =
      switch kind {
      case .memory: MemoryReadStore()
      case .sqlite:
        try await SQLReadStore(
          SQLiteReadDatabase.open(path: place.location + ".read"), limits: limits)
      case .postgres: try await openPostgres(place, limits)
      }
    do {
      try await body(store)
    } catch {
      await store.close()
      throw error
    }
    await store.close()
  }
}

private func openPostgres(_ place: StorePlace, _ limits: SagaListingLimits) async throws -> SQLReadStore {
  try await SQLReadStore.postgres(
    .patient(url: PostgresPlace.url ?? "", name: place.location), limits: limits, environment: .system)
}

/// Rows and queries of a seed.
struct RandomSagas {
  var random: SeededRandom
  static let epoch: Int64 = 1_772_352_000_000
  private static let statuses = ["running", "compensating", "stuck", "completed", "compensated", "abandoned"]
  private static let stepStatuses = ["pending", "running", "waiting", "succeeded", "failed", "undone", "undoFailed"]
  private static let codes = ["http.503", "http.404", "QC_FAILED", "timeout", "http.5"]
  private static let words = ["lab-001", "lab-002", "labour", "plate", "é", "übung", "00123"]

  init(seed: UInt64) { random = SeededRandom(seed: seed) }

  private mutating func pick<Value>(_ values: [Value]) -> Value {
    values[Int.random(in: 0..<values.count, using: &random)]
  }
  mutating func chance(_ one: Int) -> Bool { Int.random(in: 0..<one, using: &random) == 0 }

  mutating func start() -> SagaRow {
    let moment = Timestamp(milliseconds: Self.epoch + Int64.random(in: 0..<100_000, using: &random) / 10)
    let id = UniqueID.version7(at: moment, random: (random.next(), random.next()))
    var row = SagaRow(
      id: id, shard: Int.random(in: 0..<4, using: &random), lastEvent: 1, workflow: pick(["a", "b", "b/c"]),
      version: pick([1, 1, 2, -2]), status: "running", startedAt: moment, updatedAt: moment,
      deadline: moment + .seconds(9),
      key: chance(3) ? "key \(Int.random(in: 0..<40, using: &random))" : nil)
    if chance(3) { row.tags = chance(2) ? ["urgent"] : ["urgent", "night shift"] }
    // They follow from what is there, so that a seed gives the same rows as before.
    row.title = row.key.map { "Order \($0)" }
    row.parent = row.key.map { "parent of \($0)" }
    row.labels = [Label("ward", row.workflow)] + [row.key.map { Label("order", $0) }].compactMap { $0 }
    row.steps = ["x", "y"].map { StepRow(id: $0, status: "pending") }
    row.words = [id.description] + [pick(Self.words), pick(Self.words)]
    row.words = Array(Set(row.words)).sorted()
    change(&row)
    return row
  }

  mutating func change(_ row: inout SagaRow) {
    row.lastEvent += 1
    row.updatedAt = row.updatedAt + .milliseconds(Int.random(in: 0..<5_000, using: &random))
    row.status = pick(Self.statuses)
    let ended = ["completed", "compensated", "abandoned"].contains(row.status)
    row.endedAt = ended ? row.updatedAt : nil
    row.overdueAt = ended ? nil : row.deadline
    row.isPaused = !ended && chance(5)
    row.attempts = Int.random(in: 0..<5, using: &random)
    row.failureCode = row.status == "completed" || chance(2) ? nil : pick(Self.codes)
    row.failedStep = row.failureCode == nil ? nil : "x"
    row.failureMessage = row.failureCode.map { "It said \($0)." }
    row.causeCode = row.status == "compensating" || row.status == "compensated" ? row.failureCode : nil
    row.waitingFor = ended || chance(2) ? [] : [pick(["go", "delay", "answer"])]
    for index in row.steps.indices {
      let status = pick(Self.stepStatuses)
      row.steps[index].status = status
      row.steps[index].isAt = !ended && ["running", "waiting", "undoFailed"].contains(status)
      row.steps[index].error = ["failed", "undoFailed"].contains(status) ? pick(Self.codes) : nil
      row.steps[index].attempts = Int.random(in: 0..<3, using: &random)
    }
    need(&row)
  }

  /// Sets what the row needs. It follows from what is there, so that a seed gives the same rows as before.
  private func need(_ row: inout SagaRow) {
    let failing = row.steps.first { $0.error != nil }
    let phase = failing?.status == "undoFailed" ? "undo" : "forward"
    let kind: IncidentKind? =
      row.endedAt != nil
      ? nil
      : row.status == "stuck"
        ? .stuck
        : row.isPaused
          ? (row.updatedAt.milliseconds.isMultiple(of: 3) ? .held : .paused) : failing == nil ? nil : .retrying
    row.need = kind.map { kind in
      kind == .paused || kind == .held
        ? SagaNeed(kind: kind, code: kind == .held ? "saga.held" : nil, since: row.updatedAt)
        : SagaNeed(
          kind: kind, step: failing?.id, phase: failing.map { _ in phase }, code: failing?.error, since: row.updatedAt)
    }
    let comesFirst = kind == .stuck || kind == .paused || kind == .held
    row.late =
      comesFirst ? nil : row.overdueAt.map { SagaNeed(kind: .overdue, step: "y", phase: "forward", since: $0) }
  }

  mutating func query() -> SagaQuery {
    var query = SagaQuery()
    func moment(_ random: inout SeededRandom) -> Timestamp {
      Timestamp(milliseconds: Self.epoch + Int64.random(in: 0..<15_000, using: &random))
    }
    if chance(3) { query.statuses = [pick(Self.statuses)] }
    if chance(8) { query.statuses.insert(pick(Self.statuses)) }
    if chance(3) { query.workflow = pick(["a", "b", "b/c", "none"]) }
    if chance(6) { query.version = pick([1, 2, 3, -2]) }
    if chance(5) { query.step = pick(["x", "y", "z"]) }
    if chance(5) { query.stepStatus = pick(Self.stepStatuses) }
    if chance(5) { query.error = pick(["http.503", "http.5", "http.*", "QC_*", "http.5*", "no"]) }
    if chance(8) { query.minAttempts = pick([1, 2, 4]) }
    if chance(8) { query.waitingFor = pick(["go", "delay", "answer", "none"]) }
    if chance(8) { query.overdueAt = moment(&random) }
    if chance(8) { query.isPaused = chance(2) }
    if chance(8) { query.isDraft = chance(2) }
    if chance(6) { query.tags = chance(2) ? ["urgent"] : ["urgent", "night shift"] }
    if chance(10) { query.key = "key \(Int.random(in: 0..<40, using: &random))" }
    if chance(6) { query.words = chance(2) ? ["lab"] : ["lab-00", pick(["p", "übung", "é", "001"])] }
    if chance(6) { query.started.from = moment(&random) }
    if chance(6) { query.started.before = moment(&random) }
    if chance(8) { query.ended.from = moment(&random) }
    if chance(8) { query.ended.before = moment(&random) }
    query.sort = pick(SagaSort.allCases)
    if query.version == 2 { query.labels = [Label("ward", "b/c")] }
    if let key = query.key {
      query.labels.append(Label("order", key))
      query.parent = "parent of \(key)"
    }
    if query.isPaused != nil { query.cause = query.error.flatMap { $0.hasSuffix("*") ? nil : $0 } }
    if chance(6) { query.parent = "parent of key \(Int.random(in: 0..<40, using: &random))" }
    return query
  }
}

/// The rows that a read model and its reference model both got.
struct FilledModel {
  var rows: [UniqueID: SagaRow] = [:]
  var positions: [Int: Int64] = [:]

  /// Starts and changes sagas in batches, on each of the stores.
  mutating func fill(
    _ stores: [any SagaReadStore], from sagas: inout RandomSagas, count: Int, changes: Int, generation: Int = 1
  ) async throws {
    var work: [[SagaChange]] = [[]]
    func add(_ change: SagaChange) {
      if work[work.count - 1].count >= 50 { work.append([]) }
      work[work.count - 1].append(change)
    }
    for _ in 0..<count {
      let row = sagas.start()
      rows[row.id] = row
      add(SagaChange(old: nil, new: row))
    }
    for id in rows.keys.sorted().prefix(changes) {
      guard let old = rows[id] else { continue }
      var new = old
      sagas.change(&new)
      rows[id] = new
      work.append([SagaChange(old: old, new: new)])
    }
    for batch in work where !batch.isEmpty {
      let from = positions[0] ?? 0
      positions[0] = from + 1
      for store in stores {
        try await store.apply(
          ReadBatch(
            generation: generation, shard: 0, from: from, to: ReadCheckpoint(position: from + 1, hash: [1]),
            changes: batch))
      }
    }
  }
}

extension SagaReadStore {
  /// All pages of a list.
  func all(_ query: SagaQuery, limit: Int) async throws -> (rows: [SagaRow], pages: Int) {
    var rows: [SagaRow] = []
    var place: SagaCursor?
    var pages = 0
    repeat {
      let page = try await list(query, after: place, limit: limit)
      rows += page.rows
      place = page.next
      pages += 1
    } while place != nil
    return (rows, pages)
  }
}
