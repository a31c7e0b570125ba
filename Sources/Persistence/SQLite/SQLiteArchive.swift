public import Values

/// An SQLite store opened only for reading, also while another process writes it. It takes no lock, changes nothing,
/// and sees all committed data.
public final class SQLiteArchive: EventReading {
  public let shardCount: Int
  private let reader: SQLiteReader

  private init(shardCount: Int, reader: SQLiteReader) {
    self.shardCount = shardCount
    self.reader = reader
  }

  /// - Throws: `store.unavailable` when the file does not exist; `store.foreign` or `store.newerVersion` for a file
  ///   that this version cannot read; `store.olderVersion` for a file that an engine of this version must open first.
  public static func open(path: String) async throws(StoreError) -> SQLiteArchive {
    let reader = try SQLiteReader(path: path)
    let shardCount: Int
    do {
      shardCount = try await reader.read { database throws(StoreError) in
        try SQLiteSchema.check(database, path: path)
        return try SQLiteQueries.shardCount(database)
      }
    } catch {
      await reader.close()
      throw error
    }
    return SQLiteArchive(shardCount: shardCount, reader: reader)
  }

  public func read(_ stream: UniqueID, after version: Int, limit: Int) async throws(StoreError) -> [StoredEvent] {
    try await reader.read { database throws(StoreError) in
      try SQLiteQueries.events(database, of: stream, after: version, limit: limit)
    }
  }

  public func tail(shard: Int, after position: Int64, limit: Int) async throws(StoreError) -> [StoredEvent] {
    try checkShard(shard, count: shardCount)
    return try await reader.read { database throws(StoreError) in
      try SQLiteQueries.tail(database, shard: shard, after: position, limit: limit)
    }
  }

  public func head(shard: Int) async throws(StoreError) -> Int64 {
    try checkShard(shard, count: shardCount)
    return try await reader.read { database throws(StoreError) in try SQLiteQueries.head(database, shard: shard) }
  }

  public func origins() async throws(StoreError) -> ChainOrigins {
    try await reader.read { database throws(StoreError) in try SQLiteQueries.origins(database) }
  }

  public func close() async { await reader.close() }
}
