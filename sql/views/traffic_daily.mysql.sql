-- Bytes served per domain and local day.
-- Grain: one row per domain and local date with at least one stored point (days without one:
-- coverage_daily). Unit: bytes. Zone: business time zone.
-- Rule: the sum of the stored points. complete = every expected point of the day is settled;
-- expected_points are never fewer than points.
-- Differs for MariaDB and MySQL: they do not take a question about one domain through a left join
-- into coverage_grid, but do through a union.
WITH parts AS (
    SELECT
        traffic.domain,
        calendar.local_date,
        SUM(traffic.traffic_bytes) AS traffic_bytes,
        COUNT(*) AS points,
        NULL AS expected_points,
        NULL AS settled
    FROM traffic
    JOIN calendar ON calendar.timestamp = traffic.timestamp
    GROUP BY traffic.domain, calendar.local_date
    UNION ALL
    SELECT
        domain,
        local_date,
        NULL AS traffic_bytes,
        NULL AS points,
        expected_points,
        settled
    FROM coverage_grid
),
sums AS (
    SELECT
        domain,
        local_date,
        MAX(traffic_bytes) AS traffic_bytes,
        MAX(points) AS points,
        MAX(expected_points) AS expected_points,
        MAX(settled) AS settled
    FROM parts
    GROUP BY domain, local_date
),
compared AS (
    SELECT
        sums.domain,
        sums.local_date,
        sums.traffic_bytes,
        sums.points,
        CASE
            WHEN sums.expected_points IS NULL THEN days.points
            WHEN sums.expected_points < sums.points THEN sums.points
            ELSE sums.expected_points
        END AS expected_points,
        COALESCE(sums.settled, 0) AS settled
    FROM sums
    JOIN (
        SELECT local_date, COUNT(*) AS points FROM calendar GROUP BY local_date
    ) AS days ON days.local_date = sums.local_date
    WHERE sums.points IS NOT NULL
)
SELECT
    domain,
    local_date,
    CAST(traffic_bytes AS BIGINT) AS traffic_bytes,
    CAST(points AS BIGINT) AS points,
    CAST(expected_points AS BIGINT) AS expected_points,
    settled = expected_points AS complete
FROM compared
