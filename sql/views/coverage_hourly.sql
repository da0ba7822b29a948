-- Helper: how far each local hour is read, for traffic_hourly.
-- Grain: one row per domain in the ledger and local hour of the calendar (a repeated hour is two).
-- Unit: points. Zone: hour_start in UTC.
-- Rule: as coverage_grid, with the stretches between edges and hour starts added up by hour.
WITH timeline AS (
    SELECT domain, ordinal, mark, delta
    FROM ledger_edges
    WHERE mark IN ('read', 'settled', 'known')
    UNION ALL
    SELECT named.domain, hours.ordinal, 'hour' AS mark, 0 AS delta
    FROM (SELECT DISTINCT domain FROM load_ledger) AS named
    CROSS JOIN (
        SELECT MIN(ordinal) AS ordinal FROM calendar GROUP BY hour_start
        UNION ALL
        SELECT MAX(ordinal) + 1 AS ordinal FROM calendar
    ) AS hours
),
moments AS (
    SELECT
        domain,
        ordinal,
        SUM(CASE WHEN mark = 'read' THEN delta ELSE 0 END) AS read_delta,
        SUM(CASE WHEN mark = 'settled' THEN delta ELSE 0 END) AS settled_delta,
        SUM(CASE WHEN mark = 'known' THEN delta ELSE 0 END) AS known_delta
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
        SUM(known_delta) OVER along AS known
    FROM moments
    WINDOW along AS (PARTITION BY domain ORDER BY ordinal ROWS UNBOUNDED PRECEDING)
),
stretches AS (
    SELECT
        running.domain,
        calendar.hour_start,
        running.next_ordinal - running.ordinal AS points,
        running.read_count,
        running.settled,
        running.known
    FROM running
    JOIN calendar ON calendar.ordinal = running.ordinal
)
SELECT
    domain,
    hour_start,
    CAST(
        SUM(CASE WHEN known > 0 OR read_count > 0 THEN points ELSE 0 END) AS BIGINT
    ) AS expected_points,
    CAST(SUM(CASE WHEN settled > 0 THEN points ELSE 0 END) AS BIGINT) AS settled
FROM stretches
GROUP BY domain, hour_start
