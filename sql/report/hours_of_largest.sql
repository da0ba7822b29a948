-- Bytes by domain and local hour, of the domains with the most traffic in the period.
-- Grain: one row per domain and local hour with at least one stored point. Unit: bytes.
-- Zone: hour_start in UTC.
-- Rule: traffic_hourly of the :most domains with the most bytes; equal ones by name.
SELECT traffic_hourly.domain, traffic_hourly.hour_start, traffic_hourly.traffic_bytes
FROM traffic_hourly
JOIN (
    SELECT domain, SUM(traffic_bytes) AS period_bytes
    FROM traffic_daily
    WHERE local_date >= :start AND local_date < :end
    GROUP BY domain
    ORDER BY SUM(traffic_bytes) DESC, domain
    LIMIT :most
) AS largest ON largest.domain = traffic_hourly.domain
WHERE traffic_hourly.hour_start >= :start_instant AND traffic_hourly.hour_start < :end_instant
