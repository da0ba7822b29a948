-- Every version of every point, with the time in which a report showed it.
-- Grain: one row per point and version. Unit: bytes. Zone: instants, UTC.
-- Rule: a version was shown in [known_from, known_until); known_until is null for the one that is
-- stored now. It begins with the revision that brought it, the first one when it was written
-- (old_loaded_at, or traffic.loaded_at where it was never revised). Where an older version of
-- live-traffic did not note that: with the earliest read of the point; null where there is none.
SELECT
    traffic.domain,
    traffic.timestamp,
    traffic.traffic_bytes,
    COALESCE(
        (
            SELECT MAX(newest.revised_at)
            FROM traffic_revisions AS newest
            WHERE newest.domain = traffic.domain AND newest.timestamp = traffic.timestamp
        ),
        traffic.loaded_at
    ) AS known_from,
    NULL AS known_until
FROM traffic
UNION ALL
SELECT
    revised.domain,
    revised.timestamp,
    revised.old_bytes AS traffic_bytes,
    COALESCE(
        (
            SELECT MAX(earlier.revised_at)
            FROM traffic_revisions AS earlier
            WHERE earlier.domain = revised.domain
                AND earlier.timestamp = revised.timestamp
                AND earlier.revised_at < revised.revised_at
        ),
        revised.old_loaded_at,
        (
            SELECT MIN(entry.fetched_at)
            FROM load_ledger AS entry
            WHERE revised.old_loaded_at IS NULL
                AND entry.domain = revised.domain
                AND entry.state = 'read'
                AND entry.window_start <= revised.timestamp
                AND entry.window_end > revised.timestamp
        )
    ) AS known_from,
    revised.revised_at AS known_until
FROM traffic_revisions AS revised
