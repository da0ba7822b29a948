-- The highest 5-minute bandwidth of all domains together on each day: what daily-peak billing
-- charges.
-- Grain: one row per local date with at least one stored point. Unit: bit/s.
-- Zone: business time zone; timestamp = start of the peak's point, UTC.
-- Rule: summed over all domains per point, then the highest (not the sum of peaks); the earliest
-- point wins a tie. Rows only in a warehouse of 5-minute values.
-- Differs for DuckDB: numbering all points of a year and 100 domains takes it several times as long
-- as grouping them twice.
WITH points AS (
    SELECT calendar.local_date, bandwidth_total.timestamp, bandwidth_total.bits_per_second
    FROM bandwidth_total
    JOIN calendar ON calendar.timestamp = bandwidth_total.timestamp
),
peaks AS (
    SELECT local_date, MAX(bits_per_second) AS bits_per_second
    FROM points
    GROUP BY local_date
)
SELECT peaks.local_date, peaks.bits_per_second, MIN(points.timestamp) AS timestamp
FROM peaks
JOIN points
    ON points.local_date = peaks.local_date
    AND points.bits_per_second = peaks.bits_per_second
GROUP BY peaks.local_date, peaks.bits_per_second
