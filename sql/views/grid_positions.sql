-- Helper: where the instants that the ledger and the domain list name stand on the calendar's grid.
-- Grain: one row per instant. Unit: ordinal = number of the first grid point at or after the
-- instant; 0 when it lies before the calendar. Zone: UTC.
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
    SELECT instant, 0 AS is_point, 0 AS next_ordinal FROM instants WHERE instant IS NOT NULL
    UNION ALL
    SELECT timestamp AS instant, 1 AS is_point, ordinal + 1 AS next_ordinal FROM calendar
),
placed AS (
    SELECT
        instant,
        is_point,
        MAX(next_ordinal) OVER (ORDER BY instant, is_point ROWS UNBOUNDED PRECEDING) AS ordinal
    FROM timeline
)
SELECT instant, CAST(ordinal AS BIGINT) AS ordinal
FROM placed
WHERE is_point = 0
