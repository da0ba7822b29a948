-- Bytes served per domain and local month.
-- Grain: one row per domain and local month with at least one stored point. Unit: bytes.
-- Zone: business time zone.
-- Rule: the sum of the stored points. complete = every expected point of the whole month is settled.
WITH months AS (
    SELECT local_month, COUNT(*) AS points FROM calendar GROUP BY local_month
),
sums AS (
    SELECT
        traffic.domain,
        calendar.local_month,
        SUM(traffic.traffic_bytes) AS traffic_bytes,
        COUNT(*) AS points
    FROM traffic
    JOIN calendar ON calendar.timestamp = traffic.timestamp
    GROUP BY traffic.domain, calendar.local_month
)
SELECT
    sums.domain,
    sums.local_month,
    CAST(sums.traffic_bytes AS BIGINT) AS traffic_bytes,
    CAST(sums.points AS BIGINT) AS points,
    CAST(COALESCE(covered.expected_points, months.points) AS BIGINT) AS expected_points,
    COALESCE(covered.settled, 0) = COALESCE(covered.expected_points, months.points) AS complete
FROM sums
JOIN months ON months.local_month = sums.local_month
LEFT JOIN coverage_monthly AS covered
    ON covered.domain = sums.domain AND covered.local_month = sums.local_month
