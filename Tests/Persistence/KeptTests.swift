import Persistence
import Runtime
import TestSupport
import Testing
import Values

@Suite("A store keeps snapshots and definitions", .timeLimit(.minutes(15)), .inTurn)
struct KeptTests {
  @Test("The newest snapshot stays", arguments: StoreKind.tested)
  func snapshots(kind: StoreKind) async throws {
    try await withStore(kind) { store, place in
      let stream = place.newID()
      #expect(try await store.snapshot(of: stream) == nil)
      for version in [200, 400, 200] {
        try await store.save(Snapshot(stream: stream, version: version, data: [UInt8(version / 2)]))
      }
      #expect(try await store.snapshot(of: stream) == Snapshot(stream: stream, version: 400, data: [200]))
      #expect(try await store.snapshot(of: place.newID()) == nil)
    }
  }

  @Test("A definition never changes", arguments: StoreKind.tested)
  func definitions(kind: StoreKind) async throws {
    try await withStore(kind) { store, place in
      func definition(_ name: String, _ version: Int, digest: UInt8 = 1) -> StoredDefinition {
        StoredDefinition(
          name: name, version: version, digest: [digest], data: Array("{ }\n".utf8), registeredBy: "Ada",
          registeredAt: place.clock.now())
      }
      #expect(try await store.definition(name: "b", version: nil) == nil)
      for (name, version) in [("b", 10), ("b", 9), ("a", 1), ("b", -1), ("b", -3), ("d", -10_000)] {
        #expect(try await store.put(definition(name, version)) == .new)
      }
      place.clock.advance(by: .seconds(1))
      #expect(try await store.put(definition("b", 9)) == .same)
      let changed = definition("b", 9, digest: 2)
      #expect(await refusal { () throws(StoreError) in try await store.put(changed) } == .definitionConflict)

      let latest = try await store.definition(name: "b", version: nil)
      #expect(latest?.version == 10)
      #expect(latest?.data == Array("{ }\n".utf8))
      #expect(latest?.registeredAt == Timestamp(milliseconds: place.clock.now().milliseconds - 1_000))
      #expect(try await store.definition(name: "b", version: 9)?.digest == [1])
      #expect(try await store.definition(name: "b", version: 8) == nil)
      #expect(
        try await store.definitions(name: nil).map { "\($0.name)\($0.version)" }
          == ["a1", "b-3", "b-1", "b9", "b10", "d-10000"])
      // A draft has a version below zero, so that no released version comes before one.
      #expect(try await store.definition(name: "b", version: -3)?.version == -3)
      #expect(try await store.definition(name: "d", version: nil)?.version == -10_000)
      #expect(try await store.definitions(name: "b").map(\.version) == [-3, -1, 9, 10])
      #expect(try await store.definitions(name: "c").isEmpty)
    }
  }
}

@Suite("Durability of a store's answers", .timeLimit(.minutes(15)), .inTurn)
struct ReopenTests {
  @Test("All stored data is there after the store is opened again", arguments: StoreKind.durable)
  func reopened(kind: StoreKind) async throws {
    try await withPlace(kind, shardCount: 3) { place in
      let first = try await place.open()
      let key = NewStartKey(scope: "a", key: "b", digest: [9])
      let stream = first.newStream(scope: "a", key: "b", in: place.environment)
      let append = place.append(
        stream, count: 2, startKey: key, claims: [NewClaim(scope: "lane", value: "1")], open: .opened)
      _ = try await first.append(append)
      try await first.apply(
        ProjectionBatch(
          follower: "f", shard: 1, from: 0, to: 5,
          upserts: [Document(collection: "c", id: "1", sort: "s", fields: ["x": "y"], data: [1])]))
      let before = try await first.everything()
      await first.close()

      // Asked for another number of shards, a store keeps its own.
      let again = StorePlace(
        kind: kind, clock: place.clock, environment: place.environment, shardCount: 7, location: place.location)
      let second = try await again.open()
      #expect(second.shardCount == 3)
      #expect(try await second.everything() == before)
      #expect(try await second.verify(stream) == .intact(version: 2))
      #expect(try await second.startKey(scope: "a", key: "b")?.stream == stream)
      #expect(try await second.claim(scope: "lane", value: "1")?.stream == stream)
      #expect(try await second.openStreams(shard: nil, after: nil, limit: 9).map(\.stream) == [stream])
      #expect(try await second.checkpoint("f", shard: 1) == 5)
      #expect(try await second.document(collection: "c", id: "1")?.fields == ["x": "y"])

      // An append whose answer was lost is recognised, and the next one continues where the last ended.
      #expect(try await second.append(append).repeated)
      let next = try await second.append(place.append(stream, at: 2))
      #expect(next.version == 3)
      #expect(next.position == 3)
      #expect(try await second.verify(stream) == .intact(version: 3))
      await second.close()
    }
  }
}
