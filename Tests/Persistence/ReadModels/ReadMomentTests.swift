import Dispatch
import Synchronization
import TestSupport
import Testing
import Values

@testable import Persistence

@Suite("The snapshot of one read", .timeLimit(.minutes(15)), .inTurn)
struct ReadMomentTests {
  /// Runs `write` while a read waits between two of its statements.
  private static func during<Value: Sendable>(
    _ store: SQLReadStore, write: @escaping @Sendable () async throws -> Void,
    read body: @escaping @Sendable (any ReadSession, _ wait: () -> Void) throws(StoreError) -> Value
  ) async throws -> Value {
    let written = DispatchSemaphore(value: 0)
    let waiting = AsyncStream<Void>.makeStream()
    let writing = Task {
      // Until the read has looked once.
      for await _ in waiting.stream { break }
      defer { written.signal() }
      try await write()
    }
    let value = try await store.database.read { session throws(StoreError) in
      try body(session) {
        waiting.continuation.yield()
        written.wait()
      }
    }
    try await writing.value
    return value
  }

  private static func count(_ session: any ReadSession, _ tables: ReadTables) throws(StoreError) -> [Int64] {
    try session.query("SELECT count(*) FROM \(tables.sagas)", []) { row throws(StoreError) in
      try row.int(0)
    }
  }

  @Test(
    "All statements of a read see the same state, whatever is written between them", arguments: StoreKind.durable)
  func oneMoment(kind: StoreKind) async throws {
    try await withReadStore(kind) { store in
      let store = try #require(store as? SQLReadStore)
      var sagas = RandomSagas(seed: 3)
      let rows = [sagas.start(), sagas.start()]
      try await store.apply(ReadStoreTests.batch(0, 1, [SagaChange(old: nil, new: rows[0])]))
      let counts = try await Self.during(store) {
        try await store.apply(ReadStoreTests.batch(1, 2, [SagaChange(old: nil, new: rows[1])]))
      } read: { session, wait throws(StoreError) in
        let tables = try SQLReadStore.current(session)
        let before = try Self.count(session, tables)
        wait()
        return before + (try Self.count(session, tables))
      }
      #expect(counts == [1, 1])
      #expect(try await store.facets(SagaQuery()).status.values.reduce(0, +) == 2, "the next read sees both")
    }
  }

  @Test("A read starts again when its tables are replaced before it reads them", arguments: StoreKind.durable)
  func swapped(kind: StoreKind) async throws {
    try await withReadStore(kind) { store in
      let store = try #require(store as? SQLReadStore)
      let tries = Atomic<Int>(0)
      let counts = try await Self.during(store) {
        let next = try await store.beginGeneration()
        #expect(try await store.makeCurrent(next, evenIfBehind: true))
        try await store.dropOldGenerations()
      } read: { session, wait throws(StoreError) in
        let tables = try SQLReadStore.current(session)
        if tries.wrappingAdd(1, ordering: .relaxed).newValue == 1 { wait() }
        return try Self.count(session, tables)
      }
      #expect(counts == [0])
      // SQLite's snapshot has the tables that Postgres' catalogue has no more.
      #expect(tries.load(ordering: .relaxed) == (kind == .postgres ? 2 : 1))
    }
  }

  @Test("A text with a U+0000 is listed and found, and the rows after it are stored", arguments: StoreKind.durable)
  func nul(kind: StoreKind) async throws {
    try await withReadStore(kind) { store in
      var sagas = RandomSagas(seed: 5)
      var (odd, next) = (sagas.start(), sagas.start())
      odd.tags = ["night\0shift"]
      odd.words = ["lab\0001"]
      (odd.failedStep, odd.failureCode, odd.failureMessage) = ("x", "E\0", "no\0answer")
      next.tags = []
      try await store.apply(ReadStoreTests.batch(0, 1, [SagaChange(old: nil, new: odd)]))
      try await store.apply(ReadStoreTests.batch(1, 2, [SagaChange(old: nil, new: next)]))
      var query = SagaQuery()
      #expect(try await store.all(query, limit: 9).rows.count == 2)
      query.tags = ["night\0shift"]
      #expect(try await store.all(query, limit: 9).rows.map(\.id) == [odd.id])
      (query.tags, query.error) = ([], "E\0")
      #expect(try await store.all(query, limit: 9).rows.map(\.id) == [odd.id])
    }
  }
}
