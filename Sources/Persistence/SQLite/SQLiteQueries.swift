import Values

/// The queries of the readers, which the writer also uses in its transaction.
enum SQLiteQueries {
  private static let eventColumns =
    "stream, version, shard, position, type, data, meta, append_id, hash, chain, recorded_at"

  private static func event(_ row: SQLiteStatement) throws(StoreError) -> StoredEvent {
    StoredEvent(
      stream: try row.id(0), version: Int(row.integer(1)), shard: Int(row.integer(2)), position: row.integer(3),
      type: row.text(4), data: row.blob(5), meta: row.blob(6), appendID: try row.id(7), hash: row.blob(8),
      chain: row.isNull(9) ? nil : row.blob(9), recordedAt: Timestamp(milliseconds: row.integer(10)))
  }

  static func events(
    _ database: SQLiteDatabase, of stream: UniqueID, after version: Int, limit: Int
  ) throws(StoreError) -> [StoredEvent] {
    let query = try database.statement(
      "SELECT \(eventColumns) FROM events WHERE stream = ? AND version > ? ORDER BY version LIMIT ?")
    try query.bind(stream, version, max(0, limit))
    return try query.rows(event)
  }

  static func tail(
    _ database: SQLiteDatabase, shard: Int, after position: Int64, limit: Int
  ) throws(StoreError) -> [StoredEvent] {
    let query = try database.statement(
      "SELECT \(eventColumns) FROM events WHERE shard = ? AND position > ? ORDER BY position LIMIT ?")
    try query.bind(shard, position, max(0, limit))
    return try query.rows(event)
  }

  static func head(_ database: SQLiteDatabase, shard: Int) throws(StoreError) -> Int64 {
    let query = try database.statement(
      "SELECT position FROM events WHERE shard = ? ORDER BY position DESC LIMIT 1")
    try query.bind(shard)
    return try query.first { $0.integer(0) } ?? 0
  }

  static func shardHead(_ database: SQLiteDatabase, shard: Int) throws(StoreError) -> ShardHead {
    let query = try database.statement(
      "SELECT position, chain FROM events WHERE shard = ? ORDER BY position DESC LIMIT 1")
    try query.bind(shard)
    return try query.first { ShardHead(position: $0.integer(0), chain: $0.isNull(1) ? nil : $0.blob(1)) } ?? .none
  }

  static func shardCount(_ database: SQLiteDatabase) throws(StoreError) -> Int {
    let text = try database.statement("SELECT value FROM settings WHERE name = 'shard_count'").first { $0.text(0) }
    guard let text, let stored = Int(text), (1...Shard.maxCount).contains(stored) else {
      throw .corrupt("the store's number of shards is \(text ?? "missing")")
    }
    return stored
  }

  static func origins(_ database: SQLiteDatabase) throws(StoreError) -> ChainOrigins {
    let store = try database.statement("SELECT value FROM settings WHERE name = 'store_id'").first { $0.text(0) }
    guard let store, let id = UniqueID(store) else { throw .corrupt("the store's id is \(store ?? "missing")") }
    let unchained = try database.statement("SELECT shard, position FROM unchained").rows {
      (Int($0.integer(0)), $0.integer(1))
    }
    return ChainOrigins(store: id, unchained: Dictionary(unchained) { first, _ in first })
  }

  static func snapshot(_ database: SQLiteDatabase, of stream: UniqueID) throws(StoreError) -> Snapshot? {
    let query = try database.statement("SELECT version, data FROM snapshots WHERE stream = ?")
    try query.bind(stream)
    return try query.first { Snapshot(stream: stream, version: Int($0.integer(0)), data: $0.blob(1)) }
  }

  static func startKey(_ database: SQLiteDatabase, scope: String, key: String) throws(StoreError) -> StartKey? {
    let query = try database.statement("SELECT stream, digest FROM start_keys WHERE scope = ? AND key = ?")
    try query.bind(scope, key)
    return try query.first { row throws(StoreError) in
      StartKey(scope: scope, key: key, stream: try row.id(0), digest: row.blob(1))
    }
  }

  static func claim(_ database: SQLiteDatabase, scope: String, value: String) throws(StoreError) -> Claim? {
    let query = try database.statement("SELECT stream, data FROM claims WHERE scope = ? AND value = ?")
    try query.bind(scope, value)
    return try query.first { row throws(StoreError) in
      Claim(scope: scope, value: value, stream: try row.id(0), data: row.isNull(1) ? nil : row.blob(1))
    }
  }

  static func openStreams(
    _ database: SQLiteDatabase, shard: Int?, after stream: UniqueID?, limit: Int
  ) throws(StoreError) -> [OpenStream] {
    let query = try database.statement(
      """
      SELECT stream, shard, asleep, wake_at FROM open_streams
      WHERE \(shard == nil ? "" : "shard = ? AND ")stream > ? ORDER BY stream LIMIT ?
      """)
    if let shard { try query.bind(shard) }
    // Every id is greater than the empty one.
    try query.bind(stream?.bytes ?? [], max(0, limit))
    return try query.rows { row throws(StoreError) in
      OpenStream(
        stream: try row.id(0), shard: Int(row.integer(1)), asleep: row.integer(2) != 0,
        wakeAt: row.isNull(3) ? nil : Timestamp(milliseconds: row.integer(3)))
    }
  }

  static func definition(
    _ database: SQLiteDatabase, name: String, version: Int?
  ) throws(StoreError) -> StoredDefinition? {
    let query = try database.statement(
      """
      SELECT \(definitionColumns) FROM definitions
      WHERE name = ?\(version == nil ? "" : " AND version = ?") ORDER BY version DESC LIMIT 1
      """)
    try query.bind(name)
    if let version { try query.bind(version) }
    return try query.first { definition($0) }
  }

  static func definitions(_ database: SQLiteDatabase, name: String?) throws(StoreError) -> [StoredDefinition] {
    let query = try database.statement(
      """
      SELECT \(definitionColumns) FROM definitions\(name == nil ? "" : " WHERE name = ?") ORDER BY name, version
      """)
    if let name { try query.bind(name) }
    return try query.rows { definition($0) }
  }

  private static let definitionColumns = "name, version, digest, data, registered_by, registered_at"

  private static func definition(_ row: SQLiteStatement) -> StoredDefinition {
    StoredDefinition(
      name: row.text(0), version: Int(row.integer(1)), digest: row.blob(2), data: row.blob(3),
      registeredBy: row.text(4), registeredAt: Timestamp(milliseconds: row.integer(5)))
  }

  static func checkpoint(_ database: SQLiteDatabase, _ follower: String, shard: Int) throws(StoreError) -> Int64 {
    let query = try database.statement("SELECT position FROM checkpoints WHERE follower = ? AND shard = ?")
    try query.bind(follower, shard)
    return try query.first { $0.integer(0) } ?? 0
  }

  static func document(_ database: SQLiteDatabase, _ name: DocumentName) throws(StoreError) -> Document? {
    let query = try database.statement(
      "SELECT id, sort, fields, data FROM documents WHERE collection = ? AND id = ?")
    try query.bind(name.collection, name.id)
    return try query.first { row throws(StoreError) in try document(row, of: name.collection) }
  }

  private static func document(_ row: SQLiteStatement, of collection: String) throws(StoreError) -> Document {
    Document(
      collection: collection, id: row.text(0), sort: row.text(1), fields: try SQLiteFields.decode(row.blob(2)),
      data: row.blob(3))
  }

  static func documents(_ database: SQLiteDatabase, _ query: DocumentQuery) throws(StoreError) -> [Document] {
    // The list is read from the index of its first field, or of the whole collection. The index already has the list's
    // order.
    let fields = query.fields.sorted { $0.key < $1.key }
    var sql = "SELECT d.id, d.sort, d.fields, d.data FROM "
    sql +=
      fields.isEmpty
      ? "documents l CROSS JOIN documents d ON d.rowid = l.rowid WHERE l.collection = ?"
      : "document_fields l CROSS JOIN documents d ON d.collection = l.collection AND d.id = l.id"
        + " WHERE l.collection = ? AND l.name = ? AND l.value = ?"
    for _ in fields.dropFirst() {
      sql +=
        " AND EXISTS (SELECT 1 FROM document_fields f WHERE f.collection = l.collection AND f.name = ?"
        + " AND f.value = ? AND f.sort = l.sort AND f.id = l.id)"
    }
    if query.sortFrom != nil { sql += " AND l.sort >= ?" }
    if query.sortBelow != nil { sql += " AND l.sort < ?" }
    if query.after != nil { sql += " AND (l.sort, l.id) \(query.descending ? "<" : ">") (?, ?)" }
    let direction = query.descending ? "DESC" : "ASC"
    sql += " ORDER BY l.sort \(direction), l.id \(direction) LIMIT ?"

    let statement = try database.statement(sql)
    try statement.bind(query.collection)
    for (name, value) in fields {
      try statement.bind(name, value)
    }
    if let from = query.sortFrom { try statement.bind(from) }
    if let below = query.sortBelow { try statement.bind(below) }
    if let after = query.after {
      try statement.bind(after.sort, after.id)
    }
    try statement.bind(max(0, query.limit))
    return try statement.rows { row throws(StoreError) in try document(row, of: query.collection) }
  }
}
