-- How fresh each domain is: what monitoring asks.
-- Grain: one row per domain known or asked for. Unit and zone: instants, UTC; null where there is
-- none yet.
-- Rule: newest_point = start of the newest stored point. [settled_since, settled_until) = the
-- newest time settled without a gap (a row stored or not). last_read_at = when the newest
-- successful read was sent.
WITH spans AS (
    SELECT domain, state, window_end, fetched_at, first_ordinal, end_ordinal, settled_ordinal
    FROM ledger_spans
),
named AS (
    SELECT domain FROM domains
    UNION
    SELECT domain FROM load_ledger
),
newest AS (
    SELECT domain, MAX(timestamp) AS newest_point
    FROM traffic
    GROUP BY domain
),
settling AS (
    SELECT
        domain,
        first_ordinal,
        settled_ordinal,
        MAX(settled_ordinal) OVER (
            PARTITION BY domain ORDER BY first_ordinal, settled_ordinal
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS reached
    FROM spans
    WHERE settled_ordinal > first_ordinal
),
settled AS (
    SELECT
        domain,
        MAX(
            CASE WHEN reached IS NULL OR first_ordinal > reached THEN first_ordinal END
        ) AS first_ordinal,
        MAX(settled_ordinal) AS end_ordinal
    FROM settling
    GROUP BY domain
),
last_reads AS (
    SELECT domain, MAX(fetched_at) AS last_read_at
    FROM spans
    WHERE state = 'read'
    GROUP BY domain
),
instants AS (
    SELECT ordinal, MIN(instant) AS instant
    FROM (
        SELECT ordinal, timestamp AS instant FROM calendar
        UNION ALL
        SELECT end_ordinal AS ordinal, window_end AS instant FROM spans
    ) AS either
    GROUP BY ordinal
)
SELECT
    named.domain,
    newest.newest_point,
    opening.instant AS settled_since,
    closing.instant AS settled_until,
    last_reads.last_read_at
FROM named
LEFT JOIN newest ON newest.domain = named.domain
LEFT JOIN settled ON settled.domain = named.domain
LEFT JOIN instants AS opening ON opening.ordinal = settled.first_ordinal
LEFT JOIN instants AS closing ON closing.ordinal = settled.end_ordinal
LEFT JOIN last_reads ON last_reads.domain = named.domain
