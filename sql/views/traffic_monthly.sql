-- Bytes served per domain and local month.
-- Grain: one row per domain and local month with at least one stored point. Unit: bytes.
-- Zone: business time zone.
-- Rule: the sum of the stored points. complete = every expected point of the whole month is
-- settled; expected_points are never fewer than points.
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
),
compared AS (
    SELECT
        sums.domain,
        sums.local_month,
        sums.traffic_bytes,
        sums.points,
        CASE
            WHEN covered.expected_points IS NULL THEN months.points
            WHEN covered.expected_points < sums.points THEN sums.points
            ELSE covered.expected_points
        END AS expected_points,
        COALESCE(covered.settled, 0) AS settled
    FROM sums
    JOIN months ON months.local_month = sums.local_month
    LEFT JOIN coverage_monthly AS covered
        ON covered.domain = sums.domain AND covered.local_month = sums.local_month
)
SELECT
    domain,
    local_month,
    CAST(traffic_bytes AS BIGINT) AS traffic_bytes,
    CAST(points AS BIGINT) AS points,
    CAST(expected_points AS BIGINT) AS expected_points,
    settled = expected_points AS complete
FROM compared
