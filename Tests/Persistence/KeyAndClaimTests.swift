import Persistence
import Runtime
import TestSupport
import Testing
import Values

@Suite("Start keys, claims and open streams move with the append", .timeLimit(.minutes(15)), .inTurn)
struct KeyAndClaimTests {
  @Test("A start key starts one stream", arguments: StoreKind.tested)
  func startKey(kind: StoreKind) async throws {
    try await withStore(kind) { store, place in
      let key = NewStartKey(scope: "sample-processing", key: "order-7", digest: [1, 2])
      let stream = store.newStream(scope: key.scope, key: key.key, in: place.environment)
      #expect(store.shard(of: stream) == store.shard(ofKey: key.scope, key.key))
      #expect(try await store.startKey(scope: key.scope, key: key.key) == nil)
      _ = try await store.append(place.append(stream, startKey: key))
      let kept = StartKey(scope: key.scope, key: key.key, stream: stream, digest: [1, 2])
      #expect(try await store.startKey(scope: key.scope, key: key.key) == kept)

      let again = store.newStream(scope: key.scope, key: key.key, in: place.environment)
      let other = NewStartKey(scope: key.scope, key: key.key, digest: [3])
      let refused = place.append(again, startKey: other, open: .opened)
      #expect(await refusal { () throws(StoreError) in try await store.append(refused) } == .startKeyTaken(kept))
      #expect(try await store.read(again, after: 0, limit: 1).isEmpty)
      #expect(try await store.openStreams(shard: nil, after: nil, limit: 1).isEmpty)
    }
  }

  @Test("A start key is refused for a stream of another shard", arguments: StoreKind.tested)
  func startKeyElsewhere(kind: StoreKind) async throws {
    try await withStore(kind) { store, place in
      let key = NewStartKey(scope: "a", key: "b", digest: [])
      var stream = place.newID()
      while store.shard(of: stream) == store.shard(ofKey: "a", "b") { stream = place.newID() }
      let append = place.append(stream, startKey: key)
      #expect(await refusal { () throws(StoreError) in try await store.append(append) } == .invalid)
    }
  }

  @Test("A claim belongs to one stream until the stream releases it", arguments: StoreKind.tested)
  func claims(kind: StoreKind) async throws {
    try await withStore(kind) { store, place in
      let (one, other) = (place.newID(), place.newID())
      let position = NewClaim(scope: "position", value: "F1-A01", data: [7])
      let held = Claim(scope: "position", value: "F1-A01", stream: one, data: [7])
      _ = try await store.append(place.append(one, claims: [position, NewClaim(scope: "barcode", value: "F1-A01")]))
      #expect(try await store.claim(scope: "position", value: "F1-A01") == held)
      #expect(try await store.claim(scope: "barcode", value: "F1-A01")?.data == nil)

      // Held: by another stream, by this one, and not to be released by another.
      for refused in [
        place.append(other, claims: [NewClaim(scope: "position", value: "F1-A02"), position]),
        place.append(one, at: 1, claims: [position]), place.append(other, releases: [position.name]),
      ] {
        #expect(await refusal { () throws(StoreError) in try await store.append(refused) } == .claimTaken(held))
      }
      #expect(try await store.claim(scope: "position", value: "F1-A02") == nil)

      // A release and a claim in one append. Releasing a claim that no stream holds is not an error.
      let renewed = NewClaim(scope: "position", value: "F1-A01", data: nil)
      _ = try await store.append(
        place.append(
          one, at: 1, claims: [renewed],
          releases: [position.name, ClaimName(scope: "position", value: "nowhere")]))
      #expect(try await store.claim(scope: "position", value: "F1-A01")?.data == nil)
      _ = try await store.append(place.append(one, at: 2, releases: [position.name]))
      #expect(try await store.claim(scope: "position", value: "F1-A01") == nil)
      _ = try await store.append(place.append(other, claims: [position]))
      #expect(try await store.claim(scope: "position", value: "F1-A01")?.stream == other)
    }
  }

  @Test("Texts that look the same are not the same", arguments: StoreKind.tested)
  func bytes(kind: StoreKind) async throws {
    try await withStore(kind) { store, place in
      let composed = NewClaim(scope: "barcode", value: "caf\u{E9}")
      let decomposed = NewClaim(scope: "barcode", value: "cafe\u{301}")
      let (one, other) = (place.newID(), place.newID())
      _ = try await store.append(place.append(one, claims: [composed, NewClaim(scope: "", value: "")]))
      _ = try await store.append(place.append(other, claims: [decomposed]))
      #expect(try await store.claim(scope: "barcode", value: "caf\u{E9}")?.stream == one)
      #expect(try await store.claim(scope: "barcode", value: "cafe\u{301}")?.stream == other)
      #expect(try await store.claim(scope: "", value: "")?.stream == one)
    }
  }

  @Test("Open streams are listed until they are closed", arguments: StoreKind.tested)
  func open(kind: StoreKind) async throws {
    try await withStore(kind) { store, place in
      let streams = (0..<5).map { _ in place.newID() }.sorted()
      let until = Timestamp(milliseconds: 1_772_400_000_123)
      let changes: [OpenChange?] = [.opened, .sleeping(until: until), .sleeping(until: nil), .closed, nil]
      for (stream, change) in zip(streams, changes) {
        _ = try await store.append(place.append(stream, open: change))
      }
      func row(_ index: Int, asleep: Bool, wakeAt: Timestamp?) -> OpenStream {
        OpenStream(stream: streams[index], shard: store.shard(of: streams[index]), asleep: asleep, wakeAt: wakeAt)
      }
      let rows = [
        row(0, asleep: false, wakeAt: nil), row(1, asleep: true, wakeAt: until), row(2, asleep: true, wakeAt: nil),
      ]
      #expect(try await store.openStreams(shard: nil, after: nil, limit: 9) == rows)
      #expect(try await store.openStreams(shard: nil, after: streams[0], limit: 1) == [rows[1]])
      for shard in 0..<4 {
        let listed = try await store.openStreams(shard: shard, after: nil, limit: 9)
        #expect(listed == rows.filter { $0.shard == shard })
      }
      _ = try await store.append(place.append(streams[1], at: 1, open: .awake))
      _ = try await store.append(place.append(streams[0], at: 1, open: .closed))
      #expect(
        try await store.openStreams(shard: nil, after: nil, limit: 9) == [row(1, asleep: false, wakeAt: nil), rows[2]])
      // A closed stream opens again, and closes again.
      _ = try await store.append(place.append(streams[3], at: 1, open: .opened))
      #expect(
        try await store.openStreams(shard: nil, after: streams[2], limit: 9) == [row(3, asleep: false, wakeAt: nil)])
      _ = try await store.append(place.append(streams[3], at: 2, open: .closed))
      #expect(try await store.openStreams(shard: nil, after: streams[2], limit: 9).isEmpty)
    }
  }
}
