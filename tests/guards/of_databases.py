"""Guards of the warehouse in a database or a DuckDB file, and of the rate windows beside it."""

from tests.guards.guard import Guard

UPSERT = "tests/contract/test_sink_upsert.py"
LATE = f"{UPSERT}::test_a_late_writer_does_not_overwrite_what_was_read_later"
DISTURBED = "tests/load/database/test_disturbed_commits.py"
ANSWERS = "tests/load/database/test_reading_only_reads.py"
ADDRESSES = "tests/load/database/test_addresses_hide_passwords.py"
WRITTEN = "tests/load/database/test_only_changes_are_written.py"
SCHEMA = "tests/load/database/test_schema_moves_forward.py"
FORMAT_1 = "tests/contract/test_sink_format_1.py"
DUCKDB = "tests/load/test_duckdb_file.py"
DISK = "tests/faults/test_disk_errors_in_databases.py"
QUOTA = "tests/extract/test_rate_budget_guards.py::test_the_quota_is_kept_by_its_guards"

GUARDS = (
    Guard(
        "rows of a late writer are left out",
        "load/database/upsert.py",
        there='self._run("drop_superseded") if superseding else 0',
        gone="0",
        noticed_by=(f"{LATE}[sqlite]",),
    ),
    Guard(
        "one commit at a time looks and writes",
        "load/database/upsert.py",
        there="        dialect.lock_commits(connection)\n        return work.apply()",
        gone="        return work.apply()",
        noticed_by=(f"{DISTURBED}::test_a_commit_waits_for_the_one_before_it[postgres]",),
    ),
    Guard(
        "what was read while a batch was laid out is looked for again",
        "load/database/upsert.py",
        there="if self._staged or overlapping:",
        gone="if self._staged:",
        noticed_by=(
            f"{DISTURBED}"
            "::test_a_read_that_is_committed_while_a_batch_is_laid_out_still_counts[sqlite]",
        ),
    ),
    Guard(
        "a row that the ledger does not know is compared",
        "load/database/sink.py",
        there="        except KeyTakenError:\n",
        gone="        except KeyTakenError:\n            raise\n",
        noticed_by=(
            f"{WRITTEN}::test_a_row_that_the_ledger_does_not_know_is_compared_all_the_same"
            "[sqlite-few]",
        ),
    ),
    Guard(
        "a row that a bulk load leaves out or bends is an error",
        "load/database/mysql.py",
        there="if cursor.rowcount != table.num_rows or cursor.warning_count:",
        gone="if False:",
        noticed_by=(
            f"{WRITTEN}::test_a_row_that_the_ledger_does_not_know_is_compared_all_the_same",
        ),
    ),
    Guard(
        "a value that does not fit is an error on a lenient server too",
        "load/database/mysql.py",
        there='"STRICT_ALL_TABLES,ERROR',
        gone='"ERROR',
        noticed_by=(f"{WRITTEN}::test_what_a_lenient_server_would_bend_is_refused",),
    ),
    Guard(
        "nothing is written where another commit was waited for in vain",
        "load/database/mysql.py",
        there="scalar_one() != 1:",
        gone="scalar_one() is None:",
        noticed_by=(f"{DISTURBED}::test_a_commit_that_waited_in_vain_is_tried_again[mariadb]",),
    ),
    Guard(
        "a commit does not wait for another for ever",
        "load/database/postgresql.py",
        there="        connection.exec_driver_sql("
        "f\"SET LOCAL lock_timeout = '{COMMIT_WAIT_SECONDS}s'\")\n",
        gone="",
        noticed_by=(f"{DISTURBED}::test_a_commit_that_waited_in_vain_is_tried_again[postgres]",),
    ),
    Guard(
        "a lost connection costs nothing",
        "load/database/retry.py",
        there="frozenset({Trouble.CONFLICT, Trouble.LOST})",
        gone="frozenset({Trouble.CONFLICT})",
        noticed_by=(f"{DISTURBED}::test_a_connection_that_is_lost_costs_nothing",),
    ),
    Guard(
        "a server that restarts is waited for",
        "load/database/retry.py",
        there="retriable = _RETRIED | {Trouble.REFUSED}",
        gone="retriable = _RETRIED",
        noticed_by=(
            "tests/faults/test_stopped_servers.py"
            "::test_a_server_that_takes_its_time_to_come_back_is_waited_for[mariadb]",
        ),
    ),
    Guard(
        "a server's own time zone moves no row to another month",
        "load/database/postgresql.py",
        there="    \"SET TIME ZONE 'UTC'\",\n",
        gone="",
        noticed_by=(
            f"{DISTURBED}::test_a_server_with_defaults_of_its_own_stores_and_counts_the_same",
        ),
    ),
    Guard(
        "a server's own encoding garbles no name",
        "load/database/postgresql.py",
        there="    \"SET client_encoding = 'UTF8'\",",
        gone="",
        noticed_by=(
            f"{DISTURBED}::test_a_server_with_defaults_of_its_own_stores_and_counts_the_same",
        ),
    ),
    Guard(
        "names that differ by a blank are two",
        "load/database/mysql.py",
        there='"utf8mb4_nopad_bin" if',
        gone='"utf8mb4_bin" if',
        noticed_by=(f"{SCHEMA}::test_names_that_differ_in_case_or_blanks_are_different[mariadb]",),
    ),
    Guard(
        "text sorts by its bytes whatever the server's language",
        "load/database/postgresql.py",
        there="'TEXT COLLATE \"C\"'",
        gone="'TEXT'",
        noticed_by=(f"{SCHEMA}::test_the_order_of_text_is_not_left_to_the_server",),
    ),
    Guard(
        "a newer schema is not touched",
        "load/database/schema.py",
        there="if found > VERSION:",
        gone="if False:",
        noticed_by=(f"{SCHEMA}::test_a_newer_schema_is_refused_by_everything[sqlite]",),
    ),
    Guard(
        "tables of someone else are left alone",
        "load/database/schema.py",
        there="        _check_free(connection, dialect)\n",
        gone="",
        noticed_by=(f"{SCHEMA}::test_tables_of_someone_else_are_left_alone[sqlite]",),
    ),
    Guard(
        "a migration that was killed halfway is finished",
        "load/database/migrations.py",
        there="if column.name not in there:",
        gone="if True:",
        noticed_by=(
            f"{FORMAT_1}::test_a_move_that_was_killed_halfway_is_finished_by_the_next[mariadb]",
        ),
    ),
    Guard(
        "runs that start at once make one warehouse",
        "load/database/sink.py",
        there="        self._dialect.lock_commits(connection)\n        self._dialect.make_schema",
        gone="        self._dialect.make_schema",
        noticed_by=(f"{DISTURBED}::test_many_that_start_at_once_make_one_warehouse[mariadb]",),
    ),
    Guard(
        "a database of another step or zone is refused",
        "load/database/sink.py",
        there="            self._check_same(made, wanted)\n",
        gone="            pass\n",
        noticed_by=(
            "tests/contract/test_sink_warehouse.py"
            "::test_another_step_or_zone_is_refused_with_both_named[sqlite-step]",
        ),
    ),
    Guard(
        "a second run is kept out by the server",
        "load/database/session_lock.py",
        there="if not polled(lambda: attempt(connection), wait, sleep, clock):",
        gone="if False:",
        noticed_by=(
            "tests/contract/test_sink_warehouse.py"
            "::test_a_second_run_is_told_who_holds_the_warehouse[postgres]",
        ),
    ),
    Guard(
        "one process at a time looks into the rate window and enters",
        "load/database/rate_windows.py",
        there=".where(*_of(WINDOWS, key)).with_for_update()",
        gone=".where(*_of(WINDOWS, key))",
        noticed_by=(f"{QUOTA}[postgres-one_looks_and_enters_at_a_time-guarded]",),
    ),
    Guard(
        "a question in PostgreSQL can only read",
        "load/database/postgresql.py",
        there='            connection.exec_driver_sql("SET TRANSACTION READ ONLY")\n',
        gone="",
        noticed_by=(
            f"{ANSWERS}::test_anything_but_reading_is_refused_and_nothing_happens[postgres]",
        ),
    ),
    Guard(
        "a question in PostgreSQL runs no program",
        "load/database/postgresql.py",
        there="if answers.first_word(answers.explained(statement)) not in _FIRST_WORDS:",
        gone="if False:",
        noticed_by=(f"{ANSWERS}::test_no_question_makes_a_file[postgres]",),
    ),
    Guard(
        "a question in MariaDB can only read",
        "load/database/mysql.py",
        there='"START TRANSACTION READ ONLY"',
        gone='"START TRANSACTION"',
        noticed_by=(f"{ANSWERS}::test_a_function_that_writes_is_refused_by_the_server",),
    ),
    Guard(
        "a question in MariaDB writes no file",
        "load/database/mysql.py",
        there=" or _WRITING.search(bare)",
        gone="",
        noticed_by=(f"{ANSWERS}::test_no_question_makes_a_file[mariadb]",),
    ),
    Guard(
        "a server is handed no file by a connection that reads",
        "load/database/mysql.py",
        there="return self._engine(local_infile=False)",
        gone="return self._engine(local_infile=True)",
        noticed_by=(f"{ANSWERS}::test_a_connection_that_reads_hands_the_server_no_file",),
    ),
    Guard(
        "an address is shown without its password",
        "load/database/address.py",
        there="shown = plain.render_as_string(hide_password=True)",
        gone="shown = url.set(drivername=scheme, query={}).render_as_string(hide_password=False)",
        noticed_by=(f"{ADDRESSES}::test_a_sink_shows_no_password",),
    ),
    Guard(
        "no piece of a password is taken for a port and told",
        "load/database/address.py",
        there="_SPECIAL) from None",
        gone="_SPECIAL)",
        noticed_by=(f"{ADDRESSES}::test_an_address_that_cannot_be_used_is_one_sentence",),
    ),
    Guard(
        "a schema's name is no statement",
        "load/database/address.py",
        there="if not isinstance(name, str) or not _IDENTIFIER.fullmatch(name):",
        gone="if not isinstance(name, str):",
        noticed_by=(f"{ADDRESSES}::test_an_address_that_cannot_be_used_is_one_sentence",),
    ),
    Guard(
        "rows of a late writer are left out of a DuckDB file",
        "load/duckdb/upsert.py",
        there="if later else rows",
        gone="if False else rows",
        noticed_by=(f"{LATE}[duckdb]",),
    ),
    Guard(
        "a commit to a DuckDB file is whole or nothing",
        "load/duckdb/opening.py",
        there="            connection.begin()\n            try:\n                yield connection\n"
        "                connection.commit()\n",
        gone="            try:\n                yield connection\n",
        noticed_by=(f"{DUCKDB}::test_a_failing_commit_leaves_nothing",),
    ),
    Guard(
        "what a checkpoint of a DuckDB file may write over is kept before it",
        "load/duckdb/opening.py",
        there="            image.keep(connection)\n            yield image",
        gone="            yield image",
        noticed_by=(f"{DUCKDB}::test_what_a_commit_may_write_over_is_kept_before_it",),
    ),
    Guard(
        "what a torn checkpoint of a DuckDB file has written over is put back",
        "load/duckdb/opening.py",
        there="            before_image.put_back(self.path)\n",
        gone="",
        noticed_by=(
            f"{DISK}::test_without_its_image_a_torn_checkpoint_is_the_end_of_a_duckdb_file",
        ),
    ),
    Guard(
        "an older image is not put back into a DuckDB file",
        "load/duckdb/before_image.py",
        there="if file.read(HEADER) == content[:HEADER]:",
        gone="if True:",
        noticed_by=(
            f"{DISK}::test_a_failing_call_leaves_old_or_new_and_says_so[duckdb-first_load]",
        ),
    ),
    Guard(
        "a question in a DuckDB file reaches no other file",
        "load/duckdb/sink.py",
        there="            confine(connection)\n",
        gone="",
        noticed_by=(f"{DUCKDB}::test_a_question_reaches_no_other_file",),
    ),
    Guard(
        "who was frozen in a transaction begins it anew",
        "load/database/postgresql.py",
        there='    "25P03": Trouble.LOST,',
        gone="    #",
        noticed_by=(
            "tests/flows/test_shared_rate_budget.py"
            "::test_a_process_that_is_frozen_with_the_window_in_its_hands_is_let_go_by_the_server"
            "[postgres]",
        ),
    ),
    Guard(
        "the system asks whether MariaDB is there",
        "load/database/mysql.py",
        there="            for option, value in keepalive.SOCKET_OPTIONS.items():\n",
        gone="            for option, value in ():\n",
        noticed_by=(
            "tests/load/database/test_silent_servers.py"
            "::test_the_system_asks_whether_the_server_is_there[mariadb]",
        ),
    ),
    Guard(
        "the system asks whether PostgreSQL is there",
        "load/database/postgresql.py",
        there='        "keepalives_interval": str(keepalive.INTERVAL_S),\n',
        gone="",
        noticed_by=(
            "tests/load/database/test_silent_servers.py"
            "::test_the_system_asks_whether_the_server_is_there[postgres]",
        ),
    ),
    Guard(
        "a MariaDB that does not greet is left",
        "load/database/mysql.py",
        there=" = given or self.connect_timeout\n",
        gone=" = given\n",
        noticed_by=(
            "tests/load/database/test_silent_servers.py"
            "::test_a_server_that_says_nothing_is_left[mariadb]",
        ),
    ),
    Guard(
        "a commit that came while DuckDB opened the file is not written over",
        "load/duckdb/opening.py",
        there="        if before_image.header_of(file) == header:\n",
        gone="        if True:\n",
        noticed_by=(
            f"{DISK}::test_a_commit_that_comes_while_duckdb_opens_the_file_is_not_written_over",
        ),
    ),
)
