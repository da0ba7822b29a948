-- The 95th percentile of all domains together in each month: what 95th percentile billing charges.
-- Grain: one row per local month with at least one stored point. Unit: bit/s; valid_days in days;
-- samples and dropped in points. Zone: business time zone.
-- Rule: summed over all domains per point, then as bandwidth_monthly_p95 (the 95th percentile of a
-- sum is not the sum of 95th percentiles); a day is valid when any domain had traffic. complete =
-- the whole month is settled for every domain that the ledger speaks of in it. Rows only in a
-- warehouse of 5-minute values.
WITH days AS (
    SELECT local_date, local_month, COUNT(*) AS points
    FROM calendar
    GROUP BY local_date, local_month
),
served AS (
    SELECT calendar.local_date, MAX(traffic.traffic_bytes) AS highest_bytes
    FROM traffic
    CROSS JOIN warehouse
    JOIN calendar ON calendar.timestamp = traffic.timestamp
    WHERE warehouse.step_seconds = 300
    GROUP BY calendar.local_date
),
sizes AS (
    SELECT
        days.local_month,
        SUM(CASE WHEN served.highest_bytes > 0 THEN 1 ELSE 0 END) AS valid_days,
        CAST(
            SUM(CASE WHEN served.highest_bytes > 0 THEN days.points ELSE 0 END) AS BIGINT
        ) AS samples
    FROM served
    JOIN days ON days.local_date = served.local_date
    GROUP BY days.local_month
),
cuts AS (
    SELECT
        local_month,
        valid_days,
        samples,
        CAST((samples - samples % 20) / 20 AS BIGINT) AS dropped
    FROM sizes
),
ranked AS (
    SELECT
        calendar.local_month,
        bandwidth_total.bits_per_second,
        ROW_NUMBER() OVER (
            PARTITION BY calendar.local_month ORDER BY bandwidth_total.bits_per_second DESC
        ) AS place
    FROM bandwidth_total
    JOIN calendar ON calendar.timestamp = bandwidth_total.timestamp
),
covered AS (
    SELECT
        local_month,
        SUM(expected_points) AS expected_points,
        SUM(settled) AS settled
    FROM coverage_monthly
    GROUP BY local_month
)
SELECT
    cuts.local_month,
    COALESCE(ranked.bits_per_second, 0) AS bits_per_second,
    CAST(cuts.valid_days AS BIGINT) AS valid_days,
    cuts.samples,
    cuts.dropped,
    COALESCE(covered.settled = covered.expected_points, 1 = 0) AS complete
FROM cuts
LEFT JOIN ranked ON ranked.local_month = cuts.local_month AND ranked.place = cuts.dropped + 1
LEFT JOIN covered ON covered.local_month = cuts.local_month
