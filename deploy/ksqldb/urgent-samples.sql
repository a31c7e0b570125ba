-- What streams/urgent-samples.json does: samples that somebody is waiting for.
CREATE STREAM IF NOT EXISTS urgent_samples
  WITH (
    KAFKA_TOPIC = 'laboratory.ksqldb.urgent-samples',
    VALUE_FORMAT = 'JSON'
  ) AS
  SELECT
    id,
    barcode,
    type,
    FROM_BYTES(ce_time, 'utf8') AS registered_at
  FROM sample_events
  WHERE FROM_BYTES(ce_type, 'utf8') = 'sample.created'
    AND priority = 'urgent'
  PARTITION BY id
  EMIT CHANGES;
