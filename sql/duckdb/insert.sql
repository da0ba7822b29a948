-- The arriving rows whose key is new, in order of their keys.
INSERT INTO traffic
SELECT domain, timestamp, traffic_bytes, source, loaded_at
FROM arriving
WHERE old_bytes IS NULL
ORDER BY domain, timestamp
