-- What the arriving rows do: how many are new, how many change a stored value.
SELECT
    count(*) FILTER (WHERE old_bytes IS NULL) AS inserted,
    count(*) FILTER (WHERE changes) AS updated
FROM arriving
