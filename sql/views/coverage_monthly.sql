-- Helper: how far each month is read, for the views by month.
-- Grain: one row per domain and local month that the ledger speaks of. Unit: points.
-- Zone: business time zone.
-- Rule: the sum of coverage_grid over the whole local month, with the days before the domain's
-- first entry and after its newest: a month is complete only when all of it is settled.
SELECT
    domain,
    local_month,
    CAST(SUM(expected_points) AS BIGINT) AS expected_points,
    CAST(SUM(settled) AS BIGINT) AS settled
FROM coverage_grid
GROUP BY domain, local_month
HAVING SUM(asked) > 0
