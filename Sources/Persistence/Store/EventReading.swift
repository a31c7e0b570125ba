public import Values

/// What a look at the events of a store needs, whether it is open to be written or only to be read.
public protocol EventReading: Sendable {
  /// How many shards the streams are spread over; fixed when the store is created.
  var shardCount: Int { get }

  /// Events of one stream in order, from the one after `version`; empty at the end or when there is no such stream.
  func read(_ stream: UniqueID, after version: Int, limit: Int) async throws(StoreError) -> [StoredEvent]

  /// Events of one shard in order of their positions, from the one after `position`; empty at the end.
  func tail(shard: Int, after position: Int64, limit: Int) async throws(StoreError) -> [StoredEvent]

  /// The position of the last event committed to a shard; 0 when there is none.
  func head(shard: Int) async throws(StoreError) -> Int64

  /// The store's name among all stores, and where its chains of hashes begin.
  func origins() async throws(StoreError) -> ChainOrigins

  /// Lets go of what it holds. Everything asked of it afterwards fails with `store.closed`.
  func close() async
}
