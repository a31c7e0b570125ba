import Persistence
import Runtime
import TestSupport
import Testing
import Values

@Suite("A store appends", .timeLimit(.minutes(15)), .inTurn)
struct AppendTests {
  @Test("Versions and positions count from 1, and events are read as they were written", arguments: StoreKind.tested)
  func writesAndReads(kind: StoreKind) async throws {
    try await withStore(kind) { store, place in
      let stream = place.newID()
      let shard = store.shard(of: stream)
      let appendID = place.newID()
      // Bytes that a store might be tempted to improve.
      let data = Array("{ \"b\":1.0,\n\t\"a\" : \"\\u00e9é\", \"b\":2 }".utf8)
      let meta = Array("{\"by\":\"Ada\"}".utf8)
      let appended = try await store.append(
        Append(
          stream: stream, expectedVersion: 0,
          events: [NewEvent(type: "sample.registered", data: data, meta: meta), NewEvent(type: "é", data: [])],
          appendID: appendID))
      #expect(appended == Appended(version: 2, position: 2, repeated: false))

      let events = try await store.read(stream, after: 0, limit: 10)
      try #require(events.count == 2)
      let first = try #require(events.first)
      #expect(first.stream == stream)
      #expect(first.type == "sample.registered")
      #expect(first.data == data)
      #expect(first.meta == meta)
      #expect(first.appendID == appendID)
      #expect(first.shard == shard)
      #expect(first.recordedAt == place.clock.now())
      #expect(events.map(\.version) == [1, 2])
      #expect(events.map(\.position) == [1, 2])
      #expect(events.last?.data == [])
      #expect(try await store.tail(shard: shard, after: 0, limit: 10) == events)
      #expect(try await store.head(shard: shard) == 2)
      let heads = try await store.heads()
      #expect(heads.count == store.shardCount && heads[shard] == 2 && heads.reduce(0, +) == 2)
    }
  }

  @Test("A store on a disk knows its size, which grows with the events", arguments: StoreKind.tested)
  func size(kind: StoreKind) async throws {
    try await withStore(kind) { store, place in
      let before = try await store.size()
      for _ in 0..<200 { _ = try await store.append(place.append(place.newID(), count: 50)) }
      let after = try await store.size()
      guard let bytes = after.bytes else {
        #expect(kind == .memory && before == StoreSize() && after == StoreSize())
        return
      }
      #expect(kind != .memory && bytes > (before.bytes ?? 0) && bytes > 100_000)
      // A database server does not report its disk.
      #expect((after.freeBytes ?? 0) > 0 || kind == .postgres)
    }
  }

  @Test("A read returns the events after a version or a position, up to a limit", arguments: StoreKind.tested)
  func pages(kind: StoreKind) async throws {
    try await withStore(kind, shardCount: 1) { store, place in
      let stream = place.newID()
      _ = try await store.append(place.append(stream, count: 5))
      #expect(try await store.read(stream, after: 1, limit: 2).map(\.version) == [2, 3])
      #expect(try await store.read(stream, after: 4, limit: 9).map(\.version) == [5])
      #expect(try await store.read(stream, after: 5, limit: 9).isEmpty)
      #expect(try await store.read(stream, after: 99, limit: 9).isEmpty)
      #expect(try await store.read(stream, after: 0, limit: 0).isEmpty)
      #expect(try await store.read(place.newID(), after: 0, limit: 9).isEmpty)
      #expect(try await store.tail(shard: 0, after: 3, limit: 1).map(\.position) == [4])
      #expect(try await store.tail(shard: 0, after: 5, limit: 9).isEmpty)
    }
  }

  @Test("An append with another expected version is refused as a whole", arguments: StoreKind.tested)
  func versionConflict(kind: StoreKind) async throws {
    try await withStore(kind, shardCount: 1) { store, place in
      let stream = place.newID()
      #expect(
        await refusal { () throws(StoreError) in try await store.append(place.append(stream, at: 1)) }
          == .versionConflict(actual: 0))
      _ = try await store.append(place.append(stream, count: 2))
      for expected in [0, 1, 3] {
        let append = place.append(
          stream, at: expected, claims: [NewClaim(scope: "barcode", value: "A")], open: .opened)
        #expect(
          await refusal { () throws(StoreError) in try await store.append(append) } == .versionConflict(actual: 2))
      }
      #expect(try await store.head(shard: 0) == 2)
      #expect(try await store.claim(scope: "barcode", value: "A") == nil)
      #expect(try await store.openStreams(shard: nil, after: nil, limit: 9).isEmpty)
    }
  }

  @Test("Appending again with the same id gives the first answer", arguments: StoreKind.tested)
  func repeated(kind: StoreKind) async throws {
    try await withStore(kind, shardCount: 1) { store, place in
      let stream = place.newID()
      let key = NewStartKey(scope: "sample-processing", key: "order-7", digest: [1])
      let claim = NewClaim(scope: "barcode", value: "A")
      let first = place.append(stream, count: 3, startKey: key, claims: [claim], open: .opened)
      #expect(try await store.append(first) == Appended(version: 3, position: 3, repeated: false))
      #expect(try await store.append(first) == Appended(version: 3, position: 3, repeated: true))

      // Also when the stream has gone on since, and closed.
      let second = place.append(stream, at: 3, releases: [claim.name], open: .closed)
      _ = try await store.append(second)
      #expect(try await store.append(first) == Appended(version: 3, position: 3, repeated: true))
      #expect(try await store.append(second) == Appended(version: 4, position: 4, repeated: true))
      #expect(try await store.head(shard: 0) == 4)
      #expect(try await store.claim(scope: "barcode", value: "A") == nil)
      #expect(try await store.openStreams(shard: nil, after: nil, limit: 9).isEmpty)

      // The same id for something else is a mistake, not a repetition.
      let other = place.append(stream, at: 3, count: 2, id: second.appendID)
      #expect(await refusal { () throws(StoreError) in try await store.append(other) }.isInvalid)
    }
  }

  @Test("An invalid append is refused", arguments: StoreKind.tested)
  func invalid(kind: StoreKind) async throws {
    try await withStore(kind) { store, place in
      let stream = place.newID()
      var appends = [
        place.append(.derived(from: "not a version 7 id")), place.append(stream, count: 0),
        place.append(stream, at: -1),
        place.append(stream, claims: [NewClaim(scope: "a", value: "b"), NewClaim(scope: "a", value: "b")]),
        place.append(stream, claims: [NewClaim(scope: "a", value: "b\0")]),
        place.append(stream, at: 1, startKey: NewStartKey(scope: "a", key: "b", digest: [])),
      ]
      var unnamed = place.append(stream)
      unnamed.events[0].type = ""
      appends.append(unnamed)
      for append in appends {
        #expect(await refusal { () throws(StoreError) in try await store.append(append) }.isInvalid)
      }
      #expect(await refusal { () throws(StoreError) in try await store.tail(shard: 4, after: 0, limit: 1) }.isInvalid)
      #expect(await refusal { () throws(StoreError) in try await store.head(shard: -1) }.isInvalid)
      let everything = try await store.everything()
      #expect(everything.allSatisfy { $0.isEmpty })
    }
  }

  @Test("Only owned shards can be written", arguments: StoreKind.tested)
  func ownership(kind: StoreKind) async throws {
    try await withStore(kind, owned: false) { store, place in
      let stream = place.newID()
      let shard = store.shard(of: stream)
      #expect(await refusal { () throws(StoreError) in try await store.append(place.append(stream)) } == .notOwner)
      try await store.own(shards: [shard])
      _ = try await store.append(place.append(stream))
      try await store.own(shards: [(shard + 1) % 4])
      #expect(
        await refusal { () throws(StoreError) in try await store.append(place.append(stream, at: 1)) } == .notOwner)
      try await store.own(shards: nil)
      _ = try await store.append(place.append(stream, at: 1))
      #expect(await refusal { () throws(StoreError) in try await store.own(shards: [4]) }.isInvalid)
    }
  }

  @Test("A stream's hashes chain its events", arguments: StoreKind.tested)
  func hashes(kind: StoreKind) async throws {
    try await withStore(kind) { store, place in
      let stream = place.newID()
      _ = try await store.append(place.append(stream, count: 2))
      place.clock.advance(by: .seconds(1))
      _ = try await store.append(place.append(stream, at: 2))
      #expect(try await store.verify(stream) == .intact(version: 3))
      #expect(try await store.verify(place.newID()) == .intact(version: 0))
      var hash = EventHash.start
      for event in try await store.read(stream, after: 0, limit: 9) {
        hash = EventHash.of(event, after: hash)
        #expect(event.hash == hash)
      }
    }
  }

  @Test("A closed store refuses every call as closed", arguments: StoreKind.tested)
  func closed(kind: StoreKind) async throws {
    try await withStore(kind) { store, place in
      var hints = store.committed().makeAsyncIterator()
      await store.close()
      await store.close()
      #expect(await refusal { () throws(StoreError) in try await store.append(place.append(place.newID())) } == .closed)
      #expect(await refusal { () throws(StoreError) in try await store.head(shard: 0) } == .closed)
      #expect(await hints.next() == nil)
    }
  }
}

extension StoreError.Kind? {
  var isInvalid: Bool { self == .invalid }
}
