"""Guards of the ground floor: what is wanted, settled, due and lost, and the names from outside."""

from tests.guards.guard import Guard

GUARDS = (
    Guard(
        "a read settles only the points that were old enough when it was sent",
        "livetraffic/ledger.py",
        there="_extend(pairs.settled, start, min(limit, end))",
        gone="_extend(pairs.settled, start, end)",
        noticed_by=(
            "tests/livetraffic/test_ledger_fold.py::test_a_read_settles_the_points_that_were_old_enough_when_it_was_sent",
        ),
    ),
    Guard(
        "an absent point counts towards idle only once it was old enough",
        "livetraffic/ledger.py",
        there="pairs.absent.append((span[0], min(span[1], age_limit)))",
        gone="pairs.absent.append(span)",
        noticed_by=(
            "tests/livetraffic/test_ledger_fold.py::test_absence_counts_towards_idle_only_when_the_answer_was_whole_and_old_enough",
        ),
    ),
    Guard(
        "a point is absent only where the answer was whole",
        "livetraffic/ledger.py",
        there="            if entry.marked(Mark.ABSENT):\n",
        gone="            if True:\n",
        noticed_by=(
            "tests/livetraffic/test_ledger_fold.py::test_absence_counts_towards_idle_only_when_the_answer_was_whole_and_old_enough",
        ),
    ),
    Guard(
        "time that was noted as lost and is read after all is not lost",
        "livetraffic/ledger.py",
        there="lost=subtract(from_pairs(pairs.lost), read)",
        gone="lost=from_pairs(pairs.lost)",
        noticed_by=("tests/livetraffic/test_ledger_fold.py::test_lost_is_a_note_and_never_a_bar",),
    ),
    Guard(
        "a state of a newer version is not guessed at",
        "livetraffic/ledger.py",
        there="            raise ValueError(msg)\n",
        gone="            del msg\n",
        noticed_by=(
            "tests/livetraffic/test_ledger_fold.py::test_a_state_of_a_newer_version_is_not_guessed_at",
        ),
    ),
    Guard(
        "a doubt is an anomaly only over what an earlier read had settled",
        "livetraffic/ledger.py",
        there=" and sent < doubt.fetched_at:",
        gone=":",
        noticed_by=(
            "tests/livetraffic/test_ledger_fold.py::test_a_failure_that_a_read_healed_is_no_anomaly",
        ),
    ),
    Guard(
        "a datetime without a zone is refused",
        "livetraffic/window.py",
        there="    if instant.tzinfo is None:\n",
        gone="    if False:\n",
        noticed_by=("tests/livetraffic/test_window_arithmetic.py",),
    ),
    Guard(
        "a range that somebody types is widened to the grid",
        "livetraffic/instants.py",
        there="    return widen(Window(start, end), step)\n",
        gone="    return Window(start, end)\n",
        noticed_by=("tests/livetraffic/test_instants.py",),
    ),
    Guard(
        "nothing is wanted that the source had no time to publish",
        "livetraffic/limits.py",
        there="return floor(now - self.delay, step)",
        gone="return floor(now, step)",
        noticed_by=(
            "tests/livetraffic/test_plan_against_brute_force.py::test_the_plan_asks_for_exactly_what_is_due",
        ),
    ),
    Guard(
        "the plan keeps its margin to the retention edge",
        "livetraffic/limits.py",
        there="return ceil(now - self.retention + self.margin, step)",
        gone="return ceil(now - self.retention, step)",
        noticed_by=(
            "tests/livetraffic/test_plan_against_brute_force.py::test_the_plan_asks_for_exactly_what_is_due",
        ),
    ),
    Guard(
        "a request keeps two minutes inside the retention",
        "livetraffic/limits.py",
        there="return now - self.retention + min(2 * MINUTE, self.margin)",
        gone="return now - self.retention",
        noticed_by=(
            "tests/flows/test_guards_of_a_run.py::test_no_request_begins_at_the_very_edge_of_the_retention",
        ),
    ),
    Guard(
        "the window that expires next is asked for next",
        "livetraffic/plan.py",
        there="    return sorted(slices, key=lambda item: _by_expiry(item, limits))\n",
        gone="    return slices\n",
        noticed_by=(
            "tests/livetraffic/test_route.py::test_each_service_is_asked_for_its_own_time",
        ),
    ),
    Guard(
        "a batch is never wider than a request may be",
        "livetraffic/plan.py",
        there=" or wider.seconds > limits[item.source].span):",
        gone="):",
        noticed_by=(
            "tests/livetraffic/test_plan_against_brute_force.py::test_batches_keep_order_size_and_span",
        ),
    ),
    Guard(
        "a domain that was gone and is listed again is due",
        "livetraffic/plan.py",
        there="(*known.settled, *known.gone) if leg.service.past else known.settled",
        gone="(*known.settled, *known.gone)",
        noticed_by=(
            "tests/livetraffic/test_route.py::test_a_domain_that_was_denied_and_is_listed_again_is_due_whole",
        ),
    ),
    Guard(
        "only a denial after it left the list ends the asking for a domain",
        "livetraffic/plan.py",
        there=" and coverage.gone_at >= domain.unlisted_since:",
        gone=":",
        noticed_by=("tests/livetraffic/test_wanted_expected_lost.py",),
    ),
    Guard(
        "a loss is noted once",
        "livetraffic/plan.py",
        there="(*answered(coverage, may_omit=may_omit), *coverage.lost)",
        gone="answered(coverage, may_omit=may_omit)",
        noticed_by=("tests/livetraffic/test_wanted_expected_lost.py",),
    ),
    Guard(
        "what expired while the last run was at work is noted as lost too",
        "livetraffic/plan.py",
        there="return limits.edge(last_fetched, step) - 2 * DAY",
        gone="return limits.edge(last_fetched, step)",
        noticed_by=(
            "tests/flows/test_guards_of_a_run.py::test_what_slides_behind_the_edge_while_queueing_is_clipped_and_lost",
        ),
    ),
    Guard(
        "absence loses nothing only where the source may omit",
        "livetraffic/plan.py",
        there="return (*coverage.read, *coverage.absent) if may_omit else coverage.read",
        gone="return (*coverage.read, *coverage.absent)",
        noticed_by=("tests/livetraffic/test_wanted_expected_lost.py",),
    ),
    Guard(
        "nothing is lost of a domain before its creation",
        "livetraffic/plan.py",
        there="            start = max(start, floor(domain.create_time, step))\n",
        gone="            pass\n",
        noticed_by=("tests/livetraffic/test_wanted_expected_lost.py",),
    ),
    Guard(
        "a creation after the domain was first seen does not excuse losses",
        "livetraffic/plan.py",
        there=" and domain.create_time <= domain.first_seen:",
        gone=":",
        noticed_by=(
            "tests/livetraffic/test_wanted_expected_lost.py::test_a_second_creation_does_not_excuse_what_was_lost_of_the_first",
        ),
    ),
    Guard(
        "a domain owes nothing before its creation",
        "livetraffic/plan.py",
        there="        start = max(start, ceil(domain.create_time, step))\n",
        gone="        pass\n",
        noticed_by=("tests/livetraffic/test_wanted_expected_lost.py",),
    ),
    Guard(
        "entries of the api that does not serve the time do not count",
        "livetraffic/route.py",
        there="        if times is None:\n",
        gone="        if True:\n",
        noticed_by=(
            "tests/livetraffic/test_route.py::test_entries_count_for_the_time_that_their_api_serves",
        ),
    ),
    Guard(
        "a move inside a period counts from the next one on",
        "livetraffic/route.py",
        there="ceil(domain.moved_at, step)",
        gone="domain.moved_at",
        noticed_by=("tests/livetraffic/test_route.py::test_a_moved_domain_is_split_on_the_grid",),
    ),
    Guard(
        "a name from outside is made of labels of letters, digits and hyphens",
        "livetraffic/domain.py",
        there="not all(_LABEL.fullmatch(label) for label in labels)",
        gone="not all(labels)",
        noticed_by=("tests/livetraffic/test_hostile_names.py::test_a_hostile_name_is_refused",),
    ),
    Guard(
        "a sign that only looks like a letter once it is lower case is refused",
        "livetraffic/domain.py",
        there="text.strip().isascii() and len(name) <= 253",
        gone="len(name) <= 253",
        noticed_by=("tests/livetraffic/test_hostile_names.py::test_a_hostile_name_is_refused",),
    ),
    Guard(
        "a domain that left the list stays known",
        "livetraffic/domain.py",
        there="        for domain in merged.values()\n",
        gone="        for domain in merged.values()\n        if domain.domain in seen\n",
        noticed_by=("tests/livetraffic/test_wanted_expected_lost.py",),
    ),
    Guard(
        "a deleted domain keeps the first time that it was missed",
        "livetraffic/domain.py",
        there="domain.domain not in seen and domain.unlisted_since is None",
        gone="domain.domain not in seen",
        noticed_by=(
            "tests/livetraffic/test_wanted_expected_lost.py::test_a_deleted_domain_keeps_the_first_time_that_it_was_missed",
        ),
    ),
    Guard(
        "a gap of a domain that was gone and is listed again is at risk",
        "livetraffic/plan.py",
        there="        if leg.service.past:\n            done = (*done, *known.gone)\n",
        gone="        done = (*done, *known.gone)\n",
        noticed_by=(
            "tests/livetraffic/test_route.py::test_a_domain_that_was_denied_and_is_listed_again_is_due_whole",
        ),
    ),
)
