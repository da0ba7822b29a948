-- Every value that the arriving rows change, before and after.
-- A key that was already revised at that instant or later gets the microsecond after its newest
-- revision, so that the key stays a key and the order of its revisions is kept.
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
    arriving.domain,
    arriving.timestamp,
    coalesce(
        greatest(arriving.loaded_at, newest.revised_at + INTERVAL 1 MICROSECOND),
        arriving.loaded_at
    ) AS revised_at,
    arriving.old_bytes,
    arriving.traffic_bytes AS new_bytes,
    arriving.old_loaded_at,
    $run_id AS run_id
FROM arriving
LEFT JOIN (
    SELECT domain, timestamp, max(revised_at) AS revised_at
    FROM traffic_revisions
    WHERE revised_at >= make_timestamptz($loaded_at)
    GROUP BY domain, timestamp
) AS newest
    ON newest.domain = arriving.domain AND newest.timestamp = arriving.timestamp
WHERE arriving.changes
