import TestSupport
import Testing
import Values

@testable import Persistence

@Suite("Rules for every read model", .timeLimit(.minutes(15)), .inTurn)
struct ReadStoreTests {
  static let now = Timestamp(milliseconds: RandomSagas.epoch)

  static func minute(_ step: String, started: Int = 0, durations: [Int64] = []) -> StepMinute {
    var minute = StepMinute(workflow: "a", step: step, at: now)
    minute.started = started
    minute.succeeded = durations.count
    for duration in durations { minute.durations.add(milliseconds: duration) }
    return minute
  }

  static func batch(
    _ from: Int64, _ to: Int64, generation: Int = 1, shard: Int = 0, _ changes: [SagaChange] = [],
    minutes: [StepMinute] = []
  ) -> ReadBatch {
    ReadBatch(
      generation: generation, shard: shard, from: from, to: ReadCheckpoint(position: to, hash: [UInt8(to)]),
      changes: changes, minutes: minutes)
  }

  @Test("Rows are read as they were written", arguments: StoreKind.tested)
  func rows(kind: StoreKind) async throws {
    try await withReadStore(kind) { store in
      var sagas = RandomSagas(seed: 1)
      var model = FilledModel()
      try await model.fill([store], from: &sagas, count: 250, changes: 100)
      let rows = try await store.rows(Array(model.rows.keys), generation: 1)
      #expect(Dictionary(uniqueKeysWithValues: rows.map { ($0.id, $0) }) == model.rows)
      #expect(try await store.rows([UniqueID(high: 1, low: 2)], generation: 1).isEmpty)
    }
  }

  @Test(
    "A batch is applied once; a batch that does not begin at the checkpoint changes nothing",
    arguments: StoreKind.tested)
  func once(kind: StoreKind) async throws {
    try await withReadStore(kind) { store in
      var sagas = RandomSagas(seed: 2)
      let (first, second) = (sagas.start(), sagas.start())
      let batch = Self.batch(
        0, 5, [SagaChange(old: nil, new: first)], minutes: [Self.minute("x", started: 1, durations: [10])])
      try await store.apply(batch)
      let again = Self.batch(0, 5, [SagaChange(old: nil, new: second)], minutes: [Self.minute("x", started: 1)])
      #expect(await refusal { () throws(StoreError) in try await store.apply(again) } == .checkpointConflict(actual: 5))
      let ahead = Self.batch(6, 9, [SagaChange(old: nil, new: second)])
      #expect(await refusal { () throws(StoreError) in try await store.apply(ahead) } == .checkpointConflict(actual: 5))
      #expect(try await store.checkpoints(1) == [0: ReadCheckpoint(position: 5, hash: [5])])
      #expect(try await store.all(SagaQuery(), limit: 10).rows == [first])
      #expect(try await store.facets(SagaQuery()).status.values.reduce(0, +) == 1)
      #expect(
        try await store.minutes(workflow: "a", MomentRange()) == [Self.minute("x", started: 1, durations: [10])])
      // Another shard has a checkpoint of its own.
      try await store.apply(Self.batch(0, 3, shard: 2, [SagaChange(old: nil, new: second)]))
      #expect(try await store.checkpoints(1)[2]?.position == 3)
    }
  }

  @Test("A batch that can't be written as a whole is not written at all", arguments: StoreKind.durable)
  func whole(kind: StoreKind) async throws {
    try await withReadStore(kind) { store in
      let store = try #require(store as? SQLReadStore)
      var sagas = RandomSagas(seed: 3)
      let row = sagas.start()
      // The last of what a batch writes fails: the rows and the checkpoint before it go with it.
      let tables = ReadTables(generation: 1)
      try await store.database.write { session throws(StoreError) in
        try session.script("ALTER TABLE \(tables.durations) RENAME TO elsewhere")
      }
      let batch = Self.batch(
        0, 4, [SagaChange(old: nil, new: row)], minutes: [Self.minute("x", started: 1, durations: [10])])
      #expect(await refusal { () throws(StoreError) in try await store.apply(batch) } != nil)
      #expect(try await store.checkpoints(1)[0]?.position ?? 0 == 0)
      #expect(try await store.all(SagaQuery(), limit: 10).rows.isEmpty)
      #expect(try await store.facets(SagaQuery()).status.isEmpty)
      try await store.database.write { session throws(StoreError) in
        try session.script("ALTER TABLE elsewhere RENAME TO \(tables.durations)")
      }
      try await store.apply(batch)
      #expect(try await store.all(SagaQuery(), limit: 10).rows == [row])
      #expect(try await store.minutes(workflow: "a", MomentRange()).first?.started == 1)
    }
  }

  @Test("Minutes add up over batches and shards, and a range takes its part", arguments: StoreKind.tested)
  func minutes(kind: StoreKind) async throws {
    try await withReadStore(kind) { store in
      try await store.apply(Self.batch(0, 1, minutes: [Self.minute("x", started: 1, durations: [100, 200])]))
      try await store.apply(
        Self.batch(0, 1, shard: 1, minutes: [Self.minute("x", started: 2, durations: [100]), Self.minute("y")]))
      var later = Self.minute("x", started: 1)
      later.at = Self.now + .seconds(60)
      later.undone = 3
      try await store.apply(Self.batch(1, 2, minutes: [later]))
      let all = try await store.minutes(workflow: "a", MomentRange())
      #expect(all == [Self.minute("x", started: 3, durations: [100, 200, 100]), Self.minute("y"), later])
      #expect(try await store.minutes(workflow: "a", MomentRange(from: later.at)) == [later])
      #expect(try await store.minutes(workflow: "a", MomentRange(before: later.at)).count == 2)
      #expect(try await store.minutes(workflow: "b", MomentRange()).isEmpty)
    }
  }

  @Test(
    "A new generation is filled beside the one that serves, and takes over when it has as much",
    arguments: StoreKind.tested)
  func generations(kind: StoreKind) async throws {
    try await withReadStore(kind) { store in
      var sagas = RandomSagas(seed: 4)
      let (first, second) = (sagas.start(), sagas.start())
      try await store.apply(Self.batch(0, 5, [SagaChange(old: nil, new: first)]))
      let next = try await store.beginGeneration()
      #expect(try await store.generations() == ReadGenerations(current: 1, building: next))
      try await store.apply(Self.batch(0, 3, generation: next, [SagaChange(old: nil, new: second)]))
      #expect(try await store.all(SagaQuery(), limit: 10).rows == [first])
      #expect(try await !store.makeCurrent(next, evenIfBehind: false))
      #expect(try await store.all(SagaQuery(), limit: 10).rows == [first])
      try await store.apply(Self.batch(3, 5, generation: next))
      #expect(try await store.makeCurrent(next, evenIfBehind: false))
      #expect(try await store.generations() == ReadGenerations(current: next))
      #expect(try await store.all(SagaQuery(), limit: 10).rows == [second])
      try await store.dropOldGenerations()
      #expect(try await store.checkpoints(1).isEmpty)
      // One that was begun and never finished is thrown away by the next.
      let abandoned = try await store.beginGeneration()
      try await store.apply(Self.batch(0, 1, generation: abandoned, [SagaChange(old: nil, new: first)]))
      let last = try await store.beginGeneration()
      #expect(last != abandoned)
      #expect(try await store.rows([first.id], generation: last).isEmpty)
      #expect(try await store.makeCurrent(last, evenIfBehind: true))
      #expect(try await store.all(SagaQuery(), limit: 10).rows.isEmpty)
    }
  }

  @Test("Durations' buckets are exact below 8 ms and within a tenth above, and quantiles merge")
  func histogram() {
    for milliseconds in Array(Int64(0)...5_000) + [86_400_000, 1 << 40] {
      var histogram = DurationHistogram()
      histogram.add(milliseconds: milliseconds)
      let found = histogram.quantile(0.5) ?? -1
      #expect(found >= milliseconds && Double(found) <= Double(milliseconds) * 1.125 + 0.5, "\(milliseconds): \(found)")
    }
    var (left, right) = (DurationHistogram(), DurationHistogram())
    for value in Int64(1)...99 { left.add(milliseconds: value) }
    right.add(milliseconds: 10_000)
    left.merge(right)
    #expect(left.count == 100)
    #expect((50...56).contains(left.quantile(0.5) ?? 0))
    #expect((99...111).contains(left.quantile(0.99) ?? 0))
    #expect((10_000...11_250).contains(left.quantile(1) ?? 0))
    #expect(DurationHistogram().quantile(0.5) == nil)
  }
}
