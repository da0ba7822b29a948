-- Bytes served per domain and local month.
-- Grain: one row per domain and local month with at least one stored point. Unit: bytes.
-- Zone: business time zone.
-- Rule: the sum of the stored points. complete = every expected point of the whole month is
-- settled; expected_points are never fewer than points.
-- Differs for MariaDB and MySQL: they do not take a question about one domain through a left join
-- into coverage_monthly, but do through a union.
WITH parts AS (
    SELECT
        traffic.domain,
        calendar.local_month,
        SUM(traffic.traffic_bytes) AS traffic_bytes,
        COUNT(*) AS points,
        NULL AS expected_points,
        NULL AS settled
    FROM traffic
    JOIN calendar ON calendar.timestamp = traffic.timestamp
    GROUP BY traffic.domain, calendar.local_month
    UNION ALL
    SELECT
        domain,
        local_month,
        NULL AS traffic_bytes,
        NULL AS points,
        expected_points,
        settled
    FROM coverage_monthly
),
sums AS (
    SELECT
        domain,
        local_month,
        MAX(traffic_bytes) AS traffic_bytes,
        MAX(points) AS points,
        MAX(expected_points) AS expected_points,
        MAX(settled) AS settled
    FROM parts
    GROUP BY domain, local_month
),
compared AS (
    SELECT
        sums.domain,
        sums.local_month,
        sums.traffic_bytes,
        sums.points,
        CASE
            WHEN sums.expected_points IS NULL THEN months.points
            WHEN sums.expected_points < sums.points THEN sums.points
            ELSE sums.expected_points
        END AS expected_points,
        COALESCE(sums.settled, 0) AS settled
    FROM sums
    JOIN (
        SELECT local_month, COUNT(*) AS points FROM calendar GROUP BY local_month
    ) AS months ON months.local_month = sums.local_month
    WHERE sums.points IS NOT NULL
)
SELECT
    domain,
    local_month,
    CAST(traffic_bytes AS BIGINT) AS traffic_bytes,
    CAST(points AS BIGINT) AS points,
    CAST(expected_points AS BIGINT) AS expected_points,
    settled = expected_points AS complete
FROM compared
