-- Average bandwidth of each point: what peak and 95th percentile billing is made of.
-- Grain: one row per stored point. Unit: bit/s, rounded half up. Zone: UTC.
-- Rule: traffic_bytes * 8 / 300, without overflow up to 2^63-1 bytes: with b = 75 q + r it is 2 q +
-- 2 r / 75, and 2 r / 75 rounds to 2 from r = 57 on, to 1 from r = 19 on. Only 5-minute values are
-- bandwidth in the bill's sense: a warehouse of another step has no rows here.
SELECT
    traffic.domain,
    traffic.timestamp,
    CAST(
        ((traffic.traffic_bytes - traffic.traffic_bytes % 75) / 75) * 2
        + CASE
            WHEN traffic.traffic_bytes % 75 >= 57 THEN 2
            WHEN traffic.traffic_bytes % 75 >= 19 THEN 1
            ELSE 0
        END AS BIGINT
    ) AS bits_per_second
FROM traffic
CROSS JOIN warehouse
WHERE warehouse.step_seconds = 300
