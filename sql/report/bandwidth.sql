-- Bandwidth of every point over all domains.
-- Grain: one row per point in time with at least one stored point. Unit: bit/s.
-- Zone: UTC.
-- Rule: bandwidth_total as it is.
SELECT timestamp, bits_per_second
FROM bandwidth_total
WHERE timestamp >= :start_instant AND timestamp < :end_instant
ORDER BY timestamp
