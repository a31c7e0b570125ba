public import Runtime
import Synchronization
public import Values

/// A store that keeps everything in memory, for tests and for the simulation. It does all its work in the calling task
/// and never waits. So the scheduler of the tasks decides the order of all effects.
public final class MemoryStore: EventStore {
  public let shardCount: Int
  private let environment: Environment
  /// Internal, so that tests can damage the stored data.
  let state: Mutex<MemoryState>
  private let hub = CommitHub()

  /// - Parameters:
  ///   - environment: the clock for `recordedAt`.
  ///   - shardCount: the number of shards, 1 to `Shard.maxCount`.
  public init(environment: Environment, shardCount: Int = Shard.defaultCount) {
    precondition((1...Shard.maxCount).contains(shardCount), "a store has 1 to \(Shard.maxCount) shards")
    self.environment = environment
    self.shardCount = shardCount
    state = Mutex(MemoryState(shardCount: shardCount))
  }

  private func with<Value: Sendable>(
    _ body: (inout MemoryState) throws(StoreError) -> Value
  ) throws(StoreError) -> Value {
    try state.withLock { state throws(StoreError) in
      if state.closed { throw .closed }
      return try body(&state)
    }
  }

  public func own(shards: Set<Int>?) async throws(StoreError) {
    let shards = shards ?? Set(0..<shardCount)
    for shard in shards { try checkShard(shard, count: shardCount) }
    try with { $0.owned = shards }
  }

  public func append(_ append: Append) async throws(StoreError) -> Appended {
    try append.validate(shardCount: shardCount)
    let shard = shard(of: append.stream)
    let now = environment.now()
    let wantsEvents = hub.hasFeeds
    let (appended, events) = try with { state throws(StoreError) in
      let before = state.shards[shard].count
      let appended = try state.append(append, shard: shard, at: now)
      return (appended, wantsEvents ? Array(state.shards[shard][before...]) : [])
    }
    hub.grew([shard], by: events)
    return appended
  }

  public func read(_ stream: UniqueID, after version: Int, limit: Int) async throws(StoreError) -> [StoredEvent] {
    // Every stream's id is of version 7.
    guard stream.moment != nil else { return [] }
    return try with { $0.streams[stream, default: []].page(after: version, limit: limit) }
  }

  public func tail(shard: Int, after position: Int64, limit: Int) async throws(StoreError) -> [StoredEvent] {
    try checkShard(shard, count: shardCount)
    return try with { $0.shards[shard].page(after: Int(position), limit: limit) }
  }

  public func head(shard: Int) async throws(StoreError) -> Int64 {
    try checkShard(shard, count: shardCount)
    return try with { Int64($0.shards[shard].count) }
  }

  /// The store ends with its process, so it cannot be mistaken for another store.
  public func origins() async throws(StoreError) -> ChainOrigins {
    ChainOrigins(store: .derived(from: "a store in memory"))
  }

  public func committed() -> CommitHints { hub.follow() }
  public func committedEvents(limit: Int) -> CommitFeed { hub.feed(limit: limit) }

  public func snapshot(of stream: UniqueID) async throws(StoreError) -> Snapshot? {
    try with { $0.snapshots[stream] }
  }

  public func save(_ snapshot: Snapshot) async throws(StoreError) {
    try with { state in
      if let kept = state.snapshots[snapshot.stream], kept.version >= snapshot.version { return }
      state.snapshots[snapshot.stream] = snapshot
    }
  }

  public func startKey(scope: String, key: String) async throws(StoreError) -> StartKey? {
    try with { $0.startKeys[TextKey(scope, key)] }
  }

  public func claim(scope: String, value: String) async throws(StoreError) -> Claim? {
    try with { $0.claims[TextKey(scope, value)] }
  }

  public func openStreams(
    shard: Int?, after stream: UniqueID?, limit: Int
  ) async throws(StoreError) -> [OpenStream] {
    if let shard { try checkShard(shard, count: shardCount) }
    return try with { state in
      let open = state.open.values.filter { open in
        (shard.map { open.shard == $0 } ?? true) && (stream.map { open.stream > $0 } ?? true)
      }
      return Array(open.sorted { $0.stream < $1.stream }.prefix(max(0, limit)))
    }
  }

  public func put(_ definition: StoredDefinition) async throws(StoreError) -> DefinitionPut {
    try definition.validate()
    return try with { state throws(StoreError) in
      if let kept = state.definitions[TextKey(definition.name)]?[definition.version] {
        if kept.digest == definition.digest { return .same }
        throw .definitionConflict(definition)
      }
      state.definitions[TextKey(definition.name), default: [:]][definition.version] = definition
      return .new
    }
  }

  public func definition(name: String, version: Int?) async throws(StoreError) -> StoredDefinition? {
    try with { state in
      let versions = state.definitions[TextKey(name), default: [:]]
      return (version ?? versions.keys.max()).flatMap { versions[$0] }
    }
  }

  public func definitions(name: String?) async throws(StoreError) -> [StoredDefinition] {
    try with { state in
      let wanted = name.map { name in state.definitions.filter { $0.key == TextKey(name) } } ?? state.definitions
      return wanted.sorted { $0.key < $1.key }.flatMap { $0.value.values.sorted { $0.version < $1.version } }
    }
  }

  public func checkpoint(_ follower: String, shard: Int) async throws(StoreError) -> Int64 {
    try checkShard(shard, count: shardCount)
    return try with { $0.checkpoints[TextKey(follower)]?[shard] ?? 0 }
  }

  public func apply(_ batch: ProjectionBatch) async throws(StoreError) {
    try batch.validate(shardCount: shardCount)
    try with { state throws(StoreError) in try state.apply(batch) }
  }

  public func move(_ follower: String, _ moves: [CheckpointMove]) async throws(StoreError) {
    try moves.validate(follower: follower, shardCount: shardCount)
    try with { state throws(StoreError) in
      for move in moves {
        let actual = state.checkpoints[TextKey(follower)]?[move.shard] ?? 0
        if actual != move.from { throw .checkpointConflict(follower, move, actual: actual) }
      }
      for move in moves { state.checkpoints[TextKey(follower), default: [:]][move.shard] = move.to }
    }
  }

  public func reset(follower: String, collections: Set<String>) async throws(StoreError) {
    try with { state in
      state.checkpoints[TextKey(follower)] = nil
      for collection in collections { state.documents[TextKey(collection)] = nil }
    }
  }

  public func documents(_ query: DocumentQuery) async throws(StoreError) -> [Document] {
    try with { $0.documents(query) }
  }

  public func documents(collection: String, ids: [String]) async throws(StoreError) -> [Document] {
    try with { state in
      let documents = state.documents[TextKey(collection), default: [:]]
      return Set(ids.map { TextKey($0) }).sorted().compactMap { documents[$0] }
    }
  }

  public func close() async {
    state.withLock { $0.closed = true }
    hub.close()
  }
}
