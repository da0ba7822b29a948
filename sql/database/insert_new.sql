-- Writes the rows of the batch that are not stored yet, in the order of the key.
INSERT INTO traffic (domain, timestamp, traffic_bytes, source, loaded_at)
SELECT domain, timestamp, traffic_bytes, source, loaded_at
FROM staged_changes
WHERE old_bytes IS NULL
ORDER BY domain, timestamp
