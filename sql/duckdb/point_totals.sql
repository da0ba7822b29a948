-- The sum of some domains' bytes at each point of a window, by the point's second since 1970.
-- Binds: start, end = the window, half-open, in microseconds since 1970; domains.
SELECT epoch_us(timestamp) // 1000000 AS second, sum(traffic_bytes) AS traffic_bytes
FROM traffic
WHERE domain IN (SELECT unnest($domains))
    AND timestamp >= make_timestamptz($start)
    AND timestamp < make_timestamptz($end)
GROUP BY timestamp
ORDER BY timestamp
