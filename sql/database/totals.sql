-- What is stored of some domains in a window, by domain and source; through the key.
-- Binds: domains; first, after = the window, half-open.
-- In halves of 32 bits, because SQLite adds in 64.
SELECT
    domain,
    source,
    COUNT(*) AS points,
    SUM(traffic_bytes >> 32) AS upper_half,
    SUM(traffic_bytes & 4294967295) AS lower_half,
    MAX(CASE WHEN traffic_bytes <> 0 THEN timestamp END) AS newest_value
FROM traffic
WHERE domain IN :domains AND timestamp >= :first AND timestamp < :after
GROUP BY domain, source
