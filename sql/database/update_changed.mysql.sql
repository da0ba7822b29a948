-- Writes the values that differ, and only those.
-- Differs for MariaDB and MySQL: they know no UPDATE ... FROM.
UPDATE traffic
JOIN staged_changes AS changed
    ON traffic.domain = changed.domain
    AND traffic.timestamp = changed.timestamp
SET
    traffic.traffic_bytes = changed.traffic_bytes,
    traffic.source = changed.source,
    traffic.loaded_at = changed.loaded_at
WHERE changed.old_bytes IS NOT NULL
