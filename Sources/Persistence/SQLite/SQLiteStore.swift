import Dispatch
import Foundation
public import Runtime
import Synchronization
public import Values

/// The embedded store: one SQLite file, for one process at a time. Each answered write is on the disk.
public final class SQLiteStore: EventStore {
  public let shardCount: Int
  private let path: String
  private let writer: SQLiteWriter
  private let readers: [SQLiteReader]
  private let nextReader = Atomic<Int>(0)
  private let hub: CommitHub
  private let board: StoreHealthBoard
  /// The lock on the file; released when the store is closed.
  private let lock: Mutex<FileLock?>

  private init(
    path: String, shardCount: Int, writer: SQLiteWriter, readers: [SQLiteReader], hub: CommitHub,
    board: StoreHealthBoard,
    lock: FileLock
  ) {
    self.path = path
    self.board = board
    self.shardCount = shardCount
    self.writer = writer
    self.readers = readers
    self.hub = hub
    self.lock = Mutex(lock)
  }

  /// Opens the store at `path`, or creates it when the file does not exist. The file's directory must exist.
  /// - Parameters:
  ///   - path: the file; created when it does not exist.
  ///   - environment: the clock for `recordedAt`.
  ///   - shardCount: the number of shards of a new store, 1 to `Shard.maxCount`; an existing store keeps its own.
  ///   - patience: how long the caller of a write waits while nothing is committed; then the call fails.
  /// - Throws: `store.locked` when another process has it open; `store.foreign` or `store.newerVersion` for a file that
  ///   it must not touch; `store.unavailable` when the file can't be opened or written.
  public static func open(
    path: String, environment: Environment, shardCount: Int = Shard.defaultCount, patience: Duration = .seconds(5)
  ) async throws(StoreError) -> SQLiteStore {
    if path.isEmpty { throw .invalid("a store needs a path") }
    if !(1...Shard.maxCount).contains(shardCount) { throw .invalid("a store has 1 to \(Shard.maxCount) shards") }
    // Opening waits for the disk, so it does not run on a task's thread.
    let result = await withCheckedContinuation {
      (continuation: CheckedContinuation<Result<SQLiteStore, StoreError>, Never>) in
      DispatchQueue(label: "tracseq.sqlite.open").async {
        do throws(StoreError) {
          let store = try openNow(
            path: path, environment: environment, shardCount: shardCount, patience: patience)
          continuation.resume(returning: .success(store))
        } catch {
          continuation.resume(returning: .failure(error))
        }
      }
    }
    return try result.get()
  }

  private static func openNow(
    path: String, environment: Environment, shardCount: Int, patience: Duration
  ) throws(StoreError) -> SQLiteStore {
    // 1. The lock comes before any other access to the file.
    let lock = try FileLock(path: path)
    // 2. The schema.
    let database = try SQLiteDatabase(path: path, readOnly: false)
    try SQLiteSchema.prepare(database, path: path)
    let shardCount = try settleShardCount(shardCount, in: database)
    // 3. The readers come after the schema exists.
    let readers = [try SQLiteReader(path: path), try SQLiteReader(path: path)]
    let hub = CommitHub()
    let board = StoreHealthBoard(environment: environment)
    let writer = SQLiteWriter(
      SQLiteSession(database, shardCount: shardCount, environment: environment), hub: hub, board: board,
      patience: patience)
    return SQLiteStore(
      path: path, shardCount: shardCount, writer: writer, readers: readers, hub: hub, board: board, lock: lock)
  }

  /// Stores the number of shards when the store is new, and returns the stored number.
  private static func settleShardCount(_ count: Int, in database: SQLiteDatabase) throws(StoreError) -> Int {
    let insert = try database.statement("INSERT OR IGNORE INTO settings (name, value) VALUES ('shard_count', ?)")
    try insert.bind(String(count))
    try insert.execute()
    return try SQLiteQueries.shardCount(database)
  }

  private func read<Value: Sendable>(
    _ body: @escaping @Sendable (SQLiteDatabase) throws(StoreError) -> Value
  ) async throws(StoreError) -> Value {
    let turn = nextReader.wrappingAdd(1, ordering: .relaxed).oldValue
    return try await readers[Int(UInt(bitPattern: turn) % UInt(readers.count))].read(body)
  }

  public func own(shards: Set<Int>?) async throws(StoreError) {
    let shards = shards ?? Set(0..<shardCount)
    for shard in shards { try checkShard(shard, count: shardCount) }
    try await writer.submit(isPatient: true) { session in session.own(shards) }
    if !shards.isEmpty { writer.startBeats() }
  }

  public func append(_ append: Append) async throws(StoreError) -> Appended {
    let month = try append.validate(shardCount: shardCount)
    return try await writer.submit { session throws(StoreError) in try session.append(append, month: month) }
  }

  public func read(_ stream: UniqueID, after version: Int, limit: Int) async throws(StoreError) -> [StoredEvent] {
    // Every stream's id is of version 7.
    guard stream.moment != nil else { return [] }
    return try await read { database throws(StoreError) in
      try SQLiteQueries.events(database, of: stream, after: version, limit: limit)
    }
  }

  public func tail(shard: Int, after position: Int64, limit: Int) async throws(StoreError) -> [StoredEvent] {
    try checkShard(shard, count: shardCount)
    return try await read { database throws(StoreError) in
      try SQLiteQueries.tail(database, shard: shard, after: position, limit: limit)
    }
  }

  public func head(shard: Int) async throws(StoreError) -> Int64 {
    try checkShard(shard, count: shardCount)
    return try await read { database throws(StoreError) in try SQLiteQueries.head(database, shard: shard) }
  }

  public func heads() async throws(StoreError) -> [Int64] {
    let count = shardCount
    return try await read { database throws(StoreError) in
      var heads: [Int64] = []
      for shard in 0..<count { heads.append(try SQLiteQueries.head(database, shard: shard)) }
      return heads
    }
  }

  public func origins() async throws(StoreError) -> ChainOrigins {
    try await read { database throws(StoreError) in try SQLiteQueries.origins(database) }
  }

  /// Returns the bytes of the file and of its write-ahead log. The read model beside it is a file of its own.
  public func size() async throws(StoreError) -> StoreSize {
    try await read { [path] _ throws(StoreError) in
      var size = StoreSize(bytes: 0)
      for file in [path, path + "-wal", path + "-shm"] {
        let attributes = try? FileManager.default.attributesOfItem(atPath: file)
        size.bytes = (size.bytes ?? 0) + ((attributes?[.size] as? NSNumber)?.int64Value ?? 0)
      }
      let disk = try? FileManager.default.attributesOfFileSystem(forPath: path)
      size.freeBytes = (disk?[.systemFreeSize] as? NSNumber)?.int64Value
      return size
    }
  }

  public func health() -> StoreHealth { board.health }
  public func healthChanges() -> AsyncStream<StoreHealth> { board.changes() }

  public func committed() -> CommitHints { hub.follow() }
  public func committedEvents(limit: Int) -> CommitFeed { hub.feed(limit: limit) }

  public func snapshot(of stream: UniqueID) async throws(StoreError) -> Snapshot? {
    try await read { database throws(StoreError) in try SQLiteQueries.snapshot(database, of: stream) }
  }

  public func save(_ snapshot: Snapshot) async throws(StoreError) {
    try await writer.submit { session throws(StoreError) in try session.save(snapshot) }
  }

  public func startKey(scope: String, key: String) async throws(StoreError) -> StartKey? {
    try await read { database throws(StoreError) in try SQLiteQueries.startKey(database, scope: scope, key: key) }
  }

  public func claim(scope: String, value: String) async throws(StoreError) -> Claim? {
    try await read { database throws(StoreError) in try SQLiteQueries.claim(database, scope: scope, value: value) }
  }

  public func openStreams(
    shard: Int?, after stream: UniqueID?, limit: Int
  ) async throws(StoreError) -> [OpenStream] {
    if let shard { try checkShard(shard, count: shardCount) }
    return try await read { database throws(StoreError) in
      try SQLiteQueries.openStreams(database, shard: shard, after: stream, limit: limit)
    }
  }

  public func put(_ definition: StoredDefinition) async throws(StoreError) -> DefinitionPut {
    try definition.validate()
    return try await writer.submit { session throws(StoreError) in try session.put(definition) }
  }

  public func definition(name: String, version: Int?) async throws(StoreError) -> StoredDefinition? {
    try await read { database throws(StoreError) in
      try SQLiteQueries.definition(database, name: name, version: version)
    }
  }

  public func definitions(name: String?) async throws(StoreError) -> [StoredDefinition] {
    try await read { database throws(StoreError) in try SQLiteQueries.definitions(database, name: name) }
  }

  public func checkpoint(_ follower: String, shard: Int) async throws(StoreError) -> Int64 {
    try checkShard(shard, count: shardCount)
    return try await read { database throws(StoreError) in
      try SQLiteQueries.checkpoint(database, follower, shard: shard)
    }
  }

  public func apply(_ batch: ProjectionBatch) async throws(StoreError) {
    try batch.validate(shardCount: shardCount)
    try await writer.submit { session throws(StoreError) in try session.apply(batch) }
  }

  public func move(_ follower: String, _ moves: [CheckpointMove]) async throws(StoreError) {
    try moves.validate(follower: follower, shardCount: shardCount)
    try await writer.submit { session throws(StoreError) in try session.move(follower, moves) }
  }

  public func reset(follower: String, collections: Set<String>) async throws(StoreError) {
    try await writer.submit(isPatient: true) { session throws(StoreError) in
      try session.reset(follower: follower, collections: collections)
    }
  }

  public func documents(_ query: DocumentQuery) async throws(StoreError) -> [Document] {
    try await read { database throws(StoreError) in try SQLiteQueries.documents(database, query) }
  }

  public func documents(collection: String, ids: [String]) async throws(StoreError) -> [Document] {
    try await read { database throws(StoreError) in
      var documents: [Document] = []
      var seen: Set<TextKey> = []
      for id in ids where seen.insert(TextKey(id)).inserted {
        let name = DocumentName(collection: collection, id: id)
        if let document = try SQLiteQueries.document(database, name) { documents.append(document) }
      }
      return documents
    }
  }

  public func eraseTraces() async throws(StoreError) { try await writer.emptyLog() }

  public func close() async {
    await writer.close()
    for reader in readers { await reader.close() }
    hub.close()
    board.close()
    // The lock is released last. The next process that opens the file must find it unused.
    lock.withLock { $0 = nil }
  }
}
