-- The highest 5-minute bandwidth of all domains together on each day: what daily-peak billing
-- charges.
-- Grain: one row per local date with at least one stored point. Unit: bit/s.
-- Zone: business time zone; timestamp = start of the peak's point, UTC.
-- Rule: summed over all domains per point, then the highest (not the sum of peaks); the earliest
-- point wins a tie. Rows only in a warehouse of 5-minute values.
SELECT local_date, bits_per_second, timestamp
FROM (
    SELECT
        calendar.local_date,
        bandwidth_total.bits_per_second,
        bandwidth_total.timestamp,
        ROW_NUMBER() OVER (
            PARTITION BY calendar.local_date
            ORDER BY bandwidth_total.bits_per_second DESC, bandwidth_total.timestamp
        ) AS place
    FROM bandwidth_total
    JOIN calendar ON calendar.timestamp = bandwidth_total.timestamp
) AS points
WHERE place = 1
