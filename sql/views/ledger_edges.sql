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
-- known always.
WITH spans AS (
    SELECT domain, state, first_ordinal, end_ordinal, settled_ordinal FROM ledger_spans
),
positions AS (
    SELECT instant, floor_ordinal, ordinal FROM grid_positions
),
reach AS (
    SELECT MAX(end_ordinal) AS ordinal FROM spans
),
asked AS (
    SELECT domain, MIN(first_ordinal) AS first_ordinal, MAX(end_ordinal) AS end_ordinal
    FROM spans
    GROUP BY domain
),
seen AS (
    SELECT
        domains.domain,
        created.ordinal AS first_ordinal,
        CASE WHEN domains.unlisted_since IS NOT NULL THEN lastly.floor_ordinal END AS end_ordinal,
        CASE
            WHEN lastly.ordinal < reach.ordinal THEN lastly.ordinal
            ELSE reach.ordinal
        END AS seen_ordinal
    FROM domains
    CROSS JOIN reach
    JOIN positions AS lastly ON lastly.instant = domains.last_seen
    LEFT JOIN positions AS created ON created.instant = domains.create_time
)
SELECT domain, state AS mark, first_ordinal AS ordinal, 1 AS delta
FROM spans
WHERE state IN ('read', 'lost', 'gone')
UNION ALL
SELECT domain, state AS mark, end_ordinal AS ordinal, -1 AS delta
FROM spans
WHERE state IN ('read', 'lost', 'gone')
UNION ALL
SELECT domain, 'settled' AS mark, first_ordinal AS ordinal, 1 AS delta
FROM spans
WHERE settled_ordinal > first_ordinal
UNION ALL
SELECT domain, 'settled' AS mark, settled_ordinal AS ordinal, -1 AS delta
FROM spans
WHERE settled_ordinal > first_ordinal
UNION ALL
SELECT asked.domain, 'known' AS mark, COALESCE(seen.first_ordinal, 0) AS ordinal, 1 AS delta
FROM asked
LEFT JOIN seen ON seen.domain = asked.domain
UNION ALL
SELECT asked.domain, 'known' AS mark, seen.end_ordinal AS ordinal, -1 AS delta
FROM asked
JOIN seen ON seen.domain = asked.domain
WHERE seen.end_ordinal IS NOT NULL
UNION ALL
SELECT domain, 'asked' AS mark, first_ordinal AS ordinal, 1 AS delta
FROM asked
UNION ALL
SELECT
    asked.domain,
    'asked' AS mark,
    CASE
        WHEN seen.seen_ordinal > asked.end_ordinal THEN seen.seen_ordinal
        ELSE asked.end_ordinal
    END AS ordinal,
    -1 AS delta
FROM asked
LEFT JOIN seen ON seen.domain = asked.domain
UNION ALL
SELECT asked.domain, 'ahead' AS mark, reach.ordinal AS ordinal, 1 AS delta
FROM asked
CROSS JOIN reach
