-- Appends the batch's entries to the ledger.
INSERT INTO load_ledger (
    domain,
    window_start,
    window_end,
    state,
    points,
    expected_points,
    traffic_bytes,
    source,
    account,
    project_id,
    region,
    fetched_at,
    run_id,
    detail
)
SELECT
    domain,
    window_start,
    window_end,
    state,
    points,
    expected_points,
    traffic_bytes,
    source,
    account,
    project_id,
    region,
    fetched_at,
    run_id,
    detail
FROM staged_ledger
