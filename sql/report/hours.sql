-- Bytes by local hour over all domains: the heat map, and what a report's chart calls the rest.
-- Grain: one row per local hour with at least one stored point. Unit: bytes.
-- Zone: business time zone; hour_start in UTC.
-- Rule: the sum of traffic_hourly.
SELECT local_date, local_hour, hour_start, SUM(traffic_bytes) AS traffic_bytes
FROM traffic_hourly
WHERE hour_start >= :start_instant AND hour_start < :end_instant
GROUP BY local_date, local_hour, hour_start
ORDER BY hour_start
