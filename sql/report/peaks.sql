-- The highest bandwidth of each day over all domains.
-- Grain: one row per local date with at least one stored point. Unit: bit/s.
-- Zone: business time zone; timestamp in UTC.
-- Rule: bandwidth_daily_peak_total as it is.
SELECT local_date, bits_per_second, timestamp
FROM bandwidth_daily_peak_total
WHERE local_date >= :start AND local_date < :end
ORDER BY local_date
