-- The highest 5-minute bandwidth of each domain and day.
-- Grain: one row per domain and local date with at least one stored point. Unit: bit/s.
-- Zone: business time zone; timestamp = start of the peak's point, UTC.
-- Rule: the earliest point wins a tie (of the rounded bit/s). Rows only in a warehouse of 5-minute
-- values.
-- Differs for DuckDB: numbering all points of a year and 100 domains takes it several times as long
-- as grouping them twice.
WITH points AS (
    SELECT bandwidth.domain, calendar.local_date, bandwidth.timestamp, bandwidth.bits_per_second
    FROM bandwidth
    JOIN calendar ON calendar.timestamp = bandwidth.timestamp
),
peaks AS (
    SELECT domain, local_date, MAX(bits_per_second) AS bits_per_second
    FROM points
    GROUP BY domain, local_date
)
SELECT peaks.domain, peaks.local_date, peaks.bits_per_second, MIN(points.timestamp) AS timestamp
FROM peaks
JOIN points
    ON points.domain = peaks.domain
    AND points.local_date = peaks.local_date
    AND points.bits_per_second = peaks.bits_per_second
GROUP BY peaks.domain, peaks.local_date, peaks.bits_per_second
