import Runtime
import Synchronization
import TestSupport
import Testing
import Values

@testable import Persistence
@testable import PostgresPersistence

@Suite("A Postgres store's writers", .timeLimit(.minutes(15)), .apart)
struct PostgresFencingTests {
  @Test("Shards that one process owns can't be owned, or written, by another")
  func fencing() async throws {
    try await withPostgres { place in
      let first = try await place.open()
      let second = try await place.open()
      try await first.own(shards: nil)
      #expect(await refusalOf { () async throws(StoreError) in try await second.own(shards: nil) } == .notOwner)
      #expect(await refusalOf { () async throws(StoreError) in try await second.own(shards: [3]) } == .notOwner)
      let stream = place.environment.newID()
      #expect(
        await refusalOf { () async throws(StoreError) in _ = try await second.append(place.append(stream)) }
          == .notOwner)
      // The second can own the shards that the first releases, and continues where the first ended.
      _ = try await first.append(place.append(stream))
      let shard = first.shard(of: stream)
      try await first.own(shards: Set(0..<4).subtracting([shard]))
      try await second.own(shards: [shard])
      let appended = try await second.append(place.append(stream, at: 1))
      #expect(appended.position == 2)
      #expect(
        await refusalOf { () async throws(StoreError) in _ = try await first.append(place.append(stream, at: 2)) }
          == .notOwner)
      await first.close()
      try await second.own(shards: nil)
      #expect(try await second.verify(stream) == .intact(version: 2))
      await second.close()
    }
  }

  @Test("A writer that lost its session writes nothing after another writer has taken its shard")
  func takenOver() async throws {
    try await withPostgres { place in
      let first = try await place.open()
      try await first.own(shards: nil)
      let stream = place.environment.newID()
      _ = try await first.append(place.append(stream))
      let thief = try await place.open()
      // The locks are free between the end of the session and its return. A writer that comes then gets them.
      var stolen = false
      while !stolen {
        try await place.terminateWriters()
        do throws(StoreError) {
          try await thief.own(shards: nil)
          stolen = true
        } catch {
          #expect(error.kind == .notOwner)
        }
      }
      // The first may have gone out on the session that was ended: then only a look can tell. The next one doesn't go out.
      let refusals = [
        await refusalOf { () async throws(StoreError) in _ = try await first.append(place.append(stream, at: 1)) },
        await refusalOf { () async throws(StoreError) in _ = try await first.append(place.append(stream, at: 1)) },
      ]
      #expect(refusals[0] == .notOwner || refusals[0] == .outcomeUnknown)
      #expect(refusals[1] == .notOwner)
      #expect(try await thief.append(place.append(stream, at: 1)).position == 2)
      await first.close()
      await thief.close()
    }
  }

  @Test("Sessions that are ended under load lose nothing and double nothing", .timeLimit(.minutes(15)))
  func terminatedUnderLoad() async throws {
    try await withPostgres { place in
      let store = try await place.open()
      try await store.own(shards: nil)
      let streams = (0..<40).map { _ in place.environment.newID() }
      let load = Load(streams: streams.count)
      try await withThrowingTaskGroup(of: Void.self) { group in
        for stream in streams {
          group.addTask {
            defer { load.streamDone() }
            for version in 0..<50 {
              let append = place.append(stream, at: version)
              let appended = try await store.append(append)
              load.acknowledge(append.appendID, appended)
            }
          }
        }
        group.addTask {
          // It repeats as fast as sessions come back, as long as appends are written.
          var ended: Int64 = 0
          while load.isRunning { ended += try await place.terminateWriters() }
          #expect(ended > 5)
        }
        try await group.waitForAll()
      }
      #expect(load.acknowledged.count == 2_000)
      var events: [StoredEvent] = []
      for shard in 0..<store.shardCount {
        let tail = try await store.tail(shard: shard, after: 0, limit: 10_000)
        #expect(tail.map(\.position) == (0..<tail.count).map { Int64($0 + 1) })
        events += tail
      }
      #expect(events.count == 2_000)
      for event in events {
        let appended = load.acknowledged[event.appendID]
        #expect(appended == Appended(version: event.version, position: event.position, repeated: false))
      }
      for stream in streams { #expect(try await store.verify(stream) == .intact(version: 50)) }
      await store.close()
    }
  }

  @Test("A missing partition is made on the fly")
  func missingPartition() async throws {
    try await withPostgres { place in
      let store = try await place.open()
      try await store.own(shards: nil)
      let moments = ["1999-12-31T23:59:59Z", "2031-01-01T00:00:00Z", "2031-07-01T00:00:00Z"].compactMap {
        Timestamp($0)
      }
      let streams = (moments + moments).map {
        UniqueID.version7(at: $0, random: (place.environment.random(), place.environment.random()))
      }
      try await withThrowingTaskGroup(of: Void.self) { group in
        for stream in streams { group.addTask { _ = try await store.append(place.append(stream, count: 3)) } }
        try await group.waitForAll()
      }
      for stream in streams { #expect(try await store.verify(stream) == .intact(version: 3)) }
      let months = try await place.numbers(
        """
        SELECT replace(c.relname, 'events_', '')::int8 FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'events'::regclass ORDER BY 1
        """)
      let ahead = PostgresPartitions.ahead(of: place.environment.now()).map(Int64.init)
      #expect(months == (ahead + [199912, 203101, 203107]).sorted())
      await store.close()
    }
  }

  @Test("Partitions are made for this month and the next two")
  func ahead() throws {
    let time = try #require(Timestamp("2026-11-24T12:00:00Z"))
    #expect(PostgresPartitions.ahead(of: time) == [202611, 202612, 202701])
  }
}

/// The results of tasks that append.
private final class Load: Sendable {
  private struct State {
    var streamsLeft: Int
    var acknowledged: [UniqueID: Appended] = [:]
  }
  private let state: Mutex<State>

  init(streams: Int) { state = Mutex(State(streamsLeft: streams)) }

  var isRunning: Bool { state.withLock { $0.streamsLeft > 0 } }
  var acknowledged: [UniqueID: Appended] { state.withLock { $0.acknowledged } }
  func streamDone() { state.withLock { $0.streamsLeft -= 1 } }
  func acknowledge(_ append: UniqueID, _ appended: Appended) { state.withLock { $0.acknowledged[append] = appended } }
}

extension PostgresPlace {
  /// Ends the writers' sessions of this place's store.
  /// - Returns: how many there were.
  @discardableResult
  func terminateWriters() async throws -> Int64 {
    try await numbers(
      """
      SELECT count(pg_terminate_backend(a.pid)) FROM pg_stat_activity a
      WHERE a.pid <> pg_backend_pid() AND EXISTS (
        SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.locktype = 'advisory'
          AND l.classid::int8 = (SELECT id FROM store))
      """
    ).first ?? 0
  }
}

/// The kind of refusal that `body` ends with.
func refusalOf(_ body: () async throws(StoreError) -> Void) async -> StoreError.Kind? {
  do {
    try await body()
    return nil
  } catch {
    return error.kind
  }
}
