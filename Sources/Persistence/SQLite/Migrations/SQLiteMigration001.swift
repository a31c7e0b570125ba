extension SQLiteMigration {
  /// The first schema.
  static let first = SQLiteMigration(
    sql: """
      CREATE TABLE settings (
        name TEXT PRIMARY KEY,
        value TEXT NOT NULL
      ) STRICT, WITHOUT ROWID;

      CREATE TABLE events (
        month INTEGER NOT NULL,
        stream BLOB NOT NULL,
        version INTEGER NOT NULL,
        shard INTEGER NOT NULL,
        position INTEGER NOT NULL,
        type TEXT NOT NULL,
        data BLOB NOT NULL,
        meta BLOB NOT NULL,
        append_id BLOB NOT NULL,
        hash BLOB NOT NULL,
        recorded_at INTEGER NOT NULL
      ) STRICT;
      -- The month follows from the stream, so the stream alone is the key here.
      CREATE UNIQUE INDEX events_by_stream ON events (stream, version);
      CREATE UNIQUE INDEX events_by_position ON events (shard, position);

      CREATE TABLE snapshots (
        stream BLOB PRIMARY KEY,
        version INTEGER NOT NULL,
        data BLOB NOT NULL
      ) STRICT;

      CREATE TABLE open_streams (
        stream BLOB PRIMARY KEY,
        shard INTEGER NOT NULL,
        asleep INTEGER NOT NULL,
        wake_at INTEGER
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX open_streams_by_shard ON open_streams (shard, stream);

      CREATE TABLE start_keys (
        scope TEXT NOT NULL,
        key TEXT NOT NULL,
        stream BLOB NOT NULL,
        digest BLOB NOT NULL,
        PRIMARY KEY (scope, key)
      ) STRICT, WITHOUT ROWID;

      CREATE TABLE claims (
        scope TEXT NOT NULL,
        value TEXT NOT NULL,
        stream BLOB NOT NULL,
        data BLOB,
        PRIMARY KEY (scope, value)
      ) STRICT, WITHOUT ROWID;

      CREATE TABLE definitions (
        name TEXT NOT NULL,
        version INTEGER NOT NULL,
        digest BLOB NOT NULL,
        data BLOB NOT NULL,
        registered_by TEXT NOT NULL,
        registered_at INTEGER NOT NULL,
        PRIMARY KEY (name, version)
      ) STRICT;

      CREATE TABLE checkpoints (
        follower TEXT NOT NULL,
        shard INTEGER NOT NULL,
        position INTEGER NOT NULL,
        PRIMARY KEY (follower, shard)
      ) STRICT, WITHOUT ROWID;

      CREATE TABLE documents (
        collection TEXT NOT NULL,
        id TEXT NOT NULL,
        sort TEXT NOT NULL,
        fields BLOB NOT NULL,
        data BLOB NOT NULL,
        PRIMARY KEY (collection, id)
      ) STRICT;
      CREATE INDEX documents_by_sort ON documents (collection, sort, id);

      -- One row for each field that lists can be filtered by.
      CREATE TABLE document_fields (
        collection TEXT NOT NULL,
        name TEXT NOT NULL,
        value TEXT NOT NULL,
        sort TEXT NOT NULL,
        id TEXT NOT NULL,
        PRIMARY KEY (collection, name, value, sort, id)
      ) STRICT, WITHOUT ROWID;
      """)
}
