-- Leaves out a late writer's rows: those that a stored read covers which was sent after every read
-- of the batch that covers them.
DELETE FROM staged_traffic
WHERE EXISTS (
    SELECT 1
    FROM load_ledger AS kept
    WHERE kept.state = 'read'
        AND kept.domain = staged_traffic.domain
        AND kept.window_start <= staged_traffic.timestamp
        AND kept.window_end > staged_traffic.timestamp
        AND NOT EXISTS (
            SELECT 1
            FROM staged_ledger AS own
            WHERE own.state = 'read'
                AND own.domain = staged_traffic.domain
                AND own.window_start <= staged_traffic.timestamp
                AND own.window_end > staged_traffic.timestamp
                AND own.fetched_at >= kept.fetched_at
        )
)
