-- Keeps every value that the batch changes. One that was already revised at that instant or later
-- gets the microsecond after, so that the key stays a key and the order of its revisions is kept.
-- Bind: run_id, the run.
INSERT INTO traffic_revisions (
    domain,
    timestamp,
    revised_at,
    old_bytes,
    new_bytes,
    old_loaded_at,
    run_id
)
SELECT
    changed.domain,
    changed.timestamp,
    COALESCE(MAX(known.revised_at) + INTERVAL '1' MICROSECOND, changed.loaded_at),
    changed.old_bytes,
    changed.traffic_bytes,
    changed.old_loaded_at,
    :run_id
FROM staged_changes AS changed
LEFT JOIN traffic_revisions AS known
    ON known.domain = changed.domain
    AND known.timestamp = changed.timestamp
    AND known.revised_at >= changed.loaded_at
WHERE changed.old_bytes IS NOT NULL
GROUP BY
    changed.domain,
    changed.timestamp,
    changed.loaded_at,
    changed.old_bytes,
    changed.traffic_bytes,
    changed.old_loaded_at
