-- Helper: how far each local hour is read, for traffic_hourly.
-- Grain: one row per domain in the ledger and local hour of the calendar (a repeated hour is two).
-- Unit: points. Zone: hour_start in UTC.
-- Rule: as coverage_grid, with the stretches between edges and hour starts added up by hour.
WITH hours AS (
    SELECT hour_start, MIN(ordinal) AS first_ordinal, MAX(ordinal) + 1 AS end_ordinal
    FROM calendar
    GROUP BY hour_start
),
timeline AS (
    SELECT domain, ordinal, mark, delta, 0 AS hour_ordinal
    FROM ledger_edges
    WHERE mark IN ('read', 'settled', 'known')
    UNION ALL
    SELECT
        named.domain,
        hours.first_ordinal AS ordinal,
        'hour' AS mark,
        0 AS delta,
        hours.first_ordinal AS hour_ordinal
    FROM (SELECT DISTINCT domain FROM load_ledger) AS named
    CROSS JOIN hours
),
running AS (
    SELECT
        domain,
        ordinal,
        LEAD(ordinal) OVER along AS next_ordinal,
        MAX(hour_ordinal) OVER along AS hour_ordinal,
        SUM(CASE WHEN mark = 'read' THEN delta ELSE 0 END) OVER along AS read_count,
        SUM(CASE WHEN mark = 'settled' THEN delta ELSE 0 END) OVER along AS settled,
        SUM(CASE WHEN mark = 'known' THEN delta ELSE 0 END) OVER along AS known
    FROM timeline
    WINDOW along AS (PARTITION BY domain ORDER BY ordinal)
),
stretches AS (
    SELECT
        running.domain,
        hours.hour_start,
        CASE
            WHEN running.next_ordinal < hours.end_ordinal THEN running.next_ordinal
            ELSE hours.end_ordinal
        END - running.ordinal AS points,
        running.read_count,
        running.settled,
        running.known
    FROM running
    JOIN hours ON hours.first_ordinal = running.hour_ordinal
    WHERE running.ordinal < hours.end_ordinal
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
