-- Bytes served per domain and local day.
-- Grain: one row per domain and local date with at least one stored point (days without one:
-- coverage_daily). Unit: bytes. Zone: business time zone.
-- Rule: the sum of the stored points. complete = every expected point of the day is settled.
WITH days AS (
    SELECT local_date, COUNT(*) AS points FROM calendar GROUP BY local_date
),
sums AS (
    SELECT
        traffic.domain,
        calendar.local_date,
        SUM(traffic.traffic_bytes) AS traffic_bytes,
        COUNT(*) AS points
    FROM traffic
    JOIN calendar ON calendar.timestamp = traffic.timestamp
    GROUP BY traffic.domain, calendar.local_date
)
SELECT
    sums.domain,
    sums.local_date,
    CAST(sums.traffic_bytes AS BIGINT) AS traffic_bytes,
    CAST(sums.points AS BIGINT) AS points,
    CAST(COALESCE(covered.expected_points, days.points) AS BIGINT) AS expected_points,
    COALESCE(covered.settled, 0) = COALESCE(covered.expected_points, days.points) AS complete
FROM sums
JOIN days ON days.local_date = sums.local_date
LEFT JOIN coverage_grid AS covered
    ON covered.domain = sums.domain AND covered.local_date = sums.local_date
