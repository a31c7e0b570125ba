/// Migrates a file to the schema of this version, or refuses it.
enum SQLiteSchema {
  /// The application id that identifies the file as one of our stores: "TrSq".
  static let applicationID: Int64 = 0x5472_5371

  /// The migrations in order. A released migration never changes; new ones are added at the end.
  static let migrations: [SQLiteMigration] = [.first, .chains]

  /// - Throws: `store.foreign` for a file of something else, `store.newerVersion` for one of a later version.
  static func prepare(_ database: SQLiteDatabase, path: String) throws(StoreError) {
    let version = try look(database, path: path)
    // WAL lets readers work beside the writer. Every commit is on the disk before its caller has an answer.
    try database.run("PRAGMA journal_mode = WAL")
    try database.run("PRAGMA synchronous = FULL")
    // A deleted row leaves no bytes in the file: a destroyed key must not be found there.
    try database.run("PRAGMA secure_delete = ON")
    // Only macOS distinguishes a flush to the drive from a flush to the disk itself.
    try database.run("PRAGMA fullfsync = ON")
    try database.run("PRAGMA checkpoint_fullfsync = ON")
    for (index, migration) in migrations.enumerated() where index >= version {
      try database.transaction { () throws(StoreError) in
        try database.run(migration.sql)
        try database.run("PRAGMA application_id = \(applicationID)")
        try database.run("PRAGMA user_version = \(index + 1)")
      }
    }
  }

  /// Returns the schema version of the file; 0 when the file is empty.
  private static func look(_ database: SQLiteDatabase, path: String) throws(StoreError) -> Int64 {
    let application: Int64
    let version: Int64
    let objects: Int64
    do {
      application = try number(database, "PRAGMA application_id")
      version = try number(database, "PRAGMA user_version")
      objects = try number(database, "SELECT count(*) FROM sqlite_schema")
    } catch {
      guard error.kind == .foreign else { throw error }
      throw StoreError(.foreign, "\(path) isn't a store", detail: error.detail)
    }
    let isNew = application == 0 && version == 0 && objects == 0
    if !isNew && application != applicationID {
      throw StoreError(.foreign, "\(path) is an SQLite file of something else", detail: "application_id \(application)")
    }
    if version > migrations.count {
      throw StoreError(
        .newerVersion,
        "\(path) was written by a newer version: its schema is \(version), this program knows up to \(migrations.count)"
      )
    }
    return version
  }

  /// Refuses a file with another schema version than this program's, and changes nothing.
  static func check(_ database: SQLiteDatabase, path: String) throws(StoreError) {
    let version = try look(database, path: path)
    if version == 0 { throw StoreError(.foreign, "\(path) isn't a store") }
    if version < migrations.count {
      throw StoreError(
        .olderVersion,
        "\(path) was written by an older version: its schema is \(version), and this program reads \(migrations.count)"
      )
    }
  }

  private static func number(_ database: SQLiteDatabase, _ sql: String) throws(StoreError) -> Int64 {
    try database.statement(sql).first { $0.integer(0) } ?? 0
  }
}

/// One step from a schema to the next: statements that run in one transaction.
struct SQLiteMigration: Sendable {
  let sql: String
}
