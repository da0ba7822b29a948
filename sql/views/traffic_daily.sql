-- Bytes served per domain and local day.
-- Grain: one row per domain and local date with at least one stored point (days without one:
-- coverage_daily). Unit: bytes. Zone: business time zone.
-- Rule: the sum of the stored points. complete = every expected point of the day is settled;
-- expected_points are never fewer than points.
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
),
compared AS (
    SELECT
        sums.domain,
        sums.local_date,
        sums.traffic_bytes,
        sums.points,
        CASE
            WHEN covered.expected_points IS NULL THEN days.points
            WHEN covered.expected_points < sums.points THEN sums.points
            ELSE covered.expected_points
        END AS expected_points,
        COALESCE(covered.settled, 0) AS settled
    FROM sums
    JOIN days ON days.local_date = sums.local_date
    LEFT JOIN coverage_grid AS covered
        ON covered.domain = sums.domain AND covered.local_date = sums.local_date
)
SELECT
    domain,
    local_date,
    CAST(traffic_bytes AS BIGINT) AS traffic_bytes,
    CAST(points AS BIGINT) AS points,
    CAST(expected_points AS BIGINT) AS expected_points,
    settled = expected_points AS complete
FROM compared
