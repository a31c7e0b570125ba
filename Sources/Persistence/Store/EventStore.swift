public import Runtime
public import Values

/// Where everything that happened is kept: streams of events, each numbered from 1, and beside them what must be true
/// in the same transaction (start keys, claims, which streams are open), snapshots, definitions, and read models.
///
/// Rules that every store holds, and that the conformance suite in `Tests/Persistence` tries on each of them:
/// - An append is all or nothing, whatever it travels with.
/// - Versions of a stream are contiguous from 1. Positions of a shard are contiguous from 1 and commit in order, so that
///   a reader of the tail never misses an event that committed late.
/// - Appending again with the same `appendID` changes nothing and gives the first answer, also after a restart.
/// - What a function has returned is durable (but in memory).
///
/// Texts are compared byte by byte in UTF-8, never by canonical equivalence, and must not hold U+0000.
public protocol EventStore: EventReading {
  /// Makes this process the writer of exactly these shards (all of them when nil), giving up any others it owned.
  /// An append to a shard that isn't owned fails with `store.notOwner`.
  /// - Throws: `store.notOwner` when another process owns one of them.
  func own(shards: Set<Int>?) async throws(StoreError)

  /// Adds events to the end of a stream, with everything else the append carries, in one transaction.
  ///
  /// What many tasks append at once is committed together; one refused append spoils no other. Cancelling the task
  /// doesn't take an append back: it returns once the outcome is known.
  /// - Throws: `store.outcomeUnknown`: it may have been written, or not; append again with the same `appendID`. Any other
  ///   error: nothing was written, and nothing will be.
  func append(_ append: Append) async throws(StoreError) -> Appended

  /// Whether writes work, as far as is known now. It asks nobody.
  func health() -> StoreHealth

  /// Gives the health now, and then whenever it changes, until the store is closed. Only the newest is kept for a
  /// follower that is slow.
  func healthChanges() -> AsyncStream<StoreHealth>

  /// Tells which shards may have grown. A hint that saves polling, never the truth: read `tail` before waiting for it.
  func committed() -> CommitHints

  /// Gives what is committed from now on as it is committed. Begin to follow it, then read `tail` up to the first event
  /// that it gives.
  /// - Parameter limit: how many events are held for a follower that is slow.
  func committedEvents(limit: Int) -> CommitFeed

  /// The newest snapshot saved of a stream.
  func snapshot(of stream: UniqueID) async throws(StoreError) -> Snapshot?

  /// Keeps a snapshot in place of an older one; does nothing when a newer one is there already.
  func save(_ snapshot: Snapshot) async throws(StoreError)

  /// The start key, when a stream has claimed it.
  func startKey(scope: String, key: String) async throws(StoreError) -> StartKey?

  /// The claim on a value, when a stream holds it.
  func claim(scope: String, value: String) async throws(StoreError) -> Claim?

  /// The streams that haven't been closed, of one shard or of all, in order of their ids from the one after `stream`.
  func openStreams(shard: Int?, after stream: UniqueID?, limit: Int) async throws(StoreError) -> [OpenStream]

  /// Keeps a definition for ever under its name and version.
  /// - Returns: `.same` when it is there already with the same digest.
  /// - Throws: `store.definitionConflict` when it is there with another digest.
  func put(_ definition: StoredDefinition) async throws(StoreError) -> DefinitionPut

  /// One definition; the highest version when `version` is nil.
  func definition(name: String, version: Int?) async throws(StoreError) -> StoredDefinition?

  /// How far a follower has come in a shard; 0 when it hasn't begun.
  func checkpoint(_ follower: String, shard: Int) async throws(StoreError) -> Int64

  /// Writes documents and moves the follower's checkpoint from `batch.from` to `batch.to`, in one transaction.
  /// - Throws: `store.checkpointConflict` when the checkpoint isn't at `batch.from`; nothing was written.
  func apply(_ batch: ProjectionBatch) async throws(StoreError)

  /// Moves checkpoints of a follower that keeps nothing else in the store, all or none.
  /// - Throws: `store.checkpointConflict` when one isn't where its move begins; none was moved.
  func move(_ follower: String, _ moves: [CheckpointMove]) async throws(StoreError)

  /// Forgets a follower's checkpoints and all documents of these collections, in one transaction.
  func reset(follower: String, collections: Set<String>) async throws(StoreError)

  /// The documents of a collection that a query asks for.
  func documents(_ query: DocumentQuery) async throws(StoreError) -> [Document]

  /// The documents with these ids, in no particular order; what isn't there is left out.
  func documents(collection: String, ids: [String]) async throws(StoreError) -> [Document]
}

extension EventStore {
  /// A store that can't lose its writes has nothing to say.
  public func health() -> StoreHealth { StoreHealth() }
  public func healthChanges() -> AsyncStream<StoreHealth> { AsyncStream { $0.finish() } }

  /// The shard that a stream lives in.
  public func shard(of stream: UniqueID) -> Int { Shard.of(stream, count: shardCount) }

  /// The shard that a start key lives in; the stream that claims it must live there too, see `newStream(scope:key:in:)`.
  public func shard(ofKey scope: String, _ key: String) -> Int { Shard.ofKey(scope, key, count: shardCount) }

  /// A new stream id that lives in the shard of a start key, so that one owner claims the key in the transaction of the
  /// stream's first event.
  public func newStream(scope: String, key: String, in environment: Environment) -> UniqueID {
    let shard = shard(ofKey: scope, key)
    while true {
      let id = environment.newID()
      if self.shard(of: id) == shard { return id }
    }
  }

  /// One document.
  public func document(collection: String, id: String) async throws(StoreError) -> Document? {
    try await documents(collection: collection, ids: [id]).first
  }
}
