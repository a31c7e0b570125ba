import Persistence
import Runtime
import Synchronization

/// A store in front of another: what a test wants to go wrong is overridden, the rest passes through.
protocol StoreInFront: EventStore {
  var store: any EventStore { get }
}

extension StoreInFront {
  var shardCount: Int { store.shardCount }
  func append(_ append: Append) async throws(StoreError) -> Appended { try await store.append(append) }
  func own(shards: Set<Int>?) async throws(StoreError) { try await store.own(shards: shards) }
  func read(_ stream: UniqueID, after version: Int, limit: Int) async throws(StoreError) -> [StoredEvent] {
    try await store.read(stream, after: version, limit: limit)
  }
  func tail(shard: Int, after position: Int64, limit: Int) async throws(StoreError) -> [StoredEvent] {
    try await store.tail(shard: shard, after: position, limit: limit)
  }
  func head(shard: Int) async throws(StoreError) -> Int64 { try await store.head(shard: shard) }
  func origins() async throws(StoreError) -> ChainOrigins { try await store.origins() }
  func committed() -> CommitHints { store.committed() }
  func committedEvents(limit: Int) -> CommitFeed { store.committedEvents(limit: limit) }
  func move(_ follower: String, _ moves: [CheckpointMove]) async throws(StoreError) {
    try await store.move(follower, moves)
  }
  func snapshot(of stream: UniqueID) async throws(StoreError) -> Snapshot? { try await store.snapshot(of: stream) }
  func save(_ snapshot: Snapshot) async throws(StoreError) { try await store.save(snapshot) }
  func startKey(scope: String, key: String) async throws(StoreError) -> StartKey? {
    try await store.startKey(scope: scope, key: key)
  }
  func claim(scope: String, value: String) async throws(StoreError) -> Claim? {
    try await store.claim(scope: scope, value: value)
  }
  func openStreams(shard: Int?, after stream: UniqueID?, limit: Int) async throws(StoreError) -> [OpenStream] {
    try await store.openStreams(shard: shard, after: stream, limit: limit)
  }
  func put(_ definition: StoredDefinition) async throws(StoreError) -> DefinitionPut { try await store.put(definition) }
  func definition(name: String, version: Int?) async throws(StoreError) -> StoredDefinition? {
    try await store.definition(name: name, version: version)
  }
  func definitions(name: String?) async throws(StoreError) -> [StoredDefinition] {
    try await store.definitions(name: name)
  }
  func checkpoint(_ follower: String, shard: Int) async throws(StoreError) -> Int64 {
    try await store.checkpoint(follower, shard: shard)
  }
  func apply(_ batch: ProjectionBatch) async throws(StoreError) { try await store.apply(batch) }
  func reset(follower: String, collections: Set<String>) async throws(StoreError) {
    try await store.reset(follower: follower, collections: collections)
  }
  func documents(_ query: DocumentQuery) async throws(StoreError) -> [Document] { try await store.documents(query) }
  func documents(collection: String, ids: [String]) async throws(StoreError) -> [Document] {
    try await store.documents(collection: collection, ids: ids)
  }
  func close() async {}
}

/// A store that stops answering after so many appends, as a process that dies does; what it has taken stays.
final class MortalStore: StoreInFront {
  let store: any EventStore
  private let left: Mutex<Int>
  /// Whether the last append is taken before the process dies, or not.
  private let takesLast: Bool

  init(_ store: any EventStore, appends: Int, takesLast: Bool) {
    self.store = store
    left = Mutex(appends)
    self.takesLast = takesLast
  }

  func append(_ append: Append) async throws(StoreError) -> Appended {
    let left = left.withLock { left in
      left -= 1
      return left
    }
    if left < 0 { throw StoreError.closed }
    if left == 0 {
      if takesLast { _ = try await store.append(append) }
      throw StoreError.closed
    }
    return try await store.append(append)
  }
}

/// A store that is out of reach for so many calls, when it is told to be.
final class MoodyStore: StoreInFront {
  let store: any EventStore
  private let moods = Mutex((reads: 0, appends: 0, refusedReads: 0))

  init(_ store: any EventStore) { self.store = store }

  func refuseReads(_ count: Int) { moods.withLock { $0.reads = count } }
  func refuseAppends(_ count: Int) { moods.withLock { $0.appends = count } }
  var refusedReads: Int { moods.withLock { $0.refusedReads } }

  func read(_ stream: UniqueID, after version: Int, limit: Int) async throws(StoreError) -> [StoredEvent] {
    let isRefused = moods.withLock { moods in
      guard moods.reads > 0 else { return false }
      moods.reads -= 1
      moods.refusedReads += 1
      return true
    }
    if isRefused { throw StoreError.unavailable("a test said so") }
    return try await store.read(stream, after: version, limit: limit)
  }

  func append(_ append: Append) async throws(StoreError) -> Appended {
    let left = moods.withLock { moods in
      defer { moods.appends = max(0, moods.appends - 1) }
      return moods.appends
    }
    if left > 0 {
      // Now and then it was taken, and only the answer was lost.
      if left == 1 { _ = try await store.append(append) }
      throw StoreError.unavailable("a test said so")
    }
    return try await store.append(append)
  }
}
