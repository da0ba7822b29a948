-- The 95th percentile of every month that the period touches, over all domains.
-- Grain: one row per local month. Unit: bit/s. Zone: business time zone.
--
-- Rule: bandwidth_monthly_p95_total as it is.
SELECT local_month, bits_per_second, valid_days, samples, dropped, complete
FROM bandwidth_monthly_p95_total
WHERE local_month >= :first_month AND local_month <= :last_month
ORDER BY local_month
