-- Helper: where along the grid each domain's coverage changes; a running sum of delta says what
-- holds.
-- Grain: one row per domain, mark, grid point and cause. Unit: ordinal = number of a grid point.
-- Zone: UTC.
-- Marks: read, settled, lost, gone (what entries say) · known (from create_time on; to last_seen
-- where the domain has left the list) · asked (from the domain's first entry to its newest; where
-- it fell silent while it was still seen, to the warehouse's newest) · ahead (behind the
-- warehouse's newest entry).
-- Rule: before create_time and after it was last listed a domain may have points, but owes none;
-- that of the period in which either happens it does not owe. A domain without a row in domains is
-- known always. Nothing is read twice under one name, so that every engine takes a question about
-- one domain down to that domain's entries.
SELECT
    spans.domain,
    CASE WHEN sides.is_settled = 1 THEN 'settled' ELSE spans.state END AS mark,
    CASE
        WHEN sides.delta = 1 THEN spans.first_ordinal
        WHEN sides.is_settled = 1 THEN spans.settled_ordinal
        ELSE spans.end_ordinal
    END AS ordinal,
    sides.delta
FROM ledger_spans AS spans
CROSS JOIN (
    SELECT 0 AS is_settled, 1 AS delta
    UNION ALL
    SELECT 0 AS is_settled, -1 AS delta
    UNION ALL
    SELECT 1 AS is_settled, 1 AS delta
    UNION ALL
    SELECT 1 AS is_settled, -1 AS delta
) AS sides
WHERE
    (sides.is_settled = 0 AND spans.state IN ('read', 'lost', 'gone'))
    OR (sides.is_settled = 1 AND spans.settled_ordinal > spans.first_ordinal)
UNION ALL
SELECT
    placed.domain,
    edges.mark,
    CAST(
        CASE edges.edge
            WHEN 'created' THEN COALESCE(placed.created_ordinal, 0)
            WHEN 'unlisted' THEN placed.unlisted_ordinal
            WHEN 'first' THEN placed.first_ordinal
            WHEN 'reach' THEN placed.reach_ordinal
            WHEN 'last'
                THEN
                CASE
                    WHEN placed.seen_ordinal > placed.reach_ordinal THEN placed.reach_ordinal
                    WHEN placed.seen_ordinal > placed.end_ordinal THEN placed.seen_ordinal
                    ELSE placed.end_ordinal
                END
        END AS BIGINT
    ) AS ordinal,
    edges.delta
FROM (
    SELECT
        domain,
        first_ordinal,
        end_ordinal,
        (reach_second - reach_second % step_seconds) / step_seconds AS reach_ordinal,
        (create_second - create_second % step_seconds) / step_seconds
        + CASE WHEN create_second % step_seconds > 0 THEN 1 ELSE 0 END AS created_ordinal,
        (seen_second - seen_second % step_seconds) / step_seconds
        + CASE WHEN seen_second % step_seconds > 0 THEN 1 ELSE 0 END AS seen_ordinal,
        CASE
            WHEN unlisted_since IS NOT NULL
                THEN (seen_second - seen_second % step_seconds) / step_seconds
        END AS unlisted_ordinal
    FROM (
        SELECT
            asked.domain,
            asked.first_ordinal,
            asked.end_ordinal,
            domains.unlisted_since,
            warehouse.step_seconds,
            CAST(FLOOR(EXTRACT(EPOCH FROM reach.window_end)) AS BIGINT) AS reach_second,
            CAST(FLOOR(EXTRACT(EPOCH FROM domains.create_time)) AS BIGINT) AS create_second,
            CAST(FLOOR(EXTRACT(EPOCH FROM domains.last_seen)) AS BIGINT) AS seen_second
        FROM (
            SELECT domain, MIN(first_ordinal) AS first_ordinal, MAX(end_ordinal) AS end_ordinal
            FROM ledger_spans
            GROUP BY domain
        ) AS asked
        CROSS JOIN (SELECT MAX(window_end) AS window_end FROM load_ledger) AS reach
        CROSS JOIN warehouse
        LEFT JOIN domains ON domains.domain = asked.domain
    ) AS seconds
) AS placed
CROSS JOIN (
    SELECT 'created' AS edge, 'known' AS mark, 1 AS delta
    UNION ALL
    SELECT 'unlisted' AS edge, 'known' AS mark, -1 AS delta
    UNION ALL
    SELECT 'first' AS edge, 'asked' AS mark, 1 AS delta
    UNION ALL
    SELECT 'last' AS edge, 'asked' AS mark, -1 AS delta
    UNION ALL
    SELECT 'reach' AS edge, 'ahead' AS mark, 1 AS delta
) AS edges
WHERE edges.edge <> 'unlisted' OR placed.unlisted_ordinal IS NOT NULL
