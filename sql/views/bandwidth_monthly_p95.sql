-- The 95th percentile of each domain's 5-minute bandwidth in each month.
-- Grain: one row per domain and local month with at least one stored point. Unit: bit/s; valid_days
-- in days; samples and dropped in points. Zone: business time zone.
-- Rule: a valid day is a local day with traffic (> 0 bytes). samples = all grid points of the valid
-- days (288 a day; 276 or 300 where the clock changes), a point that is not stored counts as 0. The
-- highest floor(5 %) are dropped; the highest that remains is the value. complete = the whole month
-- is settled. Rows only in a warehouse of 5-minute values.
-- Bytes and bit/s have one order, so bytes are ranked and the one value is looked up in bandwidth.
-- Numbered rather than grouped twice, so that every engine takes a question about one domain and
-- month down to its points.
WITH days AS (
    SELECT local_date, local_month, COUNT(*) AS points
    FROM calendar
    GROUP BY local_date, local_month
),
points AS (
    SELECT
        traffic.domain,
        days.local_month,
        traffic.timestamp,
        traffic.traffic_bytes,
        days.points AS day_points,
        ROW_NUMBER() OVER (
            PARTITION BY traffic.domain, days.local_month, days.local_date
            ORDER BY traffic.traffic_bytes DESC
        ) AS place_in_day
    FROM traffic
    CROSS JOIN warehouse
    JOIN calendar ON calendar.timestamp = traffic.timestamp
    JOIN days
        ON days.local_date = calendar.local_date AND days.local_month = calendar.local_month
    WHERE warehouse.step_seconds = 300
),
ranked AS (
    SELECT
        domain,
        local_month,
        timestamp,
        ROW_NUMBER() OVER (
            PARTITION BY domain, local_month ORDER BY traffic_bytes DESC, timestamp
        ) AS place,
        COUNT(*) OVER (PARTITION BY domain, local_month) AS stored,
        SUM(CASE WHEN place_in_day = 1 AND traffic_bytes > 0 THEN 1 ELSE 0 END) OVER (
            PARTITION BY domain, local_month
        ) AS valid_days,
        SUM(CASE WHEN place_in_day = 1 AND traffic_bytes > 0 THEN day_points ELSE 0 END) OVER (
            PARTITION BY domain, local_month
        ) AS samples
    FROM points
),
cuts AS (
    SELECT
        domain,
        local_month,
        timestamp,
        place,
        stored,
        valid_days,
        CAST(samples AS BIGINT) AS samples,
        CAST((samples - samples % 20) / 20 AS BIGINT) AS dropped
    FROM ranked
)
SELECT
    cuts.domain,
    cuts.local_month,
    CASE WHEN cuts.place = cuts.dropped + 1 THEN bandwidth.bits_per_second ELSE 0 END
        AS bits_per_second,
    CAST(cuts.valid_days AS BIGINT) AS valid_days,
    cuts.samples,
    cuts.dropped,
    COALESCE(covered.settled = covered.expected_points, 1 = 0) AS complete
FROM cuts
JOIN bandwidth ON bandwidth.domain = cuts.domain AND bandwidth.timestamp = cuts.timestamp
LEFT JOIN coverage_monthly AS covered
    ON covered.domain = cuts.domain AND covered.local_month = cuts.local_month
WHERE cuts.place = CASE WHEN cuts.dropped < cuts.stored THEN cuts.dropped + 1 ELSE cuts.stored END
