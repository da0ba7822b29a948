-- The highest bandwidth of each domain in the period.
-- Grain: one row per domain with a stored point. Unit: bit/s. Zone: business time zone.
--
-- Rule: the highest of bandwidth_daily_peak.
SELECT domain, MAX(bits_per_second) AS bits_per_second
FROM bandwidth_daily_peak
WHERE local_date >= :start AND local_date < :end
GROUP BY domain
