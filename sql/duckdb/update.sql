-- The arriving rows that change a stored value; the others are not written.
UPDATE traffic
SET
    traffic_bytes = arriving.traffic_bytes,
    source = arriving.source,
    loaded_at = arriving.loaded_at
FROM arriving
WHERE arriving.changes
    AND traffic.domain = arriving.domain
    AND traffic.timestamp = arriving.timestamp
    AND traffic.timestamp BETWEEN make_timestamptz($first) AND make_timestamptz($last)
