-- What the ledger already holds of the time that a batch has read.
-- Answer: one row; overlapping = entries of a read that overlap one of the batch's, later = those
-- among them that were sent after it.
SELECT
    COUNT(*) AS overlapping,
    SUM(CASE WHEN kept.fetched_at > staged.fetched_at THEN 1 ELSE 0 END) AS later
FROM staged_ledger AS staged
JOIN load_ledger AS kept
    ON kept.domain = staged.domain
    AND kept.window_end > staged.window_start
    AND kept.window_start < staged.window_end
WHERE staged.state = 'read' AND kept.state = 'read'
