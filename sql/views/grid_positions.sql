-- Helper: where the instants that the ledger and the domain list name stand on the calendar's grid.
-- Grain: one row per instant. Zone: UTC. Unit: numbers of grid points: floor_ordinal = the last at
-- or before the instant (-1 before the calendar), ordinal = the first at or after it.
-- Rule: one pass over calendar and instants in order of time, so that an instant needs no row of
-- its own in the calendar (a window may end where the calendar ends).
WITH instants AS (
    SELECT window_start AS instant FROM load_ledger
    UNION
    SELECT window_end AS instant FROM load_ledger
    UNION
    SELECT create_time AS instant FROM domains
    UNION
    SELECT last_seen AS instant FROM domains
),
timeline AS (
    SELECT timestamp AS instant, 0 AS is_asked, ordinal, timestamp FROM calendar
    UNION ALL
    SELECT instant, 1 AS is_asked, -1 AS ordinal, NULL AS timestamp
    FROM instants
    WHERE instant IS NOT NULL
),
placed AS (
    SELECT
        instant,
        is_asked,
        MAX(ordinal) OVER (ORDER BY instant, is_asked ROWS UNBOUNDED PRECEDING) AS floor_ordinal,
        MAX(timestamp) OVER (ORDER BY instant, is_asked ROWS UNBOUNDED PRECEDING) AS floor_point
    FROM timeline
)
SELECT
    instant,
    CAST(floor_ordinal AS BIGINT) AS floor_ordinal,
    CAST(
        CASE WHEN floor_point = instant THEN floor_ordinal ELSE floor_ordinal + 1 END AS BIGINT
    ) AS ordinal
FROM placed
WHERE is_asked = 1
