public import Runtime
public import Values

/// The event streams. Each stream is numbered from 1; an append may carry keys and claims in the same transaction.
public protocol EventLog: EventReading {
  /// Adds events to the end of a stream, together with the append's keys and claims, in one transaction.
  ///
  /// The store commits concurrent appends of many tasks together. A refused append does not affect the others.
  /// Cancelling the task does not undo an append: the call returns when the outcome is known.
  /// - Throws: `store.outcomeUnknown` when the append may have been written or not; then append again with the same
  ///   `appendID`. After any other error, nothing was written and nothing will be.
  func append(_ append: Append) async throws(StoreError) -> Appended

  /// Returns hints for the shards that may have grown. A hint saves polling; read `tail` before you wait for one.
  func committed() -> CommitHints

  /// Returns a feed of the events that are committed from now on. Start the feed first; then read `tail` up to the
  /// first event that the feed gives.
  /// - Parameter limit: the number of events that the feed buffers for a slow follower.
  func committedEvents(limit: Int) -> CommitFeed

  /// Returns the streams that are not closed, of one shard or of all. They are ordered by id and begin after `stream`.
  func openStreams(shard: Int?, after stream: UniqueID?, limit: Int) async throws(StoreError) -> [OpenStream]
}

/// The values that only one stream may own: start keys and claims. Appends claim and release them.
public protocol KeysAndClaims: Sendable {
  /// Returns the start key, or nil when no stream has claimed it.
  func startKey(scope: String, key: String) async throws(StoreError) -> StartKey?

  /// Returns the claim on a value, or nil when no stream owns it.
  func claim(scope: String, value: String) async throws(StoreError) -> Claim?
}

/// The newest snapshot of each stream that has one.
public protocol SnapshotStore: Sendable {
  /// Returns the newest saved snapshot of a stream.
  func snapshot(of stream: UniqueID) async throws(StoreError) -> Snapshot?

  /// Stores a snapshot in place of an older one. Does nothing when a newer one is already stored.
  func save(_ snapshot: Snapshot) async throws(StoreError)
}

/// Definitions of workflows. A definition that is stored never changes.
public protocol DefinitionStore: Sendable {
  /// Stores a definition permanently under its name and version.
  /// - Returns: `.same` when it is already stored with the same digest.
  /// - Throws: `store.definitionConflict` when it is already stored with another digest.
  func put(_ definition: StoredDefinition) async throws(StoreError) -> DefinitionPut

  /// Returns one definition; the one with the highest version when `version` is nil. Drafts have versions below zero.
  func definition(name: String, version: Int?) async throws(StoreError) -> StoredDefinition?

  /// Returns all definitions, or all versions of one, by name and version.
  func definitions(name: String?) async throws(StoreError) -> [StoredDefinition]
}

/// The checkpoints of followers in each shard.
public protocol CheckpointStore: Sendable {
  /// Returns the checkpoint of a follower in a shard; 0 when the follower has not begun.
  func checkpoint(_ follower: String, shard: Int) async throws(StoreError) -> Int64

  /// Moves the checkpoints of a follower that stores nothing else in the store: all of them or none.
  /// - Throws: `store.checkpointConflict` when one is not at the start of its move; then none was moved.
  func move(_ follower: String, _ moves: [CheckpointMove]) async throws(StoreError)
}

/// Documents that followers build from events. Each is written in one transaction with its follower's checkpoint.
public protocol DocumentStore: CheckpointStore {
  /// Writes documents and moves the follower's checkpoint from `batch.from` to `batch.to`, in one transaction.
  /// - Throws: `store.checkpointConflict` when the checkpoint isn't at `batch.from`; nothing was written.
  func apply(_ batch: ProjectionBatch) async throws(StoreError)

  /// Deletes a follower's checkpoints and all documents of these collections, in one transaction.
  func reset(follower: String, collections: Set<String>) async throws(StoreError)

  /// Returns the documents of a collection that match a query.
  func documents(_ query: DocumentQuery) async throws(StoreError) -> [Document]

  /// Returns the documents with these ids, in no particular order. Missing documents are left out.
  func documents(collection: String, ids: [String]) async throws(StoreError) -> [Document]

  /// Removes what earlier writes have left of deleted and replaced documents, as far as the store can: its files have
  /// their bytes no more. `docs/security.md` says what stays in a Postgres, and in backups.
  func eraseTraces() async throws(StoreError)
}

/// The shards that this process may write, and the health of its writes.
public protocol ShardOwnership: Sendable {
  /// Makes this process the writer of exactly these shards (of all shards when nil) and gives up any others. An append
  /// to a shard that the process does not own fails with `store.notOwner`.
  /// - Throws: `store.notOwner` when another process owns one of them.
  func own(shards: Set<Int>?) async throws(StoreError)

  /// Returns whether writes work, as far as is known now. Sends nothing to the database.
  func health() -> StoreHealth

  /// Returns a stream of the health now and after each change, until the store is closed. For a slow follower, only the
  /// newest value is kept.
  func healthChanges() -> AsyncStream<StoreHealth>
}

extension ShardOwnership {
  /// Returns a health without a problem. The writes of such a store cannot fail.
  public func health() -> StoreHealth { StoreHealth() }
  public func healthChanges() -> AsyncStream<StoreHealth> { AsyncStream { $0.finish() } }
}

extension EventReading {
  /// Returns the shard of a stream.
  public func shard(of stream: UniqueID) -> Int { Shard.of(stream, count: shardCount) }

  /// Returns the shard of a start key. The stream that claims the key must live in the same shard: see
  /// `newStream(scope:key:in:)`.
  public func shard(ofKey scope: String, _ key: String) -> Int { Shard.ofKey(scope, key, count: shardCount) }

  /// Returns a new stream id in the shard of a start key. So one owner claims the key in the transaction of the
  /// stream's first event.
  public func newStream(scope: String, key: String, in environment: Environment) -> UniqueID {
    let shard = shard(ofKey: scope, key)
    while true {
      let id = environment.newID()
      if self.shard(of: id) == shard { return id }
    }
  }
}

extension DocumentStore {
  /// A store that keeps no old bytes has nothing to remove.
  public func eraseTraces() async throws(StoreError) {}

  /// Returns one document; nil when no document has this id.
  public func document(collection: String, id: String) async throws(StoreError) -> Document? {
    try await documents(collection: collection, ids: [id]).first
  }
}
