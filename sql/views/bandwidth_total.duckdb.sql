-- Average bandwidth of each point over all domains: the sum that is billed.
-- Grain: one row per point in time with at least one stored point. Unit: bit/s, rounded half up.
-- Zone: UTC.
-- Rule: the bytes of all domains are summed first and rounded once, as in bandwidth. Rows only in a
-- warehouse of 5-minute values.
-- Differs for DuckDB: its / on integers is a floating division, which is wrong above 2^53; // is
-- exact.
WITH sums AS (
    SELECT traffic.timestamp, CAST(SUM(traffic.traffic_bytes) AS BIGINT) AS traffic_bytes
    FROM traffic
    CROSS JOIN warehouse
    WHERE warehouse.step_seconds = 300
    GROUP BY traffic.timestamp
)
SELECT
    timestamp,
    CAST(
        (traffic_bytes // 75) * 2
        + CASE
            WHEN traffic_bytes % 75 >= 57 THEN 2
            WHEN traffic_bytes % 75 >= 19 THEN 1
            ELSE 0
        END AS BIGINT
    ) AS bits_per_second
FROM sums
