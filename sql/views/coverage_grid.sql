-- Helper: what the ledger says of every domain on every local day of the calendar.
-- Grain: one row per domain in the ledger and local date of the calendar (whole local months, so
-- days before the first and after the newest entry too). Unit: points. Zone: business time zone.
-- Rule: a point is expected when it is known (see ledger_edges) or was read. Expected points are
-- settled, provisional (read, not settled) or missing; lost, gone and ahead say what is missing and
-- why. asked = points, expected or not, between the domain's first and newest entry. Only the
-- ledger is read: edges and day starts in order, a running sum of each mark, and the stretches
-- between them added up by day.
WITH days AS (
    SELECT local_date, local_month, MIN(ordinal) AS first_ordinal, MAX(ordinal) + 1 AS end_ordinal
    FROM calendar
    GROUP BY local_date, local_month
),
timeline AS (
    SELECT domain, ordinal, mark, delta, 0 AS day_ordinal FROM ledger_edges
    UNION ALL
    SELECT
        named.domain,
        days.first_ordinal AS ordinal,
        'day' AS mark,
        0 AS delta,
        days.first_ordinal AS day_ordinal
    FROM (SELECT DISTINCT domain FROM load_ledger) AS named
    CROSS JOIN days
),
running AS (
    SELECT
        domain,
        ordinal,
        LEAD(ordinal) OVER along AS next_ordinal,
        MAX(day_ordinal) OVER along AS day_ordinal,
        SUM(CASE WHEN mark = 'read' THEN delta ELSE 0 END) OVER along AS read_count,
        SUM(CASE WHEN mark = 'settled' THEN delta ELSE 0 END) OVER along AS settled,
        SUM(CASE WHEN mark = 'lost' THEN delta ELSE 0 END) OVER along AS lost,
        SUM(CASE WHEN mark = 'gone' THEN delta ELSE 0 END) OVER along AS gone,
        SUM(CASE WHEN mark = 'known' THEN delta ELSE 0 END) OVER along AS known,
        SUM(CASE WHEN mark = 'asked' THEN delta ELSE 0 END) OVER along AS asked,
        SUM(CASE WHEN mark = 'ahead' THEN delta ELSE 0 END) OVER along AS ahead
    FROM timeline
    WINDOW along AS (PARTITION BY domain ORDER BY ordinal)
),
stretches AS (
    SELECT
        running.domain,
        days.local_date,
        days.local_month,
        CASE
            WHEN running.next_ordinal < days.end_ordinal THEN running.next_ordinal
            ELSE days.end_ordinal
        END - running.ordinal AS points,
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
    JOIN days ON days.first_ordinal = running.day_ordinal
    WHERE running.ordinal < days.end_ordinal
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
