-- Helper: the ledger's entries as half-open ranges of grid points.
-- Grain: one row per ledger entry. Unit: first_ordinal, end_ordinal, settled_ordinal = numbers of
-- grid points, as in calendar. Zone: UTC.
-- Rule: [first_ordinal, settled_ordinal) is what this entry settles: the points of a read that were
-- already due to settle (settles_at) when the request was sent. Empty for every other state.
-- A point's number is its second divided by the step, so no entry is looked up in the calendar.
SELECT
    domain,
    state,
    window_start,
    window_end,
    fetched_at,
    CAST(first_ordinal AS BIGINT) AS first_ordinal,
    CAST(end_ordinal AS BIGINT) AS end_ordinal,
    CAST(
        CASE
            WHEN state <> 'read' OR due_ordinal <= first_ordinal THEN first_ordinal
            WHEN due_ordinal < end_ordinal THEN due_ordinal
            ELSE end_ordinal
        END AS BIGINT
    ) AS settled_ordinal
FROM (
    SELECT
        domain,
        state,
        window_start,
        window_end,
        fetched_at,
        (start_second - start_second % step_seconds) / step_seconds AS first_ordinal,
        (end_second - end_second % step_seconds) / step_seconds AS end_ordinal,
        (due_second - due_second % step_seconds) / step_seconds AS due_ordinal
    FROM (
        SELECT
            entry.domain,
            entry.state,
            entry.window_start,
            entry.window_end,
            entry.fetched_at,
            warehouse.step_seconds,
            CAST(FLOOR(EXTRACT(EPOCH FROM entry.window_start)) AS BIGINT) AS start_second,
            CAST(FLOOR(EXTRACT(EPOCH FROM entry.window_end)) AS BIGINT) AS end_second,
            CAST(FLOOR(EXTRACT(EPOCH FROM entry.fetched_at)) AS BIGINT)
            - warehouse.settle_after_seconds AS due_second
        FROM load_ledger AS entry
        CROSS JOIN warehouse
    ) AS seconds
) AS ordinals
