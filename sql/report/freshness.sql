-- Until when each domain is settled.
-- Grain: one row per domain known or asked for. Unit and zone: instants, UTC.
--
-- Rule: freshness as it is.
SELECT domain, settled_until
FROM freshness
