-- Helper: the ledger's entries as half-open ranges of grid points, as far as they count.
-- Grain: one row per ledger entry that counts. Unit: first_ordinal, end_ordinal, settled_ordinal =
-- numbers of grid points, as in calendar. Zone: UTC.
-- Rule: an entry counts for the time in which its API serves the domain (domains.api from moved_at
-- on, previous_api before it; a move inside a period counts from the next one on). All of them
-- count while the API is not known, and of a domain without a row in domains. window_start or
-- window_end is moved_at where the range was cut.
-- [first_ordinal, settled_ordinal) is what this entry settles: the points of a read that were
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
        (first_second - first_second % step_seconds) / step_seconds AS first_ordinal,
        (end_second - end_second % step_seconds) / step_seconds AS end_ordinal,
        (due_second - due_second % step_seconds) / step_seconds AS due_ordinal
    FROM (
        SELECT
            served.domain,
            served.state,
            served.window_start,
            served.window_end,
            served.fetched_at,
            warehouse.step_seconds,
            CAST(FLOOR(EXTRACT(EPOCH FROM served.window_start)) AS BIGINT)
            + warehouse.step_seconds - 1 AS first_second,
            CAST(FLOOR(EXTRACT(EPOCH FROM served.window_end)) AS BIGINT)
            + warehouse.step_seconds - 1 AS end_second,
            CAST(FLOOR(EXTRACT(EPOCH FROM served.fetched_at)) AS BIGINT)
            - warehouse.settle_after_seconds AS due_second
        FROM (
            SELECT
                entry.domain,
                entry.state,
                entry.fetched_at,
                CASE
                    WHEN entry.source = serving.api
                        AND serving.previous_api <> ''
                        AND serving.previous_api <> serving.api
                        AND serving.moved_at > entry.window_start
                        THEN serving.moved_at
                    ELSE entry.window_start
                END AS window_start,
                CASE
                    WHEN entry.source <> serving.api AND serving.moved_at < entry.window_end
                        THEN serving.moved_at
                    ELSE entry.window_end
                END AS window_end
            FROM load_ledger AS entry
            LEFT JOIN domains AS serving
                ON serving.domain = entry.domain AND serving.api <> ''
            WHERE serving.api IS NULL
                OR entry.source = serving.api
                OR (
                    entry.source = serving.previous_api
                    AND serving.previous_api <> ''
                    AND serving.moved_at IS NOT NULL
                )
        ) AS served
        CROSS JOIN warehouse
        WHERE served.window_start < served.window_end
    ) AS seconds
) AS ordinals
