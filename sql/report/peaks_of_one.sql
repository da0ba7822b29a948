-- The highest bandwidth of each day of one domain.
-- Grain: one row per local date with at least one stored point. Unit: bit/s.
-- Zone: business time zone; timestamp in UTC.
-- Rule: bandwidth_daily_peak as it is.
SELECT local_date, bits_per_second, timestamp
FROM bandwidth_daily_peak
WHERE domain = :domain AND local_date >= :start AND local_date < :end
ORDER BY local_date
