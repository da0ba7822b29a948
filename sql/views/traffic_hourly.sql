-- Bytes served per domain and local hour: what traffic billing meters.
-- Grain: one row per domain and local hour with at least one stored point; an hour that the clock repeats
-- is two rows with two hour_start. Unit: bytes. Zone: business time zone; hour_start in UTC.
-- Rule: the sum of the stored points. complete = every expected point of the hour is settled.
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
)
SELECT
    sums.domain,
    hours.local_date,
    hours.local_hour,
    sums.hour_start,
    CAST(sums.traffic_bytes AS BIGINT) AS traffic_bytes,
    CAST(sums.points AS BIGINT) AS points,
    CAST(COALESCE(covered.expected_points, hours.points) AS BIGINT) AS expected_points,
    COALESCE(covered.settled, 0) = COALESCE(covered.expected_points, hours.points) AS complete
FROM sums
JOIN hours ON hours.hour_start = sums.hour_start
LEFT JOIN coverage_hourly AS covered
    ON covered.domain = sums.domain AND covered.hour_start = sums.hour_start
