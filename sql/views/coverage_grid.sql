-- Helper: what the ledger says of every domain on every local day of the calendar.
-- Grain: one row per domain in the ledger and local date of the calendar (whole local months, so
-- days before the first and after the newest entry too). Unit: points. Zone: business time zone.
-- Rule: a point is expected when it is known (see ledger_edges) or was read. Expected points are
-- settled, provisional (read, not settled) or missing; lost, gone and ahead say what is missing and
-- why. asked = points, expected or not, between the domain's first and newest entry. Only the
-- ledger is read: edges and day starts in order, a running sum of each mark, and the stretches
-- between them added up by day.
WITH timeline AS (
    SELECT domain, ordinal, mark, delta FROM ledger_edges
    UNION ALL
    SELECT named.domain, days.ordinal, 'day' AS mark, 0 AS delta
    FROM (SELECT DISTINCT domain FROM load_ledger) AS named
    CROSS JOIN (
        SELECT MIN(ordinal) AS ordinal FROM calendar GROUP BY local_date
        UNION ALL
        SELECT MAX(ordinal) + 1 AS ordinal FROM calendar
    ) AS days
),
moments AS (
    SELECT
        domain,
        ordinal,
        SUM(CASE WHEN mark = 'read' THEN delta ELSE 0 END) AS read_delta,
        SUM(CASE WHEN mark = 'settled' THEN delta ELSE 0 END) AS settled_delta,
        SUM(CASE WHEN mark = 'lost' THEN delta ELSE 0 END) AS lost_delta,
        SUM(CASE WHEN mark = 'gone' THEN delta ELSE 0 END) AS gone_delta,
        SUM(CASE WHEN mark = 'known' THEN delta ELSE 0 END) AS known_delta,
        SUM(CASE WHEN mark = 'asked' THEN delta ELSE 0 END) AS asked_delta,
        SUM(CASE WHEN mark = 'ahead' THEN delta ELSE 0 END) AS ahead_delta
    FROM timeline
    GROUP BY domain, ordinal
),
running AS (
    SELECT
        domain,
        ordinal,
        LEAD(ordinal) OVER (PARTITION BY domain ORDER BY ordinal) AS next_ordinal,
        SUM(read_delta) OVER along AS read_count,
        SUM(settled_delta) OVER along AS settled,
        SUM(lost_delta) OVER along AS lost,
        SUM(gone_delta) OVER along AS gone,
        SUM(known_delta) OVER along AS known,
        SUM(asked_delta) OVER along AS asked,
        SUM(ahead_delta) OVER along AS ahead
    FROM moments
    WINDOW along AS (PARTITION BY domain ORDER BY ordinal ROWS UNBOUNDED PRECEDING)
),
stretches AS (
    SELECT
        running.domain,
        calendar.local_date,
        calendar.local_month,
        running.next_ordinal - running.ordinal AS points,
        CASE
            WHEN running.settled > 0 THEN 'settled'
            WHEN running.read_count > 0 THEN 'provisional'
            WHEN running.known <= 0 THEN 'unknown'
            WHEN running.lost > 0 THEN 'lost'
            WHEN running.gone > 0 THEN 'gone'
            WHEN running.ahead > 0 THEN 'ahead'
            ELSE 'open'
        END AS state,
        running.asked
    FROM running
    JOIN calendar ON calendar.ordinal = running.ordinal
)
SELECT
    domain,
    local_date,
    local_month,
    CAST(SUM(CASE WHEN state = 'unknown' THEN 0 ELSE points END) AS BIGINT) AS expected_points,
    CAST(SUM(CASE WHEN state = 'settled' THEN points ELSE 0 END) AS BIGINT) AS settled,
    CAST(SUM(CASE WHEN state = 'provisional' THEN points ELSE 0 END) AS BIGINT) AS provisional,
    CAST(
        SUM(CASE WHEN state IN ('lost', 'gone', 'ahead', 'open') THEN points ELSE 0 END) AS BIGINT
    ) AS missing,
    CAST(SUM(CASE WHEN state = 'lost' THEN points ELSE 0 END) AS BIGINT) AS lost,
    CAST(SUM(CASE WHEN state = 'gone' THEN points ELSE 0 END) AS BIGINT) AS gone,
    CAST(SUM(CASE WHEN state = 'ahead' THEN points ELSE 0 END) AS BIGINT) AS ahead,
    CAST(SUM(CASE WHEN asked > 0 THEN points ELSE 0 END) AS BIGINT) AS asked
FROM stretches
GROUP BY domain, local_date, local_month
