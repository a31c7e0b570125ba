import Runtime
import Values

/// Runs the writer's statements in its transactions and keeps its state between them. Only one thread uses it at a
/// time.
///
/// A function that refuses an append does so before it writes.
final class SQLiteSession {
  let database: SQLiteDatabase
  let shardCount: Int
  private let environment: Environment
  private var owned: Set<Int> = []
  /// The head of each shard, including the open transaction; nil when it must be read first.
  private var heads: [ShardHead?]
  /// The last position of each shard after the last committed transaction; nil when it was never read.
  private var known: [Int64?]
  /// The shards that the open transaction appends to.
  private var growing: Set<Int> = []
  /// The events that the open transaction adds, when a follower takes events.
  private var added: [StoredEvent] = []
  var keepsEvents = false

  init(_ database: SQLiteDatabase, shardCount: Int, environment: Environment) {
    self.database = database
    self.shardCount = shardCount
    self.environment = environment
    heads = Array(repeating: nil, count: shardCount)
    known = Array(repeating: nil, count: shardCount)
  }

  /// Records that the transaction is committed.
  /// - Returns: the shards that have grown, and their new events when `keepsEvents` was set.
  func committed() -> (shards: Set<Int>, events: [StoredEvent]) {
    defer {
      growing = []
      added = []
    }
    for shard in growing { known[shard] = heads[shard]?.position }
    return (growing, added)
  }

  /// Records that the transaction was rolled back, or that its outcome is unknown. The session reads the heads from the
  /// file again.
  func rolledBack() {
    for shard in growing { heads[shard] = nil }
    growing = []
    added = []
  }

  func own(_ shards: Set<Int>) { owned = shards }

  /// Writes a heartbeat. Its value does not matter; only the fact that the write succeeded does.
  func beat() throws(StoreError) {
    let put = try database.statement("INSERT OR REPLACE INTO settings (name, value) VALUES ('heartbeat', ?)")
    try put.bind("\(environment.now().milliseconds)")
    try put.execute()
  }

  /// Reads the heads in the file of those shards whose head this session knows.
  /// - Returns: the shards that are further than this session has written.
  func passIntruders() throws(StoreError) -> [(shard: Int, count: Int64, position: Int64)] {
    var found: [(Int, Int64, Int64)] = []
    for shard in 0..<shardCount {
      guard let known = known[shard] else { continue }
      let end = try SQLiteQueries.shardHead(database, shard: shard)
      if end.position > known { found.append((shard, end.position - known, end.position)) }
      self.known[shard] = end.position
      heads[shard] = nil
    }
    return found
  }

  func append(_ append: Append, month: Int) throws(StoreError) -> Appended {
    let shard = Shard.of(append.stream, count: shardCount)
    if !owned.contains(shard) { throw .notOwner(shard: shard) }

    // 1. The checks that can refuse.
    let last = try lastEvent(of: append.stream)
    if last.version != append.expectedVersion {
      if let repeated = try repetition(of: append, actual: last.version) { return repeated }
      throw .versionConflict(append, actual: last.version)
    }
    if let key = append.startKey,
      let existing = try SQLiteQueries.startKey(database, scope: key.scope, key: key.key)
    {
      throw .startKeyTaken(existing)
    }
    try checkClaims(append)

    // 2. The events.
    var head = try head(of: shard)
    growing.insert(shard)
    var hash = last.hash
    let now = environment.now()
    let insert = try database.statement(
      """
      INSERT INTO events (month, stream, version, shard, position, type, data, meta, append_id, hash, chain,
        recorded_at)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      """)
    let stream = append.stream.bytes
    let appendID = append.appendID.bytes
    for (index, event) in append.events.enumerated() {
      let version = append.expectedVersion + index + 1
      hash = EventHash.next(
        after: hash, stream: append.stream, version: version, type: event.type, data: event.data, meta: event.meta,
        recordedAt: now)
      head.add(hash: hash, shard: shard)
      try insert.bind(
        month, stream, version, shard, head.position, event.type, event.data, event.meta, appendID, hash, head.chain,
        now.milliseconds)
      try insert.execute()
      if keepsEvents {
        added.append(
          StoredEvent(
            stream: append.stream, version: version, shard: shard, position: head.position, type: event.type,
            data: event.data, meta: event.meta, appendID: append.appendID, hash: hash, chain: head.chain,
            recordedAt: now))
      }
    }
    heads[shard] = head

    // 3. The keys, claims and other changes of the append.
    try writeKeysAndClaims(append)
    if let change = append.open { try write(change, of: append.stream, shard: shard) }
    return Appended(version: append.lastVersion, position: head.position, repeated: false)
  }

  private func head(of shard: Int) throws(StoreError) -> ShardHead {
    if let head = heads[shard] { return head }
    let head = try SQLiteQueries.shardHead(database, shard: shard)
    heads[shard] = head
    if known[shard] == nil { known[shard] = head.position }
    return head
  }

  private func lastEvent(of stream: UniqueID) throws(StoreError) -> (version: Int, hash: [UInt8]) {
    let query = try database.statement(
      "SELECT version, hash FROM events WHERE stream = ? ORDER BY version DESC LIMIT 1")
    try query.bind(stream)
    return try query.first { (version: Int($0.integer(0)), hash: $0.blob(1)) } ?? (0, EventHash.start)
  }

  private func repetition(of append: Append, actual: Int) throws(StoreError) -> Appended? {
    func event(_ version: Int) throws(StoreError) -> (position: Int64, isOurs: Bool)? {
      let query = try database.statement("SELECT position, append_id FROM events WHERE stream = ? AND version = ?")
      try query.bind(append.stream, version)
      return try query.first { row throws(StoreError) in (row.integer(0), try row.id(1) == append.appendID) }
    }
    guard actual > append.expectedVersion, try event(append.expectedVersion + 1)?.isOurs == true else { return nil }
    guard let last = try event(append.lastVersion), last.isOurs else {
      throw .invalid("the append id \(append.appendID) has named another append before")
    }
    return Appended(version: append.lastVersion, position: last.position, repeated: true)
  }

  private func checkClaims(_ append: Append) throws(StoreError) {
    var released: Set<TextKey> = []
    for release in append.releases {
      let existing = try SQLiteQueries.claim(database, scope: release.scope, value: release.value)
      if let existing, existing.stream != append.stream { throw .claimTaken(existing) }
      released.insert(TextKey(release.scope, release.value))
    }
    for claim in append.claims where !released.contains(TextKey(claim.scope, claim.value)) {
      if let existing = try SQLiteQueries.claim(database, scope: claim.scope, value: claim.value) {
        throw .claimTaken(existing)
      }
    }
  }

  private func writeKeysAndClaims(_ append: Append) throws(StoreError) {
    if let key = append.startKey {
      let insert = try database.statement("INSERT INTO start_keys (scope, key, stream, digest) VALUES (?, ?, ?, ?)")
      try insert.bind(key.scope, key.key, append.stream, key.digest)
      try insert.execute()
    }
    for release in append.releases {
      let delete = try database.statement("DELETE FROM claims WHERE scope = ? AND value = ?")
      try delete.bind(release.scope, release.value)
      try delete.execute()
    }
    for claim in append.claims {
      let insert = try database.statement("INSERT INTO claims (scope, value, stream, data) VALUES (?, ?, ?, ?)")
      try insert.bind(claim.scope, claim.value, append.stream, claim.data)
      try insert.execute()
    }
  }

  private func write(_ change: OpenChange, of stream: UniqueID, shard: Int) throws(StoreError) {
    let asleep: Bool
    let wakeAt: Timestamp?
    switch change {
    case .opened, .awake: (asleep, wakeAt) = (false, nil)
    case .sleeping(let until): (asleep, wakeAt) = (true, until)
    case .closed:
      let delete = try database.statement("DELETE FROM open_streams WHERE stream = ?")
      try delete.bind(stream)
      return try delete.execute()
    }
    let upsert = try database.statement(
      "INSERT OR REPLACE INTO open_streams (stream, shard, asleep, wake_at) VALUES (?, ?, ?, ?)")
    try upsert.bind(stream, shard, asleep ? 1 : 0, wakeAt?.milliseconds)
    try upsert.execute()
  }
}
