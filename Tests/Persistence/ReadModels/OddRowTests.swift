import Runtime
import TestSupport
import Testing
import Values

@testable import Persistence
@testable import PostgresPersistence

/// Rows with what no index row of a database holds.
@Suite("Rows of odd sagas in every read model", .timeLimit(.minutes(15)), .inTurn)
struct OddRowTests {
  /// Text that no database can make shorter.
  private static func noise(_ count: Int, seed: UInt64) -> String {
    var random = SeededRandom(seed: seed)
    let letters = Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
    return String((0..<count).map { _ in letters[Int.random(in: 0..<letters.count, using: &random)] })
  }

  @Test(
    "Long tags, keys, codes, signals, words and a thousand steps are stored, found and counted",
    arguments: StoreKind.tested)
  func long(kind: StoreKind) async throws {
    try await withReadStore(kind) { store in
      var sagas = RandomSagas(seed: 41)
      var row = sagas.start()
      let marks = "e" + String(repeating: "\u{301}", count: 2_000)
      row.tags = [Self.noise(5_000, seed: 1), Self.noise(5_000, seed: 2), "nul\0tag", marks]
      row.key = Self.noise(3_000, seed: 3)
      row.title = Self.noise(5_000, seed: 8) + "\0"
      row.labels = [Label("a", Self.noise(5_000, seed: 9)), Label("b", "nul\0:\u{1F}=x")]
      row.failureCode = Self.noise(4_000, seed: 4)
      row.failureMessage = Self.noise(50_000, seed: 5) + "\0"
      row.waitingFor = [Self.noise(4_000, seed: 6)]
      row.words = (SagaWords.of(marks) + SagaWords.of(Self.noise(6_000, seed: 7))).sorted()
      row.status = "running"
      row.steps = (0..<1_000).map {
        StepRow(id: "step\($0)-" + Self.noise(40, seed: UInt64($0)), status: "running", isAt: true)
      }
      try await store.apply(ReadStoreTests.batch(0, 1, [SagaChange(old: nil, new: row)]))
      func found(_ change: (inout SagaQuery) -> Void) async throws -> [UniqueID] {
        var query = SagaQuery()
        change(&query)
        return try await store.all(query, limit: 10).rows.map(\.id)
      }
      for tag in row.tags { #expect(try await found { $0.tags = [tag] } == [row.id]) }
      #expect(try await found { $0.tags = [Self.noise(4_999, seed: 1) + "!"] } == [])
      for label in row.labels { #expect(try await found { $0.labels = [label] } == [row.id]) }
      #expect(try await found { $0.labels = row.labels } == [row.id])
      #expect(try await found { $0.labels = [Label("b", Self.noise(5_000, seed: 9))] } == [])
      #expect(try await found { $0.key = row.key } == [row.id])
      #expect(try await found { $0.error = row.failureCode } == [row.id])
      #expect(try await found { $0.error = Self.noise(300, seed: 4) + "*" } == [row.id])
      #expect(try await found { $0.waitingFor = row.waitingFor[0] } == [row.id])
      #expect(try await found { $0.words = SagaWords.query(marks) } == [row.id])
      #expect(try await found { $0.step = row.steps[999].id } == [row.id])
      #expect(try await store.facets(SagaQuery()).step.count == 1_000)
      // Step by step it goes on; no counter of where it was stays behind.
      var now = row
      for step in 0..<20 {
        var next = now
        next.steps[step].isAt = false
        next.steps[step].status = "succeeded"
        try await store.apply(ReadStoreTests.batch(Int64(step + 1), Int64(step + 2), [SagaChange(old: now, new: next)]))
        now = next
      }
      let facets = try await store.facets(SagaQuery())
      #expect(facets.status == ["running": 1] && facets.step.count == 980)
      if let sql = store as? SQLReadStore {
        let counters = try await sql.database.read { session throws(StoreError) in
          try session.query("SELECT count(*) FROM \(ReadTables(generation: 1).facets)", []) { row throws(StoreError) in
            try row.int(0)
          }
        }
        #expect(counters == [1])
      }
    }
  }

  @Test("Tags, labels and keys are found however their letters are composed", arguments: StoreKind.tested)
  func composed(kind: StoreKind) async throws {
    try await withReadStore(kind) { store in
      var sagas = RandomSagas(seed: 42)
      var row = sagas.start()
      row.tags = ["MU\u{308}-1"]
      row.labels = [Label("ward", "U\u{308}-1")]
      row.key = "A\u{30A}-1"
      try await store.apply(ReadStoreTests.batch(0, 1, [SagaChange(old: nil, new: row)]))
      for (tag, key) in [("MÜ-1", "Å-1"), ("MU\u{308}-1", "\u{212B}-1")] {
        var query = SagaQuery()
        query.tags = [tag]
        query.labels = [Label("ward", tag.hasPrefix("MÜ") ? "Ü-1" : "U\u{308}-1")]
        query.key = key
        #expect(try await store.all(query, limit: 10).rows.map(\.id) == [row.id])
      }
    }
  }

  @Test(
    "Tables that a swap left behind are dropped by the next opening, and by the next generation",
    arguments: StoreKind.durable)
  func cutInTwo(kind: StoreKind) async throws {
    try await withPlace(kind) { place in
      func open() async throws -> SQLReadStore {
        switch kind {
        case .sqlite: try await SQLReadStore(SQLiteReadDatabase.open(path: place.location + ".read"))
        default:
          try await SQLReadStore.postgres(
            .patient(url: PostgresPlace.url ?? "", name: place.location), environment: .system)
        }
      }
      func generations(_ store: SQLReadStore) async throws -> Set<Int> {
        let names = try await store.database.read { session throws(StoreError) in
          try session.query(session.dialect.tables, []) { row throws(StoreError) in try row.text(0) }
        }
        return Set(names.compactMap(ReadTables.generation(ofTable:)))
      }
      var store = try await open()
      try await store.apply(ReadStoreTests.batch(0, 5))
      let second = try await store.beginGeneration()
      #expect(try await store.makeCurrent(second, evenIfBehind: true))
      // The process ends here, before the old tables are dropped.
      #expect(try await generations(store) == [1, second])
      await store.close()
      store = try await open()
      #expect(try await generations(store) == [second])
      #expect(try await store.checkpoints(1).isEmpty)
      // Or it goes on, and begins another.
      let third = try await store.beginGeneration()
      #expect(try await store.makeCurrent(third, evenIfBehind: true))
      let fourth = try await store.beginGeneration()
      #expect(try await generations(store) == [third, fourth])
      #expect(try await store.currentRows([UniqueID(high: 1, low: 1)]).isEmpty)
      try await store.dropOldGenerations()
      #expect(try await generations(store) == [third, fourth])
      // One that is being filled is kept.
      await store.close()
      store = try await open()
      #expect(try await store.generations() == ReadGenerations(current: third, building: fourth))
      #expect(try await generations(store) == [third, fourth])
      await store.close()
    }
  }

  @Test("Rows of the current generation are found while generations change", arguments: StoreKind.tested)
  func whileSwapping(kind: StoreKind) async throws {
    try await withReadStore(kind) { store in
      var sagas = RandomSagas(seed: 43)
      let row = sagas.start()
      try await store.apply(ReadStoreTests.batch(0, 5, [SagaChange(old: nil, new: row)]))
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
          for _ in 0..<10 {
            let next = try await store.beginGeneration()
            try await store.apply(ReadStoreTests.batch(0, 5, generation: next, [SagaChange(old: nil, new: row)]))
            #expect(try await store.makeCurrent(next, evenIfBehind: false))
            try await store.dropOldGenerations()
          }
        }
        for _ in 0..<3 {
          group.addTask {
            for _ in 0..<200 {
              let found = try await store.currentRows([row.id])
              #expect(found == [row])
            }
          }
        }
        try await group.waitForAll()
      }
    }
  }

  @Test("A store names the rows that it refuses, and writes nothing meanwhile", arguments: StoreKind.durable)
  func refused(kind: StoreKind) async throws {
    try await withReadStore(kind) { store in
      let store = try #require(store as? SQLReadStore)
      var sagas = RandomSagas(seed: 44)
      let rows = (0..<5).map { _ in SagaChange(old: nil, new: sagas.start()) }
      #expect(try await store.refused(rows, generation: 1) == [:])
      #expect(try await store.all(SagaQuery(), limit: 10).rows.isEmpty)
      #expect(try await store.facets(SagaQuery()).status.isEmpty)
      let reduced = rows[0].new.reduced(because: "too long")
      try await store.apply(ReadStoreTests.batch(0, 1, [SagaChange(old: nil, new: reduced)]))
      #expect(try await store.rows([reduced.id], generation: 1) == [reduced])
      #expect(reduced.note?.contains("too long") == true)
    }
  }
}
