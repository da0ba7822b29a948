-- What is stored of some domains in a window, by domain and source.
-- Binds: start, end = the window, half-open, in microseconds since 1970; domains.
SELECT
    domain,
    source,
    count(*) AS points,
    sum(traffic_bytes) AS traffic_bytes,
    max(epoch_us(timestamp)) FILTER (WHERE traffic_bytes <> 0) // 1000000 AS newest_value
FROM traffic
WHERE domain IN (SELECT unnest($domains))
    AND timestamp >= make_timestamptz($start)
    AND timestamp < make_timestamptz($end)
GROUP BY domain, source
ORDER BY domain, source
