"""Guards of the files: one commit of many, in a directory and in an object store, mended and moved."""

from tests.guards.guard import Guard

_UPSERT = "tests/contract/test_sink_upsert.py::"
_REFUSED = "tests/contract/test_sink_refusals.py::"
_KILLED = "tests/faults/test_kill_points.py::"
_DAMAGED = "tests/faults/test_damage.py::"
_OBJECTS = "tests/flows/test_history_into_objects.py::"
_MENDED = "tests/flows/test_fsck.py::"
_MOVED = "tests/load/transfer/test_transfer.py::"
_ANYWHERE = (
    "tests/load/test_merge_by_row_group.py::test_a_change_anywhere_leaves_every_other_row_as_it_is"
)

GUARDS = (
    # ------------------------------------------------------------ one commit, whatever befalls it
    Guard(
        "new files are on the disk before the journal speaks of them",
        "load/parquet/journal.py",
        there="        stream.flush()\n        os.fsync(stream.fileno())\n    finally:",
        gone="        stream.flush()\n    finally:",
        noticed_by=(f"{_KILLED}test_a_kill_before_any_step_leaves_old_or_new[name_domains-power]",),
    ),
    Guard(
        "a journal is whole before it has its name",
        "load/parquet/journal.py",
        there="        os.fsync(stream.fileno())\n    fsync_directory(root)",
        gone="    fsync_directory(root)",
        noticed_by=(f"{_KILLED}test_a_kill_before_any_step_leaves_old_or_new[name_domains-power]",),
    ),
    Guard(
        "the names of new files are on the disk before the journal's",
        "load/parquet/journal.py",
        there="    fsync_directory(root)  # the names of the temporaries,"
        " before the journal speaks of them\n",
        gone="",
        noticed_by=(
            f"{_KILLED}test_no_name_is_on_the_disk_before_what_it_speaks_of[name_domains]",
        ),
    ),
    Guard(
        "a journal stays until its files are in their places for good",
        "load/parquet/journal.py",
        there="    for directory in sorted({(root / target).parent for target in moves.values()}):\n"
        "        fsync_directory(directory)\n    fsync_directory(root)\n",
        gone="",
        noticed_by=(
            f"{_KILLED}test_no_name_is_on_the_disk_before_what_it_speaks_of[name_domains]",
        ),
    ),
    Guard(
        "a journal that was done with does not come back",
        "load/parquet/journal.py",
        there="    (root / JOURNAL).unlink()\n    fsync_directory(root)\n",
        gone="    (root / JOURNAL).unlink()\n",
        noticed_by=(f"{_KILLED}test_a_journal_does_not_come_back_for_a_file_that_was_removed",),
    ),
    Guard(
        "a published journal is rolled forward",
        "load/parquet/journal.py",
        there="    roll_forward(root)\n    for temporary in temporaries(root):",
        gone="    for temporary in temporaries(root):",
        noticed_by=(f"{_KILLED}test_a_kill_before_any_step_leaves_old_or_new[first_load-kill]",),
    ),
    Guard(
        "a commit that fails once it is published keeps its files",
        "load/parquet/journal.py",
        there="            if not (root / JOURNAL).exists():\n",
        gone="            if True:\n",
        noticed_by=(
            "tests/faults/test_disk_errors.py"
            "::test_a_failing_disk_leaves_old_or_new_and_says_so[name_domains-EIO-once]",
        ),
    ),
    Guard(
        "a journal names nothing outside the warehouse",
        "load/parquet/journal.py",
        there="        if not _stays_inside(name):\n",
        gone="        if False:\n",
        noticed_by=(f"{_DAMAGED}test_a_journal_that_cannot_be_trusted_stops_every_writer",),
    ),
    Guard(
        "writers of one warehouse take turns",
        "load/lock.py",
        there="        fcntl.flock(descriptor, fcntl.LOCK_EX)\n",
        gone="",
        noticed_by=(
            "tests/contract/test_sink_processes.py"
            "::test_writers_over_the_same_windows_lose_nothing_and_double_nothing[parquet]",
        ),
    ),
    Guard(
        "two runs do not hold one directory at once",
        "load/lock.py",
        there="        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)\n",
        gone="        pass\n",
        noticed_by=("tests/load/test_run_lock.py::test_no_wait_asks_once",),
    ),
    # ------------------------------------------------------------------- what an upsert leaves behind
    Guard(
        "a late writer does not win over files",
        "load/parquet/sink.py",
        there="    return rows.take(batch.newest_read(rows, later) <= fetched) if later else rows\n",
        gone="    return rows\n",
        noticed_by=(
            f"{_UPSERT}test_a_late_writer_does_not_overwrite_what_was_read_later[parquet]",
        ),
    ),
    Guard(
        "a row is as late as the read that covers it, not as its batch",
        "load/batch.py",
        there="        np.maximum(newest[first:last], entry.fetched_at, out=newest[first:last])\n",
        gone="        newest[:] = max(entry.fetched_at, int(newest.max()))\n",
        noticed_by=(f"{_UPSERT}test_a_late_writer_is_left_out_by_its_own_entry[parquet]",),
    ),
    Guard(
        "only what was read whole may bring rows",
        "load/batch.py",
        there="        if entry.state != State.READ or code is None:\n",
        gone="        if code is None:\n",
        noticed_by=(f"{_REFUSED}test_rows_outside_what_was_read_are_refused[parquet-partial]",),
    ),
    Guard(
        "a key that stands twice in a batch is refused",
        "load/batch.py",
        there="    if len(twice):\n",
        gone="    if False:\n",
        noticed_by=(
            f"{_REFUSED}test_a_frame_of_another_shape_is_refused_and_nothing_is_written"
            "[parquet-a key twice, apart]",
        ),
    ),
    Guard(
        "the zero of one api says nothing against the value of the other in files",
        "load/parquet/merge.py",
        there="(stored.traffic_bytes != given.traffic_bytes) & ~foreign_zero\n",
        gone="stored.traffic_bytes != given.traffic_bytes\n",
        noticed_by=(
            "tests/contract/test_sink_sources.py"
            "::test_a_foreign_zero_alone_is_left_out[parquet-v2-says-0]",
        ),
    ),
    Guard(
        "the rows before the first change are copied",
        "load/parquet/merge.py",
        there="    if not output.opened:\n        for rows in before:\n"
        "            output.write(rows)\n",
        gone="",
        noticed_by=(_ANYWHERE,),
    ),
    Guard(
        "the rows after a change are copied",
        "load/parquet/merge.py",
        there="        if output.opened:\n            output.write(group)\n        return\n",
        gone="        return\n",
        noticed_by=(_ANYWHERE,),
    ),
    Guard(
        "a row behind the last one of a file is not left over",
        "load/parquet/merge.py",
        there="    if index == file.num_row_groups - 1:\n        return len(part)\n",
        gone="",
        noticed_by=(_ANYWHERE,),
    ),
    Guard(
        "two changes at one instant are two revisions",
        "load/parquet/revisions.py",
        there="                if _reaches(file, group, revised_at):\n",
        gone="                if False:\n",
        noticed_by=(f"{_UPSERT}test_changes_at_one_instant_keep_distinct_keys_in_order[parquet]",),
    ),
    # --------------------------------------------------------------- what is damaged, and whose it is
    Guard(
        "a flipped bit is found by its checksum",
        "load/parquet/opening.py",
        there="page_checksum_verification=True",
        gone="page_checksum_verification=False",
        noticed_by=(f"{_DAMAGED}test_a_flipped_bit_is_not_carried_into_a_new_file",),
    ),
    Guard(
        "a file whose end tells of fewer rows is not taken for less",
        "load/parquet/opening.py",
        there="    if rows != end.num_rows:\n",
        gone="    if False:\n",
        noticed_by=("tests/load/test_ends_that_contradict.py",),
    ),
    Guard(
        "a directory warehouse of another step is refused",
        "load/warehouse_file.py",
        there="    if made.step != wanted.step:\n",
        gone="    if False:\n",
        noticed_by=(
            "tests/contract/test_sink_warehouse.py"
            "::test_another_step_or_zone_is_refused_with_both_named[parquet-step]",
        ),
    ),
    # -------------------------------------------------------------------------- in an object store
    Guard(
        "a manifest is replaced only where it is still the one that was read",
        "load/objects/home.py",
        there="self._store.put_if(manifests.NAME, body, base.etag)",
        gone="self._store.put(manifests.NAME, body)",
        noticed_by=(f"{_OBJECTS}test_a_commit_that_another_overtook_is_made_anew_on_top_of_it",),
    ),
    Guard(
        "a commit that was overtaken is merged anew",
        "load/objects/home.py",
        there="                    if result is None or repeats:\n",
        gone="                    if result is None:\n",
        noticed_by=(f"{_OBJECTS}test_a_commit_that_another_overtook_is_made_anew_on_top_of_it",),
    ),
    Guard(
        "a commit whose answer was lost is known again",
        "load/objects/home.py",
        there="        return self._read().manifest.commit == following.commit\n",
        gone="        return False\n",
        noticed_by=(f"{_OBJECTS}test_a_commit_whose_answer_is_lost_is_made_once",),
    ),
    Guard(
        "a run that lost its lease while it slept publishes nothing",
        "load/objects/home.py",
        there="            if base.manifest.fence > self._leases.token > 0:\n",
        gone="            if False:\n",
        noticed_by=(
            f"{_OBJECTS}test_a_run_that_stood_still_cannot_publish_after_another_took_its_lock",
        ),
    ),
    Guard(
        "an object that did not arrive whole is not published",
        "load/objects/store.py",
        there="        size = path.stat().st_size\n        if found != size:\n",
        gone="        size = path.stat().st_size\n        if False:\n",
        noticed_by=(f"{_OBJECTS}test_a_store_that_keeps_more_than_it_was_given_publishes_nothing",),
    ),
    Guard(
        "objects that the manifest names are no orphans",
        "load/objects/home.py",
        there="if name not in base.manifest.keys]",
        gone="if True]",
        noticed_by=(
            f"{_OBJECTS}test_orphans_of_a_killed_commit_go_after_an_hour"
            "_and_a_sleeper_cannot_name_them",
        ),
    ),
    # ------------------------------------------------------------------------- found, mended, moved
    Guard(
        "points that the ledger speaks of and that are gone are found",
        "load/inspection/agreement.py",
        there="if n < e.points]",
        gone="if False]",
        noticed_by=(f"{_MENDED}test_points_that_are_gone_are_due_again_and_only_they",),
    ),
    Guard(
        "a sum that is not the ledger's is found",
        "load/inspection/agreement.py",
        there="            if told != self.sums[place] and self._stands_alone(place):\n",
        gone="            if False:\n",
        noticed_by=(f"{_MENDED}test_a_value_that_somebody_changed_is_read_again",),
    ),
    Guard(
        "a repair marks the ledger before it touches a file",
        "load/inspection/mending.py",
        there="    marked = Marked() if known.agreement.holds else marker.mark(known.agreement)\n"
        "    mender.rows(known)\n",
        gone="    mender.rows(known)\n"
        "    marked = Marked() if known.agreement.holds else marker.mark(known.agreement)\n",
        noticed_by=(
            "tests/load/test_guards_of_mending.py"
            "::test_a_repair_that_is_killed_leaves_nothing_that_looks_complete[guarded]",
        ),
    ),
    Guard(
        "what a warehouse was made with is proved, not guessed",
        "load/inspection/mending.py",
        there="        if not rebuilding.proved(root, self._settings):\n            return\n",
        gone="",
        noticed_by=(f"{_MENDED}test_a_warehouse_json_is_not_guessed",),
    ),
    Guard(
        "a copy replaces nothing that is not a part of it",
        "load/transfer.py",
        there="        if held.get(month) != totals:\n",
        gone="        if False:\n",
        noticed_by=(f"{_MOVED}test_a_target_that_holds_something_else_is_refused_and_left_alone",),
    ),
    Guard(
        "a copy counts and sums what arrived",
        "load/transfer.py",
        there="            if wanted.get(month) != found.get(month)\n        ]",
        gone="            if False\n        ]",
        noticed_by=(
            "tests/load/transfer/test_transfer_verified.py"
            "::test_a_store_that_loses_something_is_found_out",
        ),
    ),
)
