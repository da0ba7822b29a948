-- What the newest check of each sum against the source's own has found.
-- Grain: one row per kind, account, source, domain and window that was ever checked. Unit: bytes.
-- Zone: instants, UTC.
-- Rule: the row of reconciliations with the latest checked_at. agrees = the two sums are within the
-- tolerance; false also for a tenant with traffic of domains that are not kept (untracked).
SELECT
    kind,
    account,
    source,
    domain,
    window_start,
    window_end,
    checked_at,
    run_id,
    stored_bytes,
    source_bytes,
    difference_bytes,
    tolerance_bytes,
    state,
    state = 'agrees' AS agrees,
    detail
FROM (
    SELECT
        kind,
        account,
        source,
        domain,
        window_start,
        window_end,
        checked_at,
        run_id,
        stored_bytes,
        source_bytes,
        difference_bytes,
        tolerance_bytes,
        state,
        detail,
        ROW_NUMBER() OVER (
            PARTITION BY kind, account, source, domain, window_start, window_end
            ORDER BY checked_at DESC, run_id DESC, difference_bytes DESC, stored_bytes DESC
        ) AS place
    FROM reconciliations
) AS numbered
WHERE place = 1
