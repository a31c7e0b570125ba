-- The laboratory's topics, as ksqlDB reads them. Run this first; the other files build on it, in any order.

-- From the first message that is kept, as `saga streams` does.
SET 'auto.offset.reset' = 'earliest';

-- No column is the KEY: the laboratory chooses partitions by the shard of its store, not by a hash of the key. ksqlDB
-- would take a KEY column for the one that the topic is partitioned by, and a join by it would miss pairs in silence.
-- What the event is stands in the headers of the CloudEvent; a header column is always BYTES.
-- The time of a row (ROWTIME) is the Kafka message's timestamp: when it was sent, a moment after it happened, or long
-- after when Kafka was away. The event's own time is a header, and TIMESTAMP takes only columns of key or value.
CREATE STREAM IF NOT EXISTS sample_events (
  ce_id BYTES HEADER('ce_id'),
  ce_type BYTES HEADER('ce_type'),
  ce_time BYTES HEADER('ce_time'),
  id VARCHAR,
  barcode VARCHAR,
  type VARCHAR,
  priority VARCHAR
) WITH (
  KAFKA_TOPIC = 'laboratory.sample.events',
  VALUE_FORMAT = 'JSON'
);

CREATE STREAM IF NOT EXISTS sequencing_events (
  ce_id BYTES HEADER('ce_id'),
  ce_type BYTES HEADER('ce_type'),
  ce_time BYTES HEADER('ce_time'),
  id VARCHAR,
  sampleId VARCHAR,
  instrument VARCHAR,
  assay VARCHAR
) WITH (
  KAFKA_TOPIC = 'laboratory.sequencing.events',
  VALUE_FORMAT = 'JSON'
);
