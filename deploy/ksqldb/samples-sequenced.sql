-- What streams/samples-sequenced.json does: each sample with the sequencing run that was scheduled for it.

-- A join wants both sides partitioned alike by what they are joined by, so each is first brought into that order.
-- Both topics need the same number of partitions for it, or PARTITIONS in these two statements.
CREATE STREAM IF NOT EXISTS samples_created
  WITH (
    KAFKA_TOPIC = 'laboratory.ksqldb.samples-created',
    VALUE_FORMAT = 'JSON'
  ) AS
  SELECT
    id,
    barcode,
    type,
    FROM_BYTES(ce_time, 'utf8') AS created_at
  FROM sample_events
  WHERE FROM_BYTES(ce_type, 'utf8') = 'sample.created'
  PARTITION BY id
  EMIT CHANGES;

CREATE STREAM IF NOT EXISTS runs_scheduled
  WITH (
    KAFKA_TOPIC = 'laboratory.ksqldb.runs-scheduled',
    VALUE_FORMAT = 'JSON'
  ) AS
  SELECT
    sampleId,
    id AS run_id,
    instrument,
    assay,
    FROM_BYTES(ce_time, 'utf8') AS scheduled_at
  FROM sequencing_events
  WHERE FROM_BYTES(ce_type, 'utf8') = 'run.scheduled'
  PARTITION BY sampleId
  EMIT CHANGES;

-- Two hours either way, by the rows' times. GRACE PERIOD says how long after that an event that comes late still finds
-- its partner; without it ksqlDB takes 24 hours.
-- A message that comes twice pairs twice: ksqlDB knows nothing of the events' ids.
CREATE STREAM IF NOT EXISTS samples_sequenced
  WITH (
    KAFKA_TOPIC = 'laboratory.ksqldb.samples-sequenced',
    VALUE_FORMAT = 'JSON'
  ) AS
  SELECT
    s.id AS sample_id,
    s.barcode AS barcode,
    s.type AS type,
    s.created_at AS created_at,
    r.run_id AS run_id,
    r.instrument AS instrument,
    r.assay AS assay,
    r.scheduled_at AS scheduled_at
  FROM samples_created s
  INNER JOIN runs_scheduled r
    WITHIN 2 HOURS GRACE PERIOD 10 MINUTES
    ON s.id = r.sampleId
  EMIT CHANGES;
