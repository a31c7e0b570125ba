import JSON
import Persistence
import Runtime

/// A store in front of another that keeps a command's answer back once its events are committed, for ever: as if the
/// process had died between the two. So it does with every command after the first few.
final class HoldingStore: EventStore {
  private let store: any EventStore
  private let held = Held()
  /// So many commands are answered.
  private static let answered = 5

  init(_ store: any EventStore) { self.store = store }

  private actor Held {
    var keys: [String] = []
    private var commands: Set<String> = []
    private var waiting: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []

    /// - Returns: whether the command is to be held.
    func took(_ key: String) -> Bool {
      guard commands.insert(key).inserted, commands.count > HoldingStore.answered else { return false }
      keys.append(key)
      let woken = waiting.filter { $0.count <= keys.count }
      waiting.removeAll { $0.count <= keys.count }
      for one in woken { one.continuation.resume() }
      return true
    }

    func wait(for count: Int) async {
      if keys.count >= count { return }
      await withCheckedContinuation { waiting.append((count, $0)) }
    }
  }

  /// Of the commands that took effect and were kept from being answered.
  var keys: [String] { get async { await held.keys } }
  func waitUntilHeld(_ count: Int) async { await held.wait(for: count) }

  func append(_ append: Append) async throws(StoreError) -> Appended {
    let appended = try await store.append(append)
    let key = append.events.first.flatMap { try? JSON(parsing: $0.meta)["causationId"]?.stringValue }
    if let key, key.hasPrefix("saga-"), await held.took(key) {
      let (ended, end) = AsyncStream.makeStream(of: Never.self)
      // It ends with its task.
      await withTaskCancellationHandler {
        for await _ in ended {}
      } onCancel: {
        end.finish()
      }
      throw StoreError(.unavailable, "The process has died.")
    }
    return appended
  }

  var shardCount: Int { store.shardCount }
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
  func move(_ follower: String, _ moves: [CheckpointMove]) async throws(StoreError) {
    try await store.move(follower, moves)
  }
  func reset(follower: String, collections: Set<String>) async throws(StoreError) {
    try await store.reset(follower: follower, collections: collections)
  }
  func documents(_ query: DocumentQuery) async throws(StoreError) -> [Document] { try await store.documents(query) }
  func documents(collection: String, ids: [String]) async throws(StoreError) -> [Document] {
    try await store.documents(collection: collection, ids: ids)
  }
  func close() async {}
}
