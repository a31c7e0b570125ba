extension PostgresMigration {
  /// Adds a chain of hashes to each shard's events. Events that are already stored have no chain. The migration records
  /// the last of them once. So it is impossible to claim later that an event was stored before chains existed.
  static let m0002 = PostgresMigration(
    version: 2, name: "chains",
    text: """
      -- No append runs while this lock is held, so what is noted below is where each shard ends.
      ALTER TABLE events ADD COLUMN chain bytea;
      -- Rows that are there stay as they are. A program of an earlier version, still running, can add no row without one.
      ALTER TABLE events ADD CONSTRAINT events_chain_check CHECK (chain IS NOT NULL) NOT VALID;

      CREATE TABLE unchained (
        shard integer PRIMARY KEY,
        position bigint NOT NULL
      );
      INSERT INTO unchained (shard, position)
      SELECT s.shard, e.position
      FROM (SELECT generate_series(0, shard_count - 1) AS shard FROM store) s
      CROSS JOIN LATERAL (
        SELECT position FROM events WHERE shard = s.shard ORDER BY position DESC LIMIT 1
      ) e;

      -- Names the store in what is signed of it.
      ALTER TABLE store ADD COLUMN store_id uuid NOT NULL DEFAULT gen_random_uuid();
      """)
}
