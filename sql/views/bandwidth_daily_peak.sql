-- The highest 5-minute bandwidth of each domain and day.
-- Grain: one row per domain and local date with at least one stored point. Unit: bit/s.
-- Zone: business time zone; timestamp = start of the peak's point, UTC.
-- Rule: the earliest point wins a tie (of the rounded bit/s). Rows only in a warehouse of 5-minute
-- values.
SELECT domain, local_date, bits_per_second, timestamp
FROM (
    SELECT
        bandwidth.domain,
        calendar.local_date,
        bandwidth.bits_per_second,
        bandwidth.timestamp,
        ROW_NUMBER() OVER (
            PARTITION BY bandwidth.domain, calendar.local_date
            ORDER BY bandwidth.bits_per_second DESC, bandwidth.timestamp
        ) AS place
    FROM bandwidth
    JOIN calendar ON calendar.timestamp = bandwidth.timestamp
) AS points
WHERE place = 1
