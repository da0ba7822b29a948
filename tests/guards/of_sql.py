"""Guards in the statements and views, in what installs them, and in what judges a typed statement."""

from tests.guards.guard import Guard

UPSERT = "tests/contract/test_sink_upsert.py"
LATE = f"{UPSERT}::test_a_late_writer_does_not_overwrite_what_was_read_later"
SAME_INSTANT = f"{UPSERT}::test_changes_at_one_instant_keep_distinct_keys_in_order"
ZERO = "tests/contract/test_sink_sources.py::test_a_foreign_zero_alone_is_left_out"
CASE = "tests/sql/test_view_cases.py::test_the_view_answers_as_expected"
TYPED = "tests/sql/test_reading_only_reads.py"
REFUSED = f"{TYPED}::test_what_does_more_is_refused_with_a_remedy"

GUARDS = (
    Guard(
        "a newer answer is no late writer's",
        "sql/database/drop_superseded.sql",
        there="AND own.fetched_at >= kept.fetched_at",
        gone="AND 1 = 0",
        noticed_by=(f"{UPSERT}::test_a_late_writer_is_left_out_by_its_own_entry[sqlite]",),
    ),
    Guard(
        "a late writer is judged by what it read of each point",
        "sql/database/drop_superseded.sql",
        there="\n                AND own.fetched_at >= kept.fetched_at",
        gone="",
        noticed_by=(f"{LATE}[sqlite]",),
    ),
    Guard(
        "only a read stops a late writer",
        "sql/database/drop_superseded.sql",
        there="WHERE kept.state = 'read'\n        AND kept",
        gone="WHERE kept",
        noticed_by=(
            f"{UPSERT}::test_beside_a_row_that_is_left_out_only_later_reads_count[sqlite]",
        ),
    ),
    Guard(
        "a read ends before the point at its end",
        "sql/database/drop_superseded.sql",
        there="AND kept.window_end > staged_traffic.timestamp",
        gone="AND kept.window_end >= staged_traffic.timestamp",
        noticed_by=(f"{LATE}[sqlite]",),
    ),
    Guard(
        "an equal value is no change",
        "sql/database/find_changes.sql",
        there="kept.traffic_bytes <> staged.traffic_bytes\n        AND",
        gone="1 = 1 AND",
        noticed_by=(f"{UPSERT}::test_twice_is_once[sqlite]",),
    ),
    Guard(
        "the zero of one source leaves the other's value",
        "sql/database/find_changes.sql",
        there="\n        AND (staged.traffic_bytes <> 0 OR staged.source = kept.source)",
        gone="",
        noticed_by=(f"{ZERO}[sqlite-v2-says-0]",),
    ),
    Guard(
        "the zero of one source leaves the other's value in a DuckDB file",
        "sql/duckdb/compare.sql",
        there="\n    AND (batch.traffic_bytes <> 0 OR batch.source = stored.source) AS changes",
        gone=" AS changes",
        noticed_by=(f"{ZERO}[duckdb-v2-says-0]",),
    ),
    Guard(
        "two changes at one instant are two revisions in a database",
        "sql/database/record_revisions.sqlite.sql",
        there="COALESCE(microsecond_after(MAX(known.revised_at)), changed.loaded_at)",
        gone="changed.loaded_at",
        noticed_by=(f"{SAME_INSTANT}[sqlite]",),
    ),
    Guard(
        "two changes at one instant are two revisions in a DuckDB file",
        "sql/duckdb/revise.sql",
        there="newest.revised_at + INTERVAL 1 MICROSECOND",
        gone="newest.revised_at",
        noticed_by=(f"{SAME_INSTANT}[duckdb]",),
    ),
    Guard(
        "the sums of a window leave out the point at its end",
        "sql/database/totals.sql",
        there="timestamp < :after",
        gone="timestamp <= :after",
        noticed_by=("tests/contract/test_sink_totals.py::test_a_window_is_half_open[sqlite-1-3]",),
    ),
    Guard(
        "bandwidth is rounded half up",
        "sql/views/bandwidth.sql",
        there="            WHEN traffic.traffic_bytes % 75 >= 57 THEN 2\n"
        "            WHEN traffic.traffic_bytes % 75 >= 19 THEN 1\n",
        gone="            WHEN 1 = 0 THEN 1\n",
        noticed_by=(f"{CASE}[bandwidth-half_up_and_exact_to_the_last_bit-sqlite]",),
    ),
    Guard(
        "bandwidth is exact to the last bit in DuckDB",
        "sql/views/bandwidth.duckdb.sql",
        there="(traffic.traffic_bytes // 75) * 2",
        gone="(traffic.traffic_bytes / 75) * 2",
        noticed_by=(f"{CASE}[bandwidth-half_up_and_exact_to_the_last_bit-duckdb]",),
    ),
    Guard(
        "another step has no bandwidth",
        "sql/views/bandwidth.sql",
        there="\nWHERE warehouse.step_seconds = 300",
        gone="",
        noticed_by=(f"{CASE}[bandwidth-no_rows_at_another_step-sqlite]",),
    ),
    Guard(
        "the earliest peak wins a tie",
        "sql/views/bandwidth_daily_peak.duckdb.sql",
        there="MIN(points.timestamp) AS timestamp",
        gone="MAX(points.timestamp) AS timestamp",
        noticed_by=(f"{CASE}[bandwidth_daily_peak-the_earliest_wins_a_tie-duckdb]",),
    ),
    Guard(
        "only days with traffic are billed by the 95th percentile",
        "sql/views/bandwidth_monthly_p95.sql",
        there="SUM(CASE WHEN place_in_day = 1 AND traffic_bytes > 0 THEN day_points ELSE 0 END)",
        gone="SUM(CASE WHEN place_in_day = 1 THEN day_points ELSE 0 END)",
        noticed_by=(
            f"{CASE}[bandwidth_monthly_p95-only_valid_days_count_and_absent_is_zero-sqlite]",
        ),
    ),
    Guard(
        "an absent point counts as zero in the 95th percentile",
        "sql/views/bandwidth_monthly_p95.sql",
        there="WHERE cuts.place = CASE WHEN cuts.dropped < cuts.stored"
        " THEN cuts.dropped + 1 ELSE cuts.stored END",
        gone="WHERE cuts.place = cuts.dropped + 1",
        noticed_by=(
            f"{CASE}[bandwidth_monthly_p95-only_valid_days_count_and_absent_is_zero-sqlite]",
        ),
    ),
    Guard(
        "an absent point counts as zero in the 95th percentile of the sum",
        "sql/views/bandwidth_monthly_p95_total.sql",
        there="COALESCE(ranked.bits_per_second, 0)",
        gone="ranked.bits_per_second",
        noticed_by=(f"{CASE}[bandwidth_monthly_p95_total-few_points_of_a_valid_day-sqlite]",),
    ),
    Guard(
        "the longest month keeps as many values as it needs",
        "sql/views/bandwidth_monthly_p95.duckdb.sql",
        there="MAX(bandwidth.bits_per_second, 448)",
        gone="MAX(bandwidth.bits_per_second, 447)",
        noticed_by=(f"{CASE}[bandwidth_monthly_p95-longest_month_needs_the_448th-duckdb]",),
    ),
    Guard(
        "a day that the ledger does not speak of is not complete",
        "sql/views/traffic_daily.sql",
        there="COALESCE(covered.settled, 0)",
        gone="COALESCE(covered.settled, days.points)",
        noticed_by=(f"{CASE}[traffic_daily-rows_without_a_ledger_are_not_complete-sqlite]",),
    ),
    Guard(
        "a month is complete with all of its days",
        "sql/views/coverage_monthly.sql",
        there="FROM coverage_grid\n",
        gone="FROM coverage_grid\nWHERE asked > 0\n",
        noticed_by=(
            f"{CASE}[traffic_monthly-a_month_read_from_its_second_day_is_not_complete-sqlite]",
        ),
    ),
    Guard(
        "a point settles at its age",
        "sql/views/ledger_spans.sql",
        there="\n            - warehouse.settle_after_seconds AS due_second",
        gone=" AS due_second",
        noticed_by=(f"{CASE}[ledger_spans-a_read_settles_what_was_old_enough-sqlite]",),
    ),
    Guard(
        "an instant is cut to its second and not rounded in SQLite",
        "load/views.py",
        there=r"strftime('%s', substr(\1, 1, 19))",
        gone=r"strftime('%s', \1)",
        noticed_by=(f"{CASE}[coverage_daily-settled_or_provisional_to_the_second-sqlite]",),
    ),
    Guard(
        "only a read settles",
        "sql/views/ledger_spans.sql",
        there="WHEN state <> 'read' OR due_ordinal",
        gone="WHEN due_ordinal",
        noticed_by=(f"{CASE}[ledger_spans-a_read_settles_what_was_old_enough-sqlite]",),
    ),
    Guard(
        "the former API says nothing after the move",
        "sql/views/ledger_spans.sql",
        there="AND serving.moved_at < entry.window_end\n",
        gone="AND 1 = 0\n",
        noticed_by=(f"{CASE}[ledger_spans-an_entry_counts_where_its_api_serves-sqlite]",),
    ),
    Guard(
        "nothing is owed for the period in which a domain was created",
        "sql/views/ledger_edges.sql",
        there=" / step_seconds\n"
        "        + CASE WHEN create_second % step_seconds > 0 THEN 1 ELSE 0 END AS created_ordinal",
        gone=" / step_seconds AS created_ordinal",
        noticed_by=(f"{CASE}[ledger_edges-every_mark-sqlite]",),
    ),
    Guard(
        "nothing is owed after a domain was last listed",
        "sql/views/ledger_edges.sql",
        there="WHERE edges.edge <> 'unlisted' OR placed.unlisted_ordinal IS NOT NULL",
        gone="WHERE edges.edge <> 'unlisted'",
        noticed_by=(f"{CASE}[coverage_daily-created_and_unlisted_in_the_middle_of_a_day-sqlite]",),
    ),
    Guard(
        "settled time is told without a gap",
        "sql/views/freshness.sql",
        there="reached IS NULL OR first_ordinal > reached",
        gone="reached IS NULL",
        noticed_by=(f"{CASE}[freshness-newest_settled_stretch-sqlite]",),
    ),
    Guard(
        "each version was shown from the one before it on",
        "sql/views/traffic_as_known_on.sql",
        there="\n                AND earlier.revised_at < revised.revised_at",
        gone="",
        noticed_by=(f"{CASE}[traffic_as_known_on-every_version_has_its_time-sqlite]",),
    ),
    Guard(
        "the newest check of a sum counts",
        "sql/views/reconciliation_latest.sql",
        there="ORDER BY checked_at DESC, run_id",
        gone="ORDER BY run_id",
        noticed_by=(f"{CASE}[reconciliation_latest-the_newest_of_each_sum-sqlite]",),
    ),
    Guard(
        "an hour that the clock repeats is two",
        "sql/views/traffic_hourly.sql",
        there="    SELECT local_date, local_hour, hour_start, COUNT(*) AS points\n"
        "    FROM calendar\n    GROUP BY local_date, local_hour, hour_start",
        gone="    SELECT local_date, local_hour, MIN(hour_start) AS hour_start, COUNT(*) AS points\n"
        "    FROM calendar\n    GROUP BY local_date, local_hour",
        noticed_by=(f"{CASE}[traffic_hourly-repeated_hour_is_two_rows-sqlite]",),
    ),
    Guard(
        "a view is made anew when one below it changed",
        "load/views.py",
        there='sha256("\\n".join([text, *below]).encode())',
        gone="sha256(text.encode())",
        noticed_by=("tests/load/test_views.py::test_a_changed_view_takes_those_above_it_along",),
    ),
    Guard(
        "views outlive the user that made them",
        "load/views.py",
        there="SQL SECURITY INVOKER ",
        gone="",
        noticed_by=("tests/sql/test_grants.py::test_the_rights_in_mariadb",),
    ),
    Guard(
        "a typed statement is one",
        "load/statements.py",
        there="if len(parsed) != 1:",
        gone="if False:",
        noticed_by=(f"{REFUSED}[SELECT 1; SELECT 2]",),
    ),
    Guard(
        "a function in the place of a table only reads",
        "load/statements.py",
        there='return node.get("function", {}).get("function_name") in _READING_FUNCTIONS',
        gone="return True",
        noticed_by=(
            f"{REFUSED}[SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))]",
        ),
    ),
    Guard(
        "what writes is found inside a statement that reads",
        "load/statements.py",
        there="not all(map(_only_reads, _nodes(tree)))",
        gone="False",
        noticed_by=(f"{REFUSED}[WITH x AS (COPY (SELECT 1) TO '{{root}}/x.csv') SELECT * FROM x]",),
    ),
    Guard(
        "the connection of a question reaches no file beside the warehouse",
        "load/statements.py",
        there='        "SET enable_external_access = false",\n',
        gone="",
        noticed_by=(f"{TYPED}::test_the_connection_cannot_leave_the_warehouse_either",),
    ),
)
