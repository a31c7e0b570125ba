import Values

// Snapshots, definitions and read models.
extension SQLiteSession {
  func save(_ snapshot: Snapshot) throws(StoreError) {
    let upsert = try database.statement(
      """
      INSERT INTO snapshots (stream, version, data) VALUES (?, ?, ?)
      ON CONFLICT (stream) DO UPDATE SET version = excluded.version, data = excluded.data
      WHERE excluded.version > snapshots.version
      """)
    try upsert.bind(snapshot.stream, snapshot.version, snapshot.data)
    try upsert.execute()
  }

  func emptyLog() throws(StoreError) {
    // All appends wait meanwhile, so a reader in the way, such as a backup, is not waited for as long as usual.
    database.wait(atMost: .milliseconds(500))
    defer { database.wait(atMost: SQLiteDatabase.patience) }
    // The first column is 1 when a reader was in the way for longer.
    let isBusy = try database.statement("PRAGMA wal_checkpoint(TRUNCATE)").first { $0.integer(0) } ?? 1
    if isBusy != 0 { throw .unavailable("a reader keeps the write-ahead log in use") }
  }

  func put(_ definition: StoredDefinition) throws(StoreError) -> DefinitionPut {
    let kept = try SQLiteQueries.definition(database, name: definition.name, version: definition.version)
    if let kept {
      if kept.digest == definition.digest { return .same }
      throw .definitionConflict(definition)
    }
    let insert = try database.statement(
      """
      INSERT INTO definitions (name, version, digest, data, registered_by, registered_at) VALUES (?, ?, ?, ?, ?, ?)
      """)
    try insert.bind(
      definition.name, definition.version, definition.digest, definition.data, definition.registeredBy,
      definition.registeredAt.milliseconds)
    try insert.execute()
    return .new
  }

  func apply(_ batch: ProjectionBatch) throws(StoreError) {
    let checkpoint = try SQLiteQueries.checkpoint(database, batch.follower, shard: batch.shard)
    if checkpoint != batch.from { throw .checkpointConflict(batch, actual: checkpoint) }
    try writeCheckpoint(batch.follower, shard: batch.shard, batch.to)
    for document in batch.upserts { try write(document) }
    for name in batch.deletes {
      try deleteFields(of: name)
      let delete = try database.statement("DELETE FROM documents WHERE collection = ? AND id = ?")
      try delete.bind(name.collection, name.id)
      try delete.execute()
    }
  }

  func move(_ follower: String, _ moves: [CheckpointMove]) throws(StoreError) {
    for move in moves {
      let actual = try SQLiteQueries.checkpoint(database, follower, shard: move.shard)
      if actual != move.from { throw .checkpointConflict(follower, move, actual: actual) }
    }
    for move in moves { try writeCheckpoint(follower, shard: move.shard, move.to) }
  }

  private func writeCheckpoint(_ follower: String, shard: Int, _ position: Int64) throws(StoreError) {
    let upsert = try database.statement(
      "INSERT OR REPLACE INTO checkpoints (follower, shard, position) VALUES (?, ?, ?)")
    try upsert.bind(follower, shard, position)
    try upsert.execute()
  }

  func reset(follower: String, collections: Set<String>) throws(StoreError) {
    let delete = try database.statement("DELETE FROM checkpoints WHERE follower = ?")
    try delete.bind(follower)
    try delete.execute()
    for collection in collections {
      for table in ["documents", "document_fields"] {
        let delete = try database.statement("DELETE FROM \(table) WHERE collection = ?")
        try delete.bind(collection)
        try delete.execute()
      }
    }
  }

  private func write(_ document: Document) throws(StoreError) {
    try deleteFields(of: DocumentName(collection: document.collection, id: document.id))
    let upsert = try database.statement(
      """
      INSERT INTO documents (collection, id, sort, fields, data) VALUES (?, ?, ?, ?, ?)
      ON CONFLICT (collection, id) DO UPDATE SET sort = excluded.sort, fields = excluded.fields, data = excluded.data
      """)
    try upsert.bind(
      document.collection, document.id, document.sort, SQLiteFields.encode(document.fields), document.data)
    try upsert.execute()
    for (name, value) in document.fields {
      let insert = try database.statement(
        "INSERT INTO document_fields (collection, name, value, sort, id) VALUES (?, ?, ?, ?, ?)")
      try insert.bind(document.collection, name, value, document.sort, document.id)
      try insert.execute()
    }
  }

  /// Deletes the rows by which lists are filtered. They are found through the document as it is stored now.
  private func deleteFields(of name: DocumentName) throws(StoreError) {
    guard let old = try SQLiteQueries.document(database, name) else { return }
    for (field, value) in old.fields {
      let delete = try database.statement(
        "DELETE FROM document_fields WHERE collection = ? AND name = ? AND value = ? AND sort = ? AND id = ?")
      try delete.bind(old.collection, field, value, old.sort, old.id)
      try delete.execute()
    }
  }
}

/// The fields of a document as one value: names and values alternate, each after its length in 4 bytes, big-endian.
enum SQLiteFields {
  static func encode(_ fields: [String: String]) -> [UInt8] {
    var bytes: [UInt8] = []
    for (name, value) in fields {
      bytes.appendField(name.utf8)
      bytes.appendField(value.utf8)
    }
    return bytes
  }

  static func decode(_ bytes: [UInt8]) throws(StoreError) -> [String: String] {
    var rest = bytes[...]
    func next() throws(StoreError) -> String {
      guard rest.count >= 4 else { throw .corrupt("a document's fields are cut off") }
      let length = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
      guard rest.count >= 4 + length else { throw .corrupt("a document's fields are cut off") }
      defer { rest = rest.dropFirst(4 + length) }
      return String(decoding: rest.dropFirst(4).prefix(length), as: UTF8.self)
    }
    var fields: [String: String] = [:]
    while !rest.isEmpty { fields[try next()] = try next() }
    return fields
  }
}
