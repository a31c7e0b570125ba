-- What streams/samples-created-per-hour.json and streams/samples-created-last-hour.json do.

-- Tumbling windows: how many samples of each type were registered in each hour.
-- EMIT FINAL sends each window once, when it is closed: when a message comes, in the same partition, whose time is
-- behind the window's end and the grace period. Nothing else closes it: the last hour of a day waits for the next
-- message. What comes later still is left out, and nobody is told.
CREATE TABLE IF NOT EXISTS samples_created_per_hour
  WITH (
    KAFKA_TOPIC = 'laboratory.ksqldb.samples-created-per-hour',
    VALUE_FORMAT = 'JSON'
  ) AS
  SELECT
    type,
    AS_VALUE(type) AS sample_type,
    COUNT(*) AS samples,
    FROM_UNIXTIME(WINDOWSTART) AS window_start,
    FROM_UNIXTIME(WINDOWEND) AS window_end
  FROM sample_events
  WINDOW TUMBLING (SIZE 1 HOUR, GRACE PERIOD 10 MINUTES)
  WHERE FROM_BYTES(ce_type, 'utf8') = 'sample.created'
  GROUP BY type
  EMIT FINAL;

-- Hopping windows: the same as a running figure, every quarter of an hour the hour before it.
CREATE TABLE IF NOT EXISTS samples_created_last_hour
  WITH (
    KAFKA_TOPIC = 'laboratory.ksqldb.samples-created-last-hour',
    VALUE_FORMAT = 'JSON'
  ) AS
  SELECT
    type,
    AS_VALUE(type) AS sample_type,
    COUNT(*) AS samples,
    FROM_UNIXTIME(WINDOWSTART) AS window_start,
    FROM_UNIXTIME(WINDOWEND) AS window_end
  FROM sample_events
  WINDOW HOPPING (SIZE 1 HOUR, ADVANCE BY 15 MINUTES, GRACE PERIOD 10 MINUTES)
  WHERE FROM_BYTES(ce_type, 'utf8') = 'sample.created'
  GROUP BY type
  EMIT FINAL;
