import Persistence
import Runtime
import Testing
import Values

/// Short ways to say what tests append.
extension StorePlace {
  func newID() -> UniqueID { environment.newID() }

  /// An append of `count` events, numbered on from the expected version.
  func append(
    _ stream: UniqueID, at version: Int = 0, count: Int = 1, id: UniqueID? = nil, startKey: NewStartKey? = nil,
    claims: [NewClaim] = [], releases: [ClaimName] = [], open: OpenChange? = nil
  ) -> Append {
    Append(
      stream: stream, expectedVersion: version,
      events: (0..<count).map { index in
        NewEvent(type: "sample.moved", data: Array("{\"n\":\(version + index + 1)}".utf8))
      },
      appendID: id ?? newID(), startKey: startKey, claims: claims, releases: releases, open: open)
  }
}

extension EventStore {
  /// Every event of a shard, in small pages.
  func wholeTail(shard: Int) async throws -> [StoredEvent] {
    var events: [StoredEvent] = []
    while true {
      let page = try await tail(shard: shard, after: events.last?.position ?? 0, limit: 7)
      if page.isEmpty { return events }
      events += page
    }
  }

  /// Returns all events in the store, shard by shard.
  func everything() async throws -> [[StoredEvent]] {
    var shards: [[StoredEvent]] = []
    for shard in 0..<shardCount { shards.append(try await wholeTail(shard: shard)) }
    return shards
  }
}

/// The kind of refusal that `body` ends with.
func refusal<Value>(_ body: () async throws(StoreError) -> Value) async -> StoreError.Kind? {
  do {
    _ = try await body()
    return nil
  } catch {
    return error.kind
  }
}
