-- Writes the values that differ, and only those.
-- Differs for SQLite: for an UPDATE ... FROM it looks through all of traffic; this goes by key.
INSERT INTO traffic (domain, timestamp, traffic_bytes, source, loaded_at)
SELECT domain, timestamp, traffic_bytes, source, loaded_at
FROM staged_changes
WHERE old_bytes IS NOT NULL
ON CONFLICT (domain, timestamp) DO UPDATE SET
    traffic_bytes = excluded.traffic_bytes,
    source = excluded.source,
    loaded_at = excluded.loaded_at
