-- Bytes served per domain and local hour: what traffic billing meters.
-- Grain: one row per domain and local hour with at least one stored point; an hour that the clock
-- repeats is two rows with two hour_start. Unit: bytes. Zone: business time zone; hour_start in
-- UTC.
-- Rule: the sum of the stored points. complete = every expected point of the hour is settled;
-- expected_points are never fewer than points.
WITH hours AS (
    SELECT local_date, local_hour, hour_start, COUNT(*) AS points
    FROM calendar
    GROUP BY local_date, local_hour, hour_start
),
sums AS (
    SELECT
        traffic.domain,
        calendar.hour_start,
        SUM(traffic.traffic_bytes) AS traffic_bytes,
        COUNT(*) AS points
    FROM traffic
    JOIN calendar ON calendar.timestamp = traffic.timestamp
    GROUP BY traffic.domain, calendar.hour_start
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
            WHEN covered.expected_points IS NULL THEN hours.points
            WHEN covered.expected_points < sums.points THEN sums.points
            ELSE covered.expected_points
        END AS expected_points,
        COALESCE(covered.settled, 0) AS settled
    FROM sums
    JOIN hours ON hours.hour_start = sums.hour_start
    LEFT JOIN coverage_hourly AS covered
        ON covered.domain = sums.domain AND covered.hour_start = sums.hour_start
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
