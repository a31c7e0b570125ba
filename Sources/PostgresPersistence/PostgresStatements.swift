/// The statements of the hot paths: appending, and the frequent reads of running sagas. Each written row carries its
/// shard, and each read names one shard or one stream. So the schema can be spread over servers by shard. A test checks
/// every statement for this.
enum PostgresStatements {
  // MARK: Writing

  static let begin = PostgresStatement("begin", "BEGIN")
  static let commit = PostgresStatement("commit", "COMMIT")

  static let insertEvents = PostgresStatement(
    "events_add",
    """
    INSERT INTO events
      (recorded_at, position, month, version, shard, stream, append_id, type, hash, chain, data, meta)
    SELECT $1, e.position, e.month, e.version, e.shard, e.stream, e.append_id, e.type, e.hash, e.chain, e.data,
      e.meta
    FROM unnest($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
      AS e (position, month, version, shard, stream, append_id, type, hash, chain, data, meta)
    """)

  static let insertStartKeys = PostgresStatement(
    "start_keys_add",
    """
    INSERT INTO start_keys (shard, scope, key, stream, digest)
    SELECT k.shard, k.scope, k.key, k.stream, k.digest
    FROM unnest($1, $2, $3, $4, $5) AS k (shard, scope, key, stream, digest)
    """)

  /// A stream releases only the claims that it owns itself.
  static let deleteClaims = PostgresStatement(
    "claims_remove",
    """
    DELETE FROM claims c
    USING unnest($1, $2, $3, $4) AS r (shard, scope, value, stream)
    WHERE c.shard = r.shard AND c.scope = r.scope AND c.value = r.value AND c.stream = r.stream
    """)

  static let insertClaims = PostgresStatement(
    "claims_add",
    """
    INSERT INTO claims (shard, scope, value, stream, data)
    SELECT c.shard, c.scope, c.value, c.stream, c.data
    FROM unnest($1, $2, $3, $4, $5) AS c (shard, scope, value, stream, data)
    """)

  static let upsertOpen = PostgresStatement(
    "open_streams_put",
    """
    INSERT INTO open_streams (shard, stream, asleep, wake_at)
    SELECT o.shard, o.stream, o.asleep, o.wake_at
    FROM unnest($1, $2, $3, $4) AS o (shard, stream, asleep, wake_at)
    ON CONFLICT (shard, stream) DO UPDATE SET asleep = excluded.asleep, wake_at = excluded.wake_at
    """)

  static let deleteOpen = PostgresStatement(
    "open_streams_remove",
    """
    DELETE FROM open_streams o
    USING unnest($1, $2) AS r (shard, stream)
    WHERE o.shard = r.shard AND o.stream = r.stream
    """)

  // MARK: What a writer reads

  /// Reads the last event of each stream.
  static let heads = PostgresStatement(
    "heads",
    """
    SELECT q.stream, e.version, e.hash, e.position
    FROM unnest($1, $2) AS q (month, stream)
    CROSS JOIN LATERAL (
      SELECT version, hash, position FROM events
      WHERE month = q.month AND stream = q.stream
      ORDER BY version DESC LIMIT 1
    ) e
    """)

  /// Reads the first and the last event that each append would have written, if they exist.
  static let committedAppends = PostgresStatement(
    "appends_committed",
    """
    SELECT q.ordinal, e.version, e.append_id, e.position
    FROM unnest($1, $2, $3, $4, $5) AS q (ordinal, month, stream, first, last)
    CROSS JOIN LATERAL (
      SELECT version, append_id, position FROM events
      WHERE month = q.month AND stream = q.stream AND version = ANY (ARRAY[q.first, q.last])
    ) e
    """)

  static let takenStartKeys = PostgresStatement(
    "start_keys_taken",
    """
    SELECT q.ordinal, k.scope, k.key, k.stream, k.digest
    FROM unnest($1, $2, $3, $4) AS q (ordinal, shard, scope, key)
    JOIN start_keys k ON k.shard = q.shard AND k.scope = q.scope AND k.key = q.key
    """)

  static let takenClaims = PostgresStatement(
    "claims_taken",
    """
    SELECT q.ordinal, c.scope, c.value, c.stream, c.data
    FROM unnest($1, $2, $3, $4) AS q (ordinal, shard, scope, value)
    JOIN claims c ON c.shard = q.shard AND c.scope = q.scope AND c.value = q.value
    """)

  // MARK: Reading

  private static let eventColumns =
    "stream, version, shard, position, type, data, meta, append_id, hash, chain, recorded_at"

  static let readStream = PostgresStatement(
    "stream_read",
    """
    SELECT \(eventColumns) FROM events
    WHERE month = $1 AND stream = $2 AND version > $3
    ORDER BY version LIMIT $4
    """)

  static let readTail = PostgresStatement(
    "tail_read",
    """
    SELECT \(eventColumns) FROM events
    WHERE shard = $1 AND position > $2
    ORDER BY position LIMIT $3
    """)

  /// The head of each shard, up to the shard $1.
  static let shardHeads = PostgresStatement(
    "shard_heads",
    """
    SELECT s.shard, greatest(
      (SELECT e.position FROM events e WHERE e.shard = s.shard ORDER BY e.position DESC LIMIT 1),
      (SELECT d.dropped_to FROM shards d WHERE d.shard = s.shard), 0)
    FROM generate_series(0, $1::int4) AS s(shard)
    """)

  static let head = PostgresStatement(
    "head",
    """
    SELECT greatest(
      (SELECT position FROM events WHERE shard = $1 ORDER BY position DESC LIMIT 1),
      (SELECT dropped_to FROM shards WHERE shard = $1), 0)
    """)

  static let readSnapshot = PostgresStatement(
    "snapshot_read", "SELECT version, data FROM snapshots WHERE shard = $1 AND stream = $2")

  static let saveSnapshot = PostgresStatement(
    "snapshot_save",
    """
    INSERT INTO snapshots (shard, stream, version, recorded_at, data) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (shard, stream) DO UPDATE
    SET version = excluded.version, recorded_at = excluded.recorded_at, data = excluded.data
    WHERE snapshots.version < excluded.version
    """)

  static let readStartKey = PostgresStatement(
    "start_key_read", "SELECT stream, digest FROM start_keys WHERE shard = $1 AND scope = $2 AND key = $3")

  static let readClaim = PostgresStatement(
    "claim_read", "SELECT stream, data FROM claims WHERE shard = $1 AND scope = $2 AND value = $3")

  static let openOfShard = PostgresStatement(
    "open_streams_of_shard",
    """
    SELECT stream, shard, asleep, wake_at FROM open_streams
    WHERE shard = $1 AND stream > $2 ORDER BY stream LIMIT $3
    """)

  static let readCheckpoint = PostgresStatement(
    "checkpoint_read", "SELECT position FROM checkpoints WHERE follower = $1 AND shard = $2")

  /// The statements that the test checks.
  static let hot = [
    insertEvents, insertStartKeys, deleteClaims, insertClaims, upsertOpen, deleteOpen, heads, committedAppends,
    takenStartKeys, takenClaims, readStream, readTail, head, readSnapshot, saveSnapshot, readStartKey, readClaim,
    openOfShard, readCheckpoint,
  ]
}
