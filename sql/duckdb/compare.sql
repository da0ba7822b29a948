-- The arriving rows beside what is stored: old_bytes is null where the key is new. A row changes what
-- is stored where its value differs; but one source's 0 leaves the other's value as it is.
-- Binds: first, last = the batch's first and last instant, so that only the row groups around them
-- are read, however long the history is.
CREATE TEMP TABLE arriving AS
SELECT
    batch.domain,
    batch.timestamp,
    batch.traffic_bytes,
    batch.source,
    batch.loaded_at,
    stored.traffic_bytes AS old_bytes,
    stored.loaded_at AS old_loaded_at,
    stored.traffic_bytes <> batch.traffic_bytes
    AND (batch.traffic_bytes <> 0 OR batch.source = stored.source) AS changes
FROM batch
LEFT JOIN (
    SELECT domain, timestamp, traffic_bytes, source, loaded_at
    FROM traffic
    WHERE timestamp BETWEEN make_timestamptz($first) AND make_timestamptz($last)
) AS stored
    ON stored.domain = batch.domain AND stored.timestamp = batch.timestamp
