-- How far each day is read: what dashboards show beside a number, and what the morning check looks
-- at.
-- Grain: one row per domain and local date, from the domain's first ledger entry to its newest
-- (further, to the warehouse's newest, when a domain that is still seen fell silent), rows stored
-- or not.
-- Unit: points. Zone: business time zone. Days on which nothing is expected are left out.
-- Rule: expected_points = settled + provisional + missing. state, the first that holds:
--   complete     every expected point is settled: the day will not change unless it is restated
--   provisional  every expected point is read, some too young to be settled
--   lost         all that is missing expired at the source unread: it can never be read
--   gone         all that is missing is lost or the source no longer knows the domain
--   open         all that is missing lies ahead of the newest entry: the day goes on
--   partial      some expected points are read, others are not
--   missing      nothing is read
SELECT
    domain,
    local_date,
    expected_points,
    settled,
    provisional,
    missing,
    CASE
        WHEN settled = expected_points THEN 'complete'
        WHEN missing = 0 THEN 'provisional'
        WHEN lost = missing THEN 'lost'
        WHEN lost + gone = missing THEN 'gone'
        WHEN ahead = missing THEN 'open'
        WHEN settled + provisional > 0 THEN 'partial'
        ELSE 'missing'
    END AS state
FROM coverage_grid
WHERE asked > 0 AND expected_points > 0
