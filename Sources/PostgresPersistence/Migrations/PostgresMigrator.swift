import Persistence
import Values

/// Migrates the schema of a store to this program's version, or gives the reason why that is impossible.
struct PostgresMigrator {
  let names: PostgresNames
  var migrations = PostgresMigration.all

  /// Applies the missing migrations. Several programs may call it at the same time: one applies them, and the others
  /// wait and find them applied.
  /// - Parameter shardCount: the number of shards of a new store.
  /// - Returns: the fixed values of the store.
  func migrate(
    _ connection: PostgresConnection, creating shardCount: Int, now: Timestamp
  ) throws(PostgresError) -> PostgresStoreRow {
    try connection.transaction { (connection) throws(PostgresError) in
      _ = try connection.run(PostgresCall(Self.lock) { $0.append(names.lockKey) })
      try connection.runScript(
        """
        CREATE SCHEMA IF NOT EXISTS \(names.schema);
        CREATE SCHEMA IF NOT EXISTS \(names.read);
        CREATE TABLE IF NOT EXISTS \(names.schema).migrations (
          version integer PRIMARY KEY,
          name text NOT NULL,
          checksum text NOT NULL,
          applied_at timestamptz NOT NULL
        );
        """)
      let applied = try self.applied(connection)
      for migration in migrations where applied[migration.version] == nil {
        try connection.runScript(migration.text.split(separator: "{read}").joined(separator: names.read))
        _ = try connection.run(
          PostgresCall(Self.record) {
            $0.append(int4: migration.version)
            $0.append(migration.name)
            $0.append(migration.checksum)
            $0.append(now)
          })
      }
      let created = PostgresCall(Self.create) {
        $0.append(int4: shardCount)
        $0.append(now)
      }
      _ = try connection.run(created)
      return try row(connection)
    }
  }

  private func row(_ connection: PostgresConnection) throws(PostgresError) -> PostgresStoreRow {
    guard let row = try connection.run(PostgresCall(Self.read)).first else {
      throw .unexpected("the table \(names.schema).store is empty")
    }
    return PostgresStoreRow(id: UInt32(truncatingIfNeeded: try row.int8(0)), shardCount: try row.int4(1))
  }

  /// Checks the schema and changes nothing.
  /// - Throws: an error when the schema is not this program's.
  func look(_ connection: PostgresConnection) throws(PostgresError) -> PostgresStoreRow {
    let isThere = try connection.run(
      PostgresCall(Self.exists) { $0.append("\(names.schema).migrations") }
    ).first?.bool(0)
    guard isThere == true else { throw refuse(.foreignSchema, "isn't that of a store") }
    let newest = try applied(connection).keys.max() ?? 0
    let known = migrations.map(\.version).max() ?? 0
    if newest < known {
      throw refuse(
        .olderSchema, "has version \(newest), and this program reads \(known): open it with an engine of this version")
    }
    return try row(connection)
  }

  /// Returns the applied migrations by version.
  /// - Throws: an error when they differ from this program's migrations.
  private func applied(_ connection: PostgresConnection) throws(PostgresError) -> [Int: String] {
    var applied: [Int: String] = [:]
    for row in try connection.run(PostgresCall(Self.list)).rows {
      let version = try row.int4(0)
      let checksum = try row.text(1)
      guard let known = migrations.first(where: { $0.version == version }) else {
        let newest = migrations.map(\.version).max() ?? 0
        throw refuse(
          .newerSchema, "has version \(version), this program knows versions up to \(newest): use a newer program")
      }
      guard known.checksum == checksum else {
        throw refuse(
          .foreignSchema,
          "was made by another migration \(version) than this program's (\(known.name)): its recorded checksum differs")
      }
      applied[version] = checksum
    }
    // Versions have no gaps. A missing version below an applied one cannot be applied any more.
    let newest = applied.keys.max() ?? 0
    if let missing = migrations.first(where: { $0.version < newest && applied[$0.version] == nil }) {
      throw refuse(.foreignSchema, "has version \(newest) but not version \(missing.version)")
    }
    return applied
  }

  private func refuse(_ kind: PostgresError.Kind, _ reason: String) -> PostgresError {
    PostgresError(kind: kind, message: "the schema \(names.schema) \(reason)")
  }

  private static let lock = PostgresStatement("migrate_lock", "SELECT pg_advisory_xact_lock($1)")
  private static let list = PostgresStatement(
    "migrations", "SELECT version, checksum FROM migrations ORDER BY version")
  private static let exists = PostgresStatement("migrations_exist", "SELECT to_regclass($1) IS NOT NULL")
  private static let record = PostgresStatement(
    "migration_add", "INSERT INTO migrations (version, name, checksum, applied_at) VALUES ($1, $2, $3, $4)")
  // The server chooses the id. It must differ from the ids of other stores in the database, and our own randomness may
  // come from a seed.
  private static let create = PostgresStatement(
    "store_add",
    """
    INSERT INTO store (id, shard_count, created_at)
    VALUES (('x' || left(md5(gen_random_uuid()::text), 8))::bit(32)::int8, $1, $2) ON CONFLICT DO NOTHING
    """)
  private static let read = PostgresStatement("store", "SELECT id, shard_count FROM store")
}

/// The values that are fixed when a store is created.
struct PostgresStoreRow: Sendable, Hashable {
  let id: UInt32
  let shardCount: Int
}

/// The schemas of a store.
struct PostgresNames: Sendable, Hashable {
  /// The schema of the events and the data that belongs to them.
  let schema: String
  /// The schema of the read models, which can be dropped and rebuilt.
  var read: String { schema + "_read" }

  /// - Throws: `invalidSettings` unless the name is a plain name, because it becomes part of statements.
  init(schema: String) throws(PostgresError) {
    let characters = Array(schema.utf8)
    let isPlain = characters.allSatisfy { byte in
      (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || byte == UInt8(ascii: "_")
        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
    guard isPlain, let first = characters.first, characters.count <= 40, first > UInt8(ascii: "9"),
      !schema.hasPrefix("pg_")
    else {
      throw PostgresError(
        kind: .invalidSettings,
        message: "a store's name is up to 40 lower-case letters, digits and _, and begins with a letter: \"\(schema)\"")
    }
    self.schema = schema
  }

  /// The key of the lock for changes of the schema.
  var lockKey: Int64 {
    Digest.sha256(Array("migrate \(schema)".utf8)).prefix(8).reduce(0) { $0 << 8 | Int64($1) }
  }
}
