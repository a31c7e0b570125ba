import Runtime
import TestSupport
import Testing
import Values

@testable import Persistence

@Suite("An SQLite store in trouble", .timeLimit(.minutes(15)), .apart)
struct SQLiteTroubleTests {
  @Test("A row that was inserted by hand at the owner's next position is skipped and counted, and blocks nothing")
  func intruder() async throws {
    try await withPlace(.sqlite) { place in
      let store = try await SQLiteStore.open(path: place.location, environment: place.environment, shardCount: 1)
      try await store.own(shards: nil)
      let stream = place.newID()
      let first = try await store.append(place.append(stream))
      let hand = try SQLiteDatabase(path: place.location, readOnly: false)
      let foreign = place.newID()
      let insert = try hand.statement(
        """
        INSERT INTO events (month, stream, version, shard, position, type, data, meta, append_id, hash, recorded_at)
        VALUES (202603, ?, 1, 0, ?, 'by.hand', x'7b7d', x'7b7d', ?, x'00', 0)
        """)
      try insert.bind(foreign)
      try insert.bind(first.position + 1)
      try insert.bind(place.newID())
      try insert.execute()
      #expect(try await store.append(place.append(stream, at: 1)).position == first.position + 2)
      #expect(store.health() == StoreHealth(intruders: .init(count: 1, shard: 0, position: first.position + 1)))
      await store.close()
    }
  }

  @Test("While the file is locked, callers get an answer within seconds, and a refused append is never written")
  func held() async throws {
    try await withPlace(.sqlite) { place in
      let store = try await SQLiteStore.open(
        path: place.location, environment: place.environment, shardCount: 1)
      try await store.own(shards: nil)
      let hand = try SQLiteDatabase(path: place.location, readOnly: false)
      try hand.run("BEGIN IMMEDIATE")
      let append = place.append(place.newID())
      let began = ContinuousClock.now
      do throws(StoreError) {
        _ = try await store.append(append)
        Issue.record("written")
      } catch {
        #expect(error.kind == .unavailable)
      }
      #expect(ContinuousClock.now - began < .seconds(30))
      #expect(store.health().problem != nil)
      try hand.run("COMMIT")
      try await eventually("writes work again") { store.health().problem == nil }
      #expect(try await store.read(append.stream, after: 0, limit: 1).isEmpty)
      await store.close()
    }
  }
}
