extension PostgresMigration {
  /// The event store and the read models.
  static let m0001 = PostgresMigration(
    version: 1, name: "store",
    text: """
      -- What is fixed when the store is made. The id is the first half of its advisory lock keys, the shard the second.
      CREATE TABLE store (
        singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
        id bigint NOT NULL CHECK (id BETWEEN 0 AND 4294967295),
        shard_count integer NOT NULL CHECK (shard_count > 0),
        created_at timestamptz NOT NULL
      );

      -- Position of the last event of a shard that retention dropped: positions never go back.
      CREATE TABLE shards (
        shard integer PRIMARY KEY,
        dropped_to bigint NOT NULL
      );

      -- `month` is yyyymm of the moment in the stream's id: a stream lives in one partition.
      -- Data and meta are bytes, kept exactly as they were written: the hash covers them.
      CREATE TABLE events (
        position bigint NOT NULL,
        recorded_at timestamptz NOT NULL,
        month integer NOT NULL,
        version integer NOT NULL CHECK (version > 0),
        shard integer NOT NULL,
        stream uuid NOT NULL,
        append_id uuid NOT NULL,
        type text NOT NULL,
        hash bytea NOT NULL,
        data bytea NOT NULL,
        meta bytea NOT NULL,
        PRIMARY KEY (month, stream, version)
      ) PARTITION BY LIST (month);

      -- The tail that followers read. Unique within a partition: a guard behind the one owner of a shard.
      CREATE UNIQUE INDEX events_tail ON events (shard, position, month);

      CREATE TABLE snapshots (
        shard integer NOT NULL,
        stream uuid NOT NULL,
        version integer NOT NULL,
        recorded_at timestamptz NOT NULL,
        data bytea NOT NULL,
        PRIMARY KEY (shard, stream)
      );

      CREATE TABLE open_streams (
        shard integer NOT NULL,
        stream uuid NOT NULL,
        asleep boolean NOT NULL,
        wake_at timestamptz,
        PRIMARY KEY (shard, stream)
      );

      -- The list over all shards.
      CREATE INDEX open_streams_by_stream ON open_streams (stream);

      -- The shard of a start key or claim is the hash of its scope and key.
      CREATE TABLE start_keys (
        shard integer NOT NULL,
        scope text COLLATE "C" NOT NULL,
        key text COLLATE "C" NOT NULL,
        stream uuid NOT NULL,
        digest bytea NOT NULL,
        PRIMARY KEY (shard, scope, key)
      );

      CREATE TABLE claims (
        shard integer NOT NULL,
        scope text COLLATE "C" NOT NULL,
        value text COLLATE "C" NOT NULL,
        stream uuid NOT NULL,
        data bytea,
        PRIMARY KEY (shard, scope, value)
      );

      CREATE TABLE checkpoints (
        follower text COLLATE "C" NOT NULL,
        shard integer NOT NULL,
        position bigint NOT NULL,
        PRIMARY KEY (follower, shard)
      );

      CREATE TABLE definitions (
        name text COLLATE "C" NOT NULL,
        version integer NOT NULL,
        registered_at timestamptz NOT NULL,
        registered_by text NOT NULL,
        digest bytea NOT NULL,
        data bytea NOT NULL,
        PRIMARY KEY (name, version)
      );

      CREATE TABLE {read}.documents (
        collection text COLLATE "C" NOT NULL,
        sort text COLLATE "C" NOT NULL,
        id text COLLATE "C" NOT NULL,
        data bytea NOT NULL,
        PRIMARY KEY (collection, id)
      );

      CREATE UNIQUE INDEX documents_sorted ON {read}.documents (collection, sort, id);

      -- What a document is found by, with its place in the order, so that a page is read off the index.
      CREATE TABLE {read}.document_fields (
        collection text COLLATE "C" NOT NULL,
        name text COLLATE "C" NOT NULL,
        value text COLLATE "C" NOT NULL,
        sort text COLLATE "C" NOT NULL,
        id text COLLATE "C" NOT NULL,
        PRIMARY KEY (collection, id, name)
      );

      CREATE UNIQUE INDEX document_fields_sorted
        ON {read}.document_fields (collection, name, value, sort, id);
      """)
}
