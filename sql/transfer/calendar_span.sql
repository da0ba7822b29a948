-- How far the calendar reaches: one row, points = its grid points, earliest and latest of them.
SELECT
    count(*) AS points,
    min(timestamp) AS earliest,
    max(timestamp) AS latest
FROM calendar
