extension SQLiteMigration {
  /// Adds a chain of hashes to each shard's events. Events that are already stored have no chain. The migration records
  /// the last of them once. So it is impossible to claim later that an event was stored before chains existed.
  static let chains = SQLiteMigration(
    sql: """
      ALTER TABLE events ADD COLUMN chain BLOB;

      CREATE TABLE unchained (
        shard INTEGER PRIMARY KEY,
        position INTEGER NOT NULL
      ) STRICT;
      INSERT INTO unchained (shard, position) SELECT shard, max(position) FROM events GROUP BY shard;

      -- Names the store in what is signed of it.
      INSERT INTO settings (name, value)
      SELECT 'store_id', substr(h, 1, 8) || '-' || substr(h, 9, 4) || '-4' || substr(h, 14, 3) || '-8'
        || substr(h, 18, 3) || '-' || substr(h, 21, 12)
      FROM (SELECT lower(hex(randomblob(16))) AS h);
      """)
}
