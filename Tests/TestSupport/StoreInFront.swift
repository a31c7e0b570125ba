public import Persistence
public import Values

/// A store in front of another: what a test wants to go wrong is overridden, the rest passes through.
public protocol StoreInFront: EventStore {
  var store: any EventStore { get }
}

extension StoreInFront {
  public var shardCount: Int { store.shardCount }
  public func append(_ append: Append) async throws(StoreError) -> Appended { try await store.append(append) }
  public func own(shards: Set<Int>?) async throws(StoreError) { try await store.own(shards: shards) }
  public func read(_ stream: UniqueID, after version: Int, limit: Int) async throws(StoreError) -> [StoredEvent] {
    try await store.read(stream, after: version, limit: limit)
  }
  public func tail(shard: Int, after position: Int64, limit: Int) async throws(StoreError) -> [StoredEvent] {
    try await store.tail(shard: shard, after: position, limit: limit)
  }
  public func head(shard: Int) async throws(StoreError) -> Int64 { try await store.head(shard: shard) }
  public func origins() async throws(StoreError) -> ChainOrigins { try await store.origins() }
  public func committed() -> CommitHints { store.committed() }
  public func committedEvents(limit: Int) -> CommitFeed { store.committedEvents(limit: limit) }
  public func move(_ follower: String, _ moves: [CheckpointMove]) async throws(StoreError) {
    try await store.move(follower, moves)
  }
  public func snapshot(of stream: UniqueID) async throws(StoreError) -> Snapshot? {
    try await store.snapshot(of: stream)
  }
  public func save(_ snapshot: Snapshot) async throws(StoreError) { try await store.save(snapshot) }
  public func startKey(scope: String, key: String) async throws(StoreError) -> StartKey? {
    try await store.startKey(scope: scope, key: key)
  }
  public func claim(scope: String, value: String) async throws(StoreError) -> Claim? {
    try await store.claim(scope: scope, value: value)
  }
  public func openStreams(shard: Int?, after stream: UniqueID?, limit: Int) async throws(StoreError) -> [OpenStream] {
    try await store.openStreams(shard: shard, after: stream, limit: limit)
  }
  public func put(_ definition: StoredDefinition) async throws(StoreError) -> DefinitionPut {
    try await store.put(definition)
  }
  public func definition(name: String, version: Int?) async throws(StoreError) -> StoredDefinition? {
    try await store.definition(name: name, version: version)
  }
  public func definitions(name: String?) async throws(StoreError) -> [StoredDefinition] {
    try await store.definitions(name: name)
  }
  public func checkpoint(_ follower: String, shard: Int) async throws(StoreError) -> Int64 {
    try await store.checkpoint(follower, shard: shard)
  }
  public func apply(_ batch: ProjectionBatch) async throws(StoreError) { try await store.apply(batch) }
  public func eraseTraces() async throws(StoreError) { try await store.eraseTraces() }
  public func reset(follower: String, collections: Set<String>) async throws(StoreError) {
    try await store.reset(follower: follower, collections: collections)
  }
  public func documents(_ query: DocumentQuery) async throws(StoreError) -> [Document] {
    try await store.documents(query)
  }
  public func documents(collection: String, ids: [String]) async throws(StoreError) -> [Document] {
    try await store.documents(collection: collection, ids: ids)
  }
  public func size() async throws(StoreError) -> StoreSize { try await store.size() }
  public func health() -> StoreHealth { store.health() }
  public func healthChanges() -> AsyncStream<StoreHealth> { store.healthChanges() }
  public func close() async {}
}
