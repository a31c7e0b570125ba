public import Runtime
public import Values

/// The streams of events: what happened, each stream numbered from 1, and what commits with it in the same transaction.
public protocol EventLog: EventReading {
  /// Adds events to the end of a stream, with everything else the append carries, in one transaction.
  ///
  /// What many tasks append at once is committed together; one refused append spoils no other. Cancelling the task
  /// doesn't take an append back: it returns once the outcome is known.
  /// - Throws: `store.outcomeUnknown`: it may have been written, or not; append again with the same `appendID`. Any other
  ///   error: nothing was written, and nothing will be.
  func append(_ append: Append) async throws(StoreError) -> Appended

  /// Gives the shards that may have grown. A hint that saves polling, never the truth: read `tail` before waiting for it.
  func committed() -> CommitHints

  /// Gives what is committed from now on as it is committed. Begin to follow it, then read `tail` up to the first event
  /// that it gives.
  /// - Parameter limit: how many events are held for a follower that is slow.
  func committedEvents(limit: Int) -> CommitFeed

  /// Returns the streams that haven't been closed, of one shard or of all, in order of their ids from the one after
  /// `stream`.
  func openStreams(shard: Int?, after stream: UniqueID?, limit: Int) async throws(StoreError) -> [OpenStream]
}

/// The values that one stream alone may own: start keys and claims. Appends make and release them.
public protocol KeysAndClaims: Sendable {
  /// Returns the start key, when a stream has claimed it.
  func startKey(scope: String, key: String) async throws(StoreError) -> StartKey?

  /// Returns the claim on a value, when a stream holds it.
  func claim(scope: String, value: String) async throws(StoreError) -> Claim?
}

/// The newest state of each stream that has one stored.
public protocol SnapshotStore: Sendable {
  /// Returns the newest snapshot saved of a stream.
  func snapshot(of stream: UniqueID) async throws(StoreError) -> Snapshot?

  /// Keeps a snapshot in place of an older one; does nothing when a newer one is there already.
  func save(_ snapshot: Snapshot) async throws(StoreError)
}

/// Definitions of workflows. A definition that is stored never changes.
public protocol DefinitionStore: Sendable {
  /// Keeps a definition for ever under its name and version.
  /// - Returns: `.same` when it is there already with the same digest.
  /// - Throws: `store.definitionConflict` when it is there with another digest.
  func put(_ definition: StoredDefinition) async throws(StoreError) -> DefinitionPut

  /// Returns one definition; the highest version when `version` is nil.
  func definition(name: String, version: Int?) async throws(StoreError) -> StoredDefinition?

  /// Returns all definitions, or all versions of one, by name and version.
  func definitions(name: String?) async throws(StoreError) -> [StoredDefinition]
}

/// How far followers have come in each shard.
public protocol CheckpointStore: Sendable {
  /// Returns how far a follower has come in a shard; 0 when it hasn't begun.
  func checkpoint(_ follower: String, shard: Int) async throws(StoreError) -> Int64

  /// Moves checkpoints of a follower that keeps nothing else in the store, all or none.
  /// - Throws: `store.checkpointConflict` when one isn't where its move begins; none was moved.
  func move(_ follower: String, _ moves: [CheckpointMove]) async throws(StoreError)
}

/// Documents that followers make from events, each written in one transaction with its follower's checkpoint.
public protocol DocumentStore: CheckpointStore {
  /// Writes documents and moves the follower's checkpoint from `batch.from` to `batch.to`, in one transaction.
  /// - Throws: `store.checkpointConflict` when the checkpoint isn't at `batch.from`; nothing was written.
  func apply(_ batch: ProjectionBatch) async throws(StoreError)

  /// Forgets a follower's checkpoints and all documents of these collections, in one transaction.
  func reset(follower: String, collections: Set<String>) async throws(StoreError)

  /// Returns the documents of a collection that a query asks for.
  func documents(_ query: DocumentQuery) async throws(StoreError) -> [Document]

  /// Returns the documents with these ids, in no particular order; what isn't there is left out.
  func documents(collection: String, ids: [String]) async throws(StoreError) -> [Document]
}

/// Which shards this process may write, and whether its writes work.
public protocol ShardOwnership: Sendable {
  /// Makes this process the writer of exactly these shards (all of them when nil), giving up any others it owned.
  /// An append to a shard that isn't owned fails with `store.notOwner`.
  /// - Throws: `store.notOwner` when another process owns one of them.
  func own(shards: Set<Int>?) async throws(StoreError)

  /// Returns whether writes work, as far as is known now. It sends nothing to the database.
  func health() -> StoreHealth

  /// Gives the health now, and then whenever it changes, until the store is closed. Only the newest is kept for a
  /// follower that is slow.
  func healthChanges() -> AsyncStream<StoreHealth>
}

extension ShardOwnership {
  /// Returns no problem: the health of a store that can't lose its writes.
  public func health() -> StoreHealth { StoreHealth() }
  public func healthChanges() -> AsyncStream<StoreHealth> { AsyncStream { $0.finish() } }
}

extension EventReading {
  /// Returns the shard that a stream lives in.
  public func shard(of stream: UniqueID) -> Int { Shard.of(stream, count: shardCount) }

  /// Returns the shard that a start key lives in; the stream that claims it must live there too, see
  /// `newStream(scope:key:in:)`.
  public func shard(ofKey scope: String, _ key: String) -> Int { Shard.ofKey(scope, key, count: shardCount) }

  /// Returns a new stream id that lives in the shard of a start key, so that one owner claims the key in the transaction
  /// of the stream's first event.
  public func newStream(scope: String, key: String, in environment: Environment) -> UniqueID {
    let shard = shard(ofKey: scope, key)
    while true {
      let id = environment.newID()
      if self.shard(of: id) == shard { return id }
    }
  }
}

extension DocumentStore {
  /// Returns one document; nil when there is none with this id.
  public func document(collection: String, id: String) async throws(StoreError) -> Document? {
    try await documents(collection: collection, ids: [id]).first
  }
}
