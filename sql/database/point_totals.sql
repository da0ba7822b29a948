-- The sum of some domains' bytes at each point of a window; through the key.
-- Binds: domains; first, after = the window, half-open.
-- In halves of 32 bits, because SQLite adds in 64.
SELECT
    timestamp,
    SUM(traffic_bytes >> 32) AS upper_half,
    SUM(traffic_bytes & 4294967295) AS lower_half
FROM traffic
WHERE domain IN :domains AND timestamp >= :first AND timestamp < :after
GROUP BY timestamp
