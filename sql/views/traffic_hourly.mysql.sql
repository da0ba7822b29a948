-- Bytes served per domain and local hour: what traffic billing meters.
-- Grain: one row per domain and local hour with at least one stored point; an hour that the clock
-- repeats is two rows with two hour_start. Unit: bytes. Zone: business time zone; hour_start in
-- UTC.
-- Rule: the sum of the stored points. complete = every expected point of the hour is settled;
-- expected_points are never fewer than points.
-- Differs for MariaDB and MySQL: they do not take a question about one domain through a left join
-- into coverage_hourly, but do through a union.
WITH parts AS (
    SELECT
        traffic.domain,
        calendar.hour_start,
        SUM(traffic.traffic_bytes) AS traffic_bytes,
        COUNT(*) AS points,
        NULL AS expected_points,
        NULL AS settled
    FROM traffic
    JOIN calendar ON calendar.timestamp = traffic.timestamp
    GROUP BY traffic.domain, calendar.hour_start
    UNION ALL
    SELECT
        domain,
        hour_start,
        NULL AS traffic_bytes,
        NULL AS points,
        expected_points,
        settled
    FROM coverage_hourly
),
sums AS (
    SELECT
        domain,
        hour_start,
        MAX(traffic_bytes) AS traffic_bytes,
        MAX(points) AS points,
        MAX(expected_points) AS expected_points,
        MAX(settled) AS settled
    FROM parts
    GROUP BY domain, hour_start
),
compared AS (
    SELECT
        sums.domain,
        hours.local_date,
        hours.local_hour,
        sums.hour_start,
        sums.traffic_bytes,
        sums.points,
        CASE
            WHEN sums.expected_points IS NULL THEN hours.points
            WHEN sums.expected_points < sums.points THEN sums.points
            ELSE sums.expected_points
        END AS expected_points,
        COALESCE(sums.settled, 0) AS settled
    FROM sums
    JOIN (
        SELECT local_date, local_hour, hour_start, COUNT(*) AS points
        FROM calendar
        GROUP BY local_date, local_hour, hour_start
    ) AS hours ON hours.hour_start = sums.hour_start
    WHERE sums.points IS NOT NULL
)
SELECT
    domain,
    local_date,
    local_hour,
    hour_start,
    CAST(traffic_bytes AS BIGINT) AS traffic_bytes,
    CAST(points AS BIGINT) AS points,
    CAST(expected_points AS BIGINT) AS expected_points,
    settled = expected_points AS complete
FROM compared
