-- Which domains carried a month: rank and share by bytes.
-- Grain: one row per domain and local month with at least one stored point. Unit: bytes; share is a
-- fraction of the month's bytes over all domains, 0 to 1 (0 when the month had none).
-- Zone: business time zone.
-- Rule: equal bytes share a rank, the next one is skipped (1, 2, 2, 4). complete is the domain's
-- own.
SELECT
    domain,
    local_month,
    traffic_bytes,
    CAST(RANK() OVER (PARTITION BY local_month ORDER BY traffic_bytes DESC) AS BIGINT) AS rank,
    COALESCE(
        CAST(traffic_bytes AS DOUBLE PRECISION)
        / NULLIF(CAST(SUM(traffic_bytes) OVER (PARTITION BY local_month) AS DOUBLE PRECISION), 0),
        0
    ) AS share,
    complete
FROM traffic_monthly
