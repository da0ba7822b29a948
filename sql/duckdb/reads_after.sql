-- The reads of the batch's domains that were sent after an instant (microseconds): late writers.
SELECT *
FROM load_ledger
WHERE state = 'read'
    AND fetched_at > make_timestamptz($instant)
    AND domain IN (SELECT unnest($domains))
