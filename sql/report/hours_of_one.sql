-- Bytes by local hour of one domain.
-- Grain: one row per local hour with at least one stored point. Unit: bytes.
-- Zone: business time zone; hour_start in UTC.
-- Rule: traffic_hourly as it is.
SELECT local_date, local_hour, hour_start, traffic_bytes
FROM traffic_hourly
WHERE domain = :domain AND hour_start >= :start_instant AND hour_start < :end_instant
ORDER BY hour_start
