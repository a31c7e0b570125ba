import JSON
import Values

/// Writes one batch inside a transaction.
struct ReadBatchWriter {
  private let session: any ReadSession
  private let batch: ReadBatch
  private let tables: ReadTables

  init(_ session: any ReadSession, _ batch: ReadBatch) {
    self.session = session
    self.batch = batch
    tables = ReadTables(generation: batch.generation)
  }

  func write() throws(StoreError) {
    // Moves the checkpoint first. A second writer of the same shard waits here, and then finds that the checkpoint has
    // moved.
    try moveCheckpoint()
    try writeRows()
    try writeTerms()
    try writeFacets()
    try writeMinutes()
  }

  /// Writes only the changes, to test whether the database accepts them.
  func tryChanges() throws(StoreError) {
    try writeRows()
    try writeTerms()
    try writeFacets()
  }

  private func moveCheckpoint() throws(StoreError) {
    let shard = [SQLValue.int(Int64(batch.generation)), .int(Int64(batch.shard))]
    if batch.from == 0 {
      try session.insert(
        "read_checkpoints", ["generation", "shard", "position", "hash"], [shard + [.int(0), .bytes([])]],
        conflict: "ON CONFLICT DO NOTHING")
    }
    let moved = try session.execute(
      "UPDATE read_checkpoints SET position = $3, hash = $4 WHERE generation = $1 AND shard = $2 AND position = $5",
      shard + [.int(batch.to.position), .bytes(batch.to.hash), .int(batch.from)])
    guard moved == 1 else {
      let actual = try session.query(
        "SELECT position FROM read_checkpoints WHERE generation = $1 AND shard = $2", shard
      ) { row throws(StoreError) in try row.int(0) }.first
      throw .checkpointConflict(batch, actual: actual ?? 0)
    }
  }

  private static let columns = [
    "id", "workflow", "version", "status", "code", "cause", "errors", "steps", "started_at", "updated_at", "ended_at",
    "overdue_at", "attempts", "need", "need_since", "late", "marks", "words",
  ]
  private static let replace =
    "ON CONFLICT (id) DO UPDATE SET " + columns.dropFirst().map { "\($0) = excluded.\($0)" }.joined(separator: ", ")

  private func writeRows() throws(StoreError) {
    let changed = batch.changes.filter { $0.old != $0.new }.map(\.new)
    let rows = changed.map { row -> [SQLValue] in
      [
        .id(row.id), .text(row.workflow), .int(Int64(row.version)), .text(row.status), .text(Self.text(row.shownCode)),
        .text(Self.text(row.causeCode)),
        .text(Self.joined(row.errors.sorted())), .text(Self.joined(row.at)),
        .moment(row.startedAt), .moment(row.updatedAt), .moment(row.endedAt), .moment(row.overdueAt),
        .int(Int64(row.attempts)), .text(Self.id(row.need, row)),
        row.need.map { .int($0.since.milliseconds) } ?? .noInt,
        .text(Self.id(row.late, row)), .text(row.marksText), .text(row.wordsText),
      ]
    }
    if rows.isEmpty { return }
    try session.insert(tables.sagas, Self.columns, rows, conflict: Self.replace)
    try session.insert(
      tables.rows, ["id", "data"], changed.map { [.id($0.id), .text($0.json.text())] },
      conflict: "ON CONFLICT (id) DO UPDATE SET data = excluded.data")
  }

  private func writeTerms() throws(StoreError) {
    var inserts: [[SQLValue]] = []
    for change in batch.changes {
      let old = change.old?.indexTerms ?? []
      let new = change.new.indexTerms
      let id = SQLValue.id(change.new.id)
      let started = SQLValue.moment(change.new.startedAt)
      for term in old.subtracting(new).sorted() {
        try session.execute(
          "DELETE FROM \(tables.terms) WHERE term = $1 AND started_at = $2 AND id = $3", [.text(term), started, id])
      }
      for term in new.subtracting(old).sorted() { inserts.append([.text(term), started, id]) }
    }
    if inserts.isEmpty { return }
    try session.insert(tables.terms, ["term", "started_at", "id"], inserts, conflict: "ON CONFLICT DO NOTHING")
  }

  private func writeFacets() throws(StoreError) {
    var counts: [FacetKey: Int] = [:]
    for change in batch.changes {
      let new = FacetKey(change.new)
      let old = change.old.map(FacetKey.init)
      if old == new { continue }
      if let old { counts[old, default: 0] -= 1 }
      counts[new, default: 0] += 1
    }
    // Every writer uses the same order. So two writers of different shards never deadlock.
    let rows = counts.filter { $0.value != 0 }.map { key, count in
      (
        sort: [
          key.workflow, "\(key.version)", key.status, Self.joined(key.errors), Self.joined(key.at), Self.text(key.code),
          Self.text(key.cause),
        ],
        values: [
          SQLValue.text(key.workflow), .int(Int64(key.version)), .text(key.status), .text(Self.joined(key.errors)),
          .text(Self.joined(key.at)), .text(Self.text(key.code)), .text(Self.text(key.cause)), .text(key.digest),
          .int(Int64(count)),
        ]
      )
    }.sorted { $0.sort.lexicographicallyPrecedes($1.sort) }
    if rows.isEmpty { return }
    try session.insert(
      tables.facets, ["workflow", "version", "status", "errors", "steps", "code", "cause", "digest", "sagas"],
      rows.map(\.values),
      conflict: "ON CONFLICT (digest) DO UPDATE SET sagas = \(tables.facets).sagas + excluded.sagas")
    // Most combinations recur and keep their counters. A saga with 1,000 steps makes thousands of long combinations,
    // each used once.
    for (key, count) in counts where count < 0 && key.at.count + key.errors.count > Self.manyInCombination {
      try session.execute("DELETE FROM \(tables.facets) WHERE digest = $1 AND sagas <= 0", [.text(key.digest)])
    }
  }

  private static let manyInCombination = 8

  static func joined(_ texts: [String]) -> String { texts.map(SagaMark.clean).joined(separator: SagaMark.separator) }
  static func text(_ text: String?) -> String { text.map(SagaMark.clean) ?? "" }
  static func textIfAny(_ text: String) -> String? { text.isEmpty ? nil : text }
  private static func id(_ need: SagaNeed?, _ row: SagaRow) -> String {
    need.map { IncidentKey($0, workflow: row.workflow).id } ?? ""
  }
  static func split(_ text: String) -> [String] {
    text.isEmpty ? [] : text.split(separator: "\u{1F}", omittingEmptySubsequences: false).map(String.init)
  }

  private func writeMinutes() throws(StoreError) {
    let minutes = batch.minutes.sorted { ($0.workflow, $0.at, $0.step) < ($1.workflow, $1.at, $1.step) }
    if minutes.isEmpty { return }
    let counters = ["started", "succeeded", "failed", "retried", "undone"]
    try session.insert(
      tables.minutes, ["workflow", "minute", "step"] + counters,
      minutes.map { minute in
        [.text(minute.workflow), .moment(minute.at), .text(minute.step)]
          + [minute.started, minute.succeeded, minute.failed, minute.retried, minute.undone].map { .int(Int64($0)) }
      },
      conflict: "ON CONFLICT (workflow, minute, step) DO UPDATE SET "
        + counters.map { "\($0) = \(tables.minutes).\($0) + excluded.\($0)" }.joined(separator: ", "))
    let durations = minutes.flatMap { minute in
      minute.durations.counts.sorted { $0.key < $1.key }.map { bucket, count -> [SQLValue] in
        [.text(minute.workflow), .moment(minute.at), .text(minute.step), .int(Int64(bucket)), .int(Int64(count))]
      }
    }
    if durations.isEmpty { return }
    try session.insert(
      tables.durations, ["workflow", "minute", "step", "bucket", "steps"], durations,
      conflict:
        "ON CONFLICT (workflow, minute, step, bucket) DO UPDATE SET steps = \(tables.durations).steps + excluded.steps")
  }
}

extension FacetKey {
  /// The key of the counter. An index row has no room for 1,000 steps.
  fileprivate var digest: String {
    let parts = [
      SagaMark.clean(workflow), "\(version)", status, ReadBatchWriter.joined(errors), ReadBatchWriter.joined(at),
      ReadBatchWriter.text(code), ReadBatchWriter.text(cause),
    ]
    return Digest.hex(Array(parts.joined(separator: "\u{1D}").utf8))
  }
}
