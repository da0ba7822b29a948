-- What the source changed after it was published, in the period.
-- Grain: one row per local date and domain with a changed value. Unit: bytes.
-- Zone: business time zone; last_revised_at in UTC.
-- Rule: every revision of traffic_revisions counts.
SELECT
    calendar.local_date,
    traffic_revisions.domain,
    COUNT(*) AS revised_values,
    SUM(traffic_revisions.new_bytes - traffic_revisions.old_bytes) AS change_bytes,
    MAX(traffic_revisions.revised_at) AS revised_at
FROM traffic_revisions
JOIN calendar ON calendar.timestamp = traffic_revisions.timestamp
WHERE calendar.local_date >= :start AND calendar.local_date < :end
GROUP BY calendar.local_date, traffic_revisions.domain
ORDER BY MAX(traffic_revisions.revised_at) DESC, calendar.local_date, traffic_revisions.domain
