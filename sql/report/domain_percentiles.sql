-- The 95th percentile of each domain in the last month of the period.
-- Grain: one row per domain with a stored point in the month. Unit: bit/s.
-- Zone: business time zone.
-- Rule: bandwidth_monthly_p95 as it is.
SELECT domain, bits_per_second
FROM bandwidth_monthly_p95
WHERE local_month = :last_month
