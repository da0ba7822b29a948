-- Bandwidth of every point of one domain.
-- Grain: one row per stored point. Unit: bit/s. Zone: UTC.
-- Rule: bandwidth as it is.
SELECT timestamp, bits_per_second
FROM bandwidth
WHERE domain = :domain AND timestamp >= :start_instant AND timestamp < :end_instant
ORDER BY timestamp
