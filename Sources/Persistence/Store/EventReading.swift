public import Values

/// Reads the events of a store that is open for writing or only for reading.
public protocol EventReading: Sendable {
  /// The number of shards over which the streams are spread. It is fixed when the store is created.
  var shardCount: Int { get }

  /// Returns events of one stream in order, from the one after `version`. Returns an empty array at the end, or when
  /// the stream does not exist.
  func read(_ stream: UniqueID, after version: Int, limit: Int) async throws(StoreError) -> [StoredEvent]

  /// Returns events of one shard in order of their positions, from the one after `position`; empty at the end.
  func tail(shard: Int, after position: Int64, limit: Int) async throws(StoreError) -> [StoredEvent]

  /// Returns the position of the last event committed to a shard; 0 when the shard is empty.
  func head(shard: Int) async throws(StoreError) -> Int64

  /// Returns the position of the last event of each shard, by shard; 0 for an empty one. One call of the database has
  /// them all, but not at one time: a shard may grow while the others are read.
  func heads() async throws(StoreError) -> [Int64]

  /// Returns the id of the store, which no other store has, and the positions at which its chains begin.
  func origins() async throws(StoreError) -> ChainOrigins

  /// Releases all resources. Every later call fails with `store.closed`.
  func close() async
}

extension EventReading {
  public func heads() async throws(StoreError) -> [Int64] {
    var heads: [Int64] = []
    for shard in 0..<shardCount { heads.append(try await head(shard: shard)) }
    return heads
  }
}
