-- The rows of the batch that are new (old_bytes is null) or whose value is not the stored one. One
-- source's 0 leaves the other's value as it is.
INSERT INTO staged_changes (
    domain,
    timestamp,
    traffic_bytes,
    source,
    loaded_at,
    old_bytes,
    old_loaded_at
)
SELECT
    staged.domain,
    staged.timestamp,
    staged.traffic_bytes,
    staged.source,
    staged.loaded_at,
    kept.traffic_bytes,
    kept.loaded_at
FROM staged_traffic AS staged
LEFT JOIN traffic AS kept
    ON kept.domain = staged.domain AND kept.timestamp = staged.timestamp
WHERE kept.traffic_bytes IS NULL
    OR (
        kept.traffic_bytes <> staged.traffic_bytes
        AND (staged.traffic_bytes <> 0 OR staged.source = kept.source)
    )
