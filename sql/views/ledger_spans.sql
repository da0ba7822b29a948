-- Helper: the ledger's entries as half-open ranges of grid points.
-- Grain: one row per ledger entry. Unit: first_ordinal, end_ordinal, settled_ordinal = numbers of
-- grid points. Zone: UTC.
-- Rule: [first_ordinal, settled_ordinal) is what this entry settles: the points of a read that were
-- already due to settle (settles_at) when the request was sent. Empty for every other state.
WITH positions AS (
    SELECT instant, ordinal FROM grid_positions
),
timeline AS (
    SELECT fetched_at AS instant, 1 AS is_entry, 0 AS next_ordinal
    FROM (SELECT DISTINCT fetched_at FROM load_ledger) AS fetches
    UNION ALL
    SELECT settles_at AS instant, 0 AS is_entry, ordinal + 1 AS next_ordinal FROM calendar
),
ages AS (
    SELECT
        instant,
        is_entry,
        MAX(next_ordinal) OVER (ORDER BY instant, is_entry ROWS UNBOUNDED PRECEDING) AS ordinal
    FROM timeline
)
SELECT
    entry.domain,
    entry.state,
    entry.window_end,
    entry.fetched_at,
    opening.ordinal AS first_ordinal,
    closing.ordinal AS end_ordinal,
    CAST(
        CASE
            WHEN entry.state <> 'read' OR ages.ordinal <= opening.ordinal THEN opening.ordinal
            WHEN ages.ordinal < closing.ordinal THEN ages.ordinal
            ELSE closing.ordinal
        END AS BIGINT
    ) AS settled_ordinal
FROM load_ledger AS entry
JOIN positions AS opening ON opening.instant = entry.window_start
JOIN positions AS closing ON closing.instant = entry.window_end
JOIN ages ON ages.instant = entry.fetched_at AND ages.is_entry = 1
