-- How fresh each domain is: what monitoring asks.
-- Grain: one row per domain known or asked for. Unit and zone: instants, UTC; null where there is
-- none yet.
-- Rule: newest_point = start of the newest stored point. [settled_since, settled_until) = the
-- newest time settled without a gap (a row stored or not). last_read_at = when the newest
-- successful read that counts (as in ledger_spans) was sent.
WITH settling AS (
    SELECT
        domain,
        window_start,
        window_end,
        first_ordinal,
        end_ordinal,
        settled_ordinal,
        MAX(settled_ordinal) OVER (
            PARTITION BY domain ORDER BY first_ordinal, settled_ordinal
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS reached
    FROM ledger_spans
    WHERE settled_ordinal > first_ordinal
),
settled AS (
    SELECT
        domain,
        MAX(
            CASE WHEN reached IS NULL OR first_ordinal > reached THEN window_start END
        ) AS settled_since,
        MAX(settled_ordinal) AS end_ordinal,
        MAX(CASE WHEN settled_ordinal = end_ordinal THEN window_end END) AS settled_window_end,
        MAX(CASE WHEN settled_ordinal = end_ordinal THEN end_ordinal END) AS settled_window_ordinal
    FROM settling
    GROUP BY domain
)
SELECT
    named.domain,
    (
        SELECT traffic.timestamp
        FROM traffic
        WHERE traffic.domain = named.domain
        ORDER BY traffic.timestamp DESC
        LIMIT 1
    ) AS newest_point,
    settled.settled_since,
    CASE
        WHEN settled.settled_window_ordinal = settled.end_ordinal THEN settled.settled_window_end
        ELSE calendar.timestamp
    END AS settled_until,
    last_reads.last_read_at
FROM (
    SELECT domain FROM domains
    UNION
    SELECT domain FROM load_ledger
) AS named
LEFT JOIN settled ON settled.domain = named.domain
LEFT JOIN calendar ON calendar.ordinal = settled.end_ordinal
LEFT JOIN (
    SELECT entry.domain, MAX(entry.fetched_at) AS last_read_at
    FROM load_ledger AS entry
    LEFT JOIN domains AS serving ON serving.domain = entry.domain AND serving.api <> ''
    WHERE entry.state = 'read'
        AND (
            serving.api IS NULL
            OR (
                entry.source = serving.api
                AND (
                    serving.moved_at IS NULL
                    OR serving.previous_api = ''
                    OR serving.previous_api = serving.api
                    OR entry.window_end > serving.moved_at
                )
            )
            OR (
                entry.source = serving.previous_api
                AND serving.previous_api <> ''
                AND entry.window_start < serving.moved_at
            )
        )
    GROUP BY entry.domain
) AS last_reads ON last_reads.domain = named.domain
