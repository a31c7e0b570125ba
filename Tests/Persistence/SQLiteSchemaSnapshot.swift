/// The schema that all migrations make together.
let sqliteSchemaSnapshot = """
  version 2
  table checkpoints STRICT WITHOUT ROWID
    follower TEXT NOT NULL
    shard INTEGER NOT NULL
    position INTEGER NOT NULL
    key (follower, shard)
  table claims STRICT WITHOUT ROWID
    scope TEXT NOT NULL
    value TEXT NOT NULL
    stream BLOB NOT NULL
    data BLOB
    key (scope, value)
  table definitions STRICT
    name TEXT NOT NULL
    version INTEGER NOT NULL
    digest BLOB NOT NULL
    data BLOB NOT NULL
    registered_by TEXT NOT NULL
    registered_at INTEGER NOT NULL
    key (name, version)
  table document_fields STRICT WITHOUT ROWID
    collection TEXT NOT NULL
    name TEXT NOT NULL
    value TEXT NOT NULL
    sort TEXT NOT NULL
    id TEXT NOT NULL
    key (collection, name, value, sort, id)
  table documents STRICT
    collection TEXT NOT NULL
    id TEXT NOT NULL
    sort TEXT NOT NULL
    fields BLOB NOT NULL
    data BLOB NOT NULL
    key (collection, id)
    index documents_by_sort (collection, sort, id)
  table events STRICT
    month INTEGER NOT NULL
    stream BLOB NOT NULL
    version INTEGER NOT NULL
    shard INTEGER NOT NULL
    position INTEGER NOT NULL
    type TEXT NOT NULL
    data BLOB NOT NULL
    meta BLOB NOT NULL
    append_id BLOB NOT NULL
    hash BLOB NOT NULL
    recorded_at INTEGER NOT NULL
    chain BLOB
    index events_by_position (shard, position) UNIQUE
    index events_by_stream (stream, version) UNIQUE
  table open_streams STRICT WITHOUT ROWID
    stream BLOB NOT NULL
    shard INTEGER NOT NULL
    asleep INTEGER NOT NULL
    wake_at INTEGER
    key (stream)
    index open_streams_by_shard (shard, stream)
  table settings STRICT WITHOUT ROWID
    name TEXT NOT NULL
    value TEXT NOT NULL
    key (name)
  table snapshots STRICT
    stream BLOB NOT NULL
    version INTEGER NOT NULL
    data BLOB NOT NULL
    key (stream)
  table start_keys STRICT WITHOUT ROWID
    scope TEXT NOT NULL
    key TEXT NOT NULL
    stream BLOB NOT NULL
    digest BLOB NOT NULL
    key (scope, key)
  table unchained STRICT
    shard INTEGER
    position INTEGER NOT NULL
  """
