-- The arriving rows beside what is stored: old_bytes is null where the key is new.
-- Binds: first, last = the batch's first and last instant, so that only the row groups around them
-- are read, however long the history is.
CREATE TEMP TABLE arriving AS
SELECT
    batch.domain,
    batch.timestamp,
    batch.traffic_bytes,
    batch.source,
    batch.loaded_at,
    stored.traffic_bytes AS old_bytes
FROM batch
LEFT JOIN (
    SELECT domain, timestamp, traffic_bytes
    FROM traffic
    WHERE timestamp BETWEEN make_timestamptz($first) AND make_timestamptz($last)
) AS stored
    ON stored.domain = batch.domain AND stored.timestamp = batch.timestamp
