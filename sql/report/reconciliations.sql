-- The newest comparison of each sum with the source's own, where it touches the period.
-- Grain: one row per sum. Unit: bytes. Zone: UTC.
-- Rule: reconciliation_latest as it is.
SELECT
    kind, account, source, domain, window_start, window_end, checked_at, stored_bytes, source_bytes,
    difference_bytes, state
FROM reconciliation_latest
WHERE window_end > :start_instant AND window_start < :end_instant
ORDER BY checked_at DESC, window_start, domain
