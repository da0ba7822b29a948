-- Bytes by domain and local day, of the period that a report shows and of the one before it.
-- Grain: one row per domain and local date with at least one stored point. Unit: bytes.
-- Zone: business time zone.
-- Rule: traffic_daily as it is.
SELECT domain, local_date, traffic_bytes, points, expected_points, complete
FROM traffic_daily
WHERE local_date >= :before AND local_date < :end
ORDER BY domain, local_date
