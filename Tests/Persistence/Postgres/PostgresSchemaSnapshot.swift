/// The schema that all migrations make together.
let postgresSchemaSnapshot = """
  table S.checkpoints
    column follower text COLLATE "C" NOT NULL
    column shard integer NOT NULL
    column position bigint NOT NULL
    constraint checkpoints_pkey PRIMARY KEY (follower, shard)
    index CREATE UNIQUE INDEX checkpoints_pkey ON S.checkpoints USING btree (follower, shard)
  table S.claims
    column shard integer NOT NULL
    column scope text COLLATE "C" NOT NULL
    column value text COLLATE "C" NOT NULL
    column stream uuid NOT NULL
    column data bytea
    constraint claims_pkey PRIMARY KEY (shard, scope, value)
    index CREATE UNIQUE INDEX claims_pkey ON S.claims USING btree (shard, scope, value)
  table S.definitions
    column name text COLLATE "C" NOT NULL
    column version integer NOT NULL
    column registered_at timestamp with time zone NOT NULL
    column registered_by text NOT NULL
    column digest bytea NOT NULL
    column data bytea NOT NULL
    constraint definitions_pkey PRIMARY KEY (name, version)
    index CREATE UNIQUE INDEX definitions_pkey ON S.definitions USING btree (name, version)
  table S.events PARTITION BY LIST (month)
    column position bigint NOT NULL
    column recorded_at timestamp with time zone NOT NULL
    column month integer NOT NULL
    column version integer NOT NULL
    column shard integer NOT NULL
    column stream uuid NOT NULL
    column append_id uuid NOT NULL
    column type text NOT NULL
    column hash bytea NOT NULL
    column data bytea NOT NULL
    column meta bytea NOT NULL
    column chain bytea
    constraint events_chain_check CHECK ((chain IS NOT NULL)) NOT VALID
    constraint events_pkey PRIMARY KEY (month, stream, version)
    constraint events_version_check CHECK ((version > 0))
    index CREATE UNIQUE INDEX events_pkey ON ONLY S.events USING btree (month, stream, version)
    index CREATE UNIQUE INDEX events_tail ON ONLY S.events USING btree (shard, "position", month)
  table S.migrations
    column version integer NOT NULL
    column name text NOT NULL
    column checksum text NOT NULL
    column applied_at timestamp with time zone NOT NULL
    constraint migrations_pkey PRIMARY KEY (version)
    index CREATE UNIQUE INDEX migrations_pkey ON S.migrations USING btree (version)
  table S.open_streams
    column shard integer NOT NULL
    column stream uuid NOT NULL
    column asleep boolean NOT NULL
    column wake_at timestamp with time zone
    constraint open_streams_pkey PRIMARY KEY (shard, stream)
    index CREATE INDEX open_streams_by_stream ON S.open_streams USING btree (stream)
    index CREATE UNIQUE INDEX open_streams_pkey ON S.open_streams USING btree (shard, stream)
  table S.shards
    column shard integer NOT NULL
    column dropped_to bigint NOT NULL
    constraint shards_pkey PRIMARY KEY (shard)
    index CREATE UNIQUE INDEX shards_pkey ON S.shards USING btree (shard)
  table S.snapshots
    column shard integer NOT NULL
    column stream uuid NOT NULL
    column version integer NOT NULL
    column recorded_at timestamp with time zone NOT NULL
    column data bytea NOT NULL
    constraint snapshots_pkey PRIMARY KEY (shard, stream)
    index CREATE UNIQUE INDEX snapshots_pkey ON S.snapshots USING btree (shard, stream)
  table S.start_keys
    column shard integer NOT NULL
    column scope text COLLATE "C" NOT NULL
    column key text COLLATE "C" NOT NULL
    column stream uuid NOT NULL
    column digest bytea NOT NULL
    constraint start_keys_pkey PRIMARY KEY (shard, scope, key)
    index CREATE UNIQUE INDEX start_keys_pkey ON S.start_keys USING btree (shard, scope, key)
  table S.store
    column singleton boolean NOT NULL DEFAULT true
    column id bigint NOT NULL
    column shard_count integer NOT NULL
    column created_at timestamp with time zone NOT NULL
    column store_id uuid NOT NULL DEFAULT gen_random_uuid()
    constraint store_id_check CHECK (((id >= 0) AND (id <= '4294967295'::bigint)))
    constraint store_pkey PRIMARY KEY (singleton)
    constraint store_shard_count_check CHECK ((shard_count > 0))
    constraint store_singleton_check CHECK (singleton)
    index CREATE UNIQUE INDEX store_pkey ON S.store USING btree (singleton)
  table S.unchained
    column shard integer NOT NULL
    column position bigint NOT NULL
    constraint unchained_pkey PRIMARY KEY (shard)
    index CREATE UNIQUE INDEX unchained_pkey ON S.unchained USING btree (shard)
  table S_read.document_fields
    column collection text COLLATE "C" NOT NULL
    column name text COLLATE "C" NOT NULL
    column value text COLLATE "C" NOT NULL
    column sort text COLLATE "C" NOT NULL
    column id text COLLATE "C" NOT NULL
    constraint document_fields_pkey PRIMARY KEY (collection, id, name)
    index CREATE UNIQUE INDEX document_fields_pkey ON S_read.document_fields USING btree (collection, id, name)
    index CREATE UNIQUE INDEX document_fields_sorted ON S_read.document_fields USING btree (collection, name, value, sort, id)
  table S_read.documents
    column collection text COLLATE "C" NOT NULL
    column sort text COLLATE "C" NOT NULL
    column id text COLLATE "C" NOT NULL
    column data bytea NOT NULL
    constraint documents_pkey PRIMARY KEY (collection, id)
    index CREATE UNIQUE INDEX documents_pkey ON S_read.documents USING btree (collection, id)
    index CREATE UNIQUE INDEX documents_sorted ON S_read.documents USING btree (collection, sort, id)
  """
