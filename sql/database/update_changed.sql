-- Writes the values that differ, and only those.
UPDATE traffic
SET
    traffic_bytes = changed.traffic_bytes,
    source = changed.source,
    loaded_at = changed.loaded_at
FROM staged_changes AS changed
WHERE traffic.domain = changed.domain
    AND traffic.timestamp = changed.timestamp
    AND changed.old_bytes IS NOT NULL
