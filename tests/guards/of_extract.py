"""Guards between the source and a validated frame."""

from tests.guards.guard import Guard

GUARDS = (
    Guard(
        "a negative value is a hole",
        "extract/rows.py",
        there="    if value < 0:\n",
        gone="    if False:\n",
        noticed_by=("tests/extract/test_frames.py::test_a_value_that_is_none_makes_a_hole",),
    ),
    Guard(
        "times are known again only where the whole list is the same",
        "extract/rows.py",
        there="    if known is not None and known[0] == stamps:\n",
        gone="    if known is not None:\n",
        noticed_by=("tests/extract/test_frames.py",),
    ),
    Guard(
        "of values that contradict each other neither is stored",
        "extract/frames.py",
        there="    doubtful |= set(conflicts.tolist())\n",
        gone="",
        noticed_by=("tests/extract/test_frames.py::test_conflicting_duplicates_are_a_hole",),
    ),
    Guard(
        "the point at the end of a window is outside of it",
        "extract/frames.py",
        there="(points.micros < window.end * SECOND)",
        gone="(points.micros <= window.end * SECOND)",
        noticed_by=(
            "tests/extract/test_frames.py::test_points_outside_the_window_are_dropped_and_counted",
        ),
    ),
    Guard(
        "what is missing from a cut answer is not absent",
        "extract/slices.py",
        there="        whole = not part.parsed.cut and part.parsed.untimed == 0\n",
        gone="        whole = part.parsed.untimed == 0\n",
        noticed_by=(
            "tests/extract/test_slices_asked_again.py"
            "::test_the_rest_of_a_cut_answer_is_partial_and_not_absent",
        ),
    ),
    Guard(
        "a point is idle only where it was absent before",
        "extract/slices.py",
        there=" & before & old\n",
        gone=" & old\n",
        noticed_by=(
            "tests/extract/test_slices.py::test_a_point_absent_twice_and_old_enough_is_idle",
        ),
    ),
    Guard(
        "a point is idle only when it is old enough",
        "extract/slices.py",
        there=" & before & old\n",
        gone=" & before\n",
        noticed_by=("tests/extract/test_slices.py::test_absence_twice_is_not_always_idleness",),
    ),
    Guard(
        "reads that are joined beside many holes are of one request",
        "extract/slices.py",
        there="            and current.part == run.part\n",
        gone="",
        noticed_by=(
            "tests/extract/test_slices.py::test_beside_many_holes_a_read_is_of_one_request",
        ),
    ),
    Guard(
        "an answer is dated by its sending",
        "extract/exchange.py",
        there="lower, content, sent_at)",
        gone="lower, content, self._clock())",
        noticed_by=("tests/extract/test_transport.py::test_an_answer_is_dated_by_its_sending",),
    ),
    Guard(
        "the whole tenant is never asked for by an empty name",
        "extract/operations.py",
        there="        if not all(domain for _, domain in named):\n",
        gone="        if False:\n",
        noticed_by=(
            "tests/extract/test_live_api.py::test_a_question_that_must_not_be_asked_is_not_sent",
        ),
    ),
    Guard(
        "a window that expires on its way makes no domain gone",
        "extract/statistics.py",
        there="        if action is Action.WINDOW and window.start < edge:\n",
        gone="        if False:\n",
        noticed_by=(
            "tests/extract/test_live_api.py"
            "::test_a_window_that_expired_while_it_waited_is_no_unknown_domain",
        ),
    ),
    Guard(
        "a domain list that is shorter than it says is none",
        "extract/domain_list.py",
        there="    if isinstance(total, int | float) and total > len(rows):\n",
        gone="    if False:\n",
        noticed_by=("tests/extract/test_live_api.py::test_a_list_that_is_none_is_kept_and_named",),
    ),
    Guard(
        "nothing is believed where the clocks disagree",
        "extract/transport.py",
        there="        if self._max_skew_s is not None and abs(skew_s) > self._max_skew_s:\n",
        gone="        if False:\n",
        noticed_by=(
            "tests/extract/test_transport.py::test_a_clock_that_disagrees_is_the_first_thing_said",
        ),
    ),
    Guard(
        "who waited behind a refused key does not send it again",
        "extract/transport.py",
        there="                self._raise_refusal(call.operation)\n",
        gone="",
        noticed_by=(
            "tests/extract/test_transport.py"
            "::test_threads_with_wrong_credentials_send_one_request_together",
        ),
    ),
    Guard(
        "a server that is down has accepted nobody",
        "extract/transport.py",
        there="            if failure is None or reply.status in _PROVES_ACCEPTANCE:\n",
        gone="            if True:\n",
        noticed_by=(
            "tests/extract/test_transport.py::test_a_server_that_is_down_has_accepted_nobody",
        ),
    ),
    Guard(
        "a refused password is never tried again",
        "extract/iam.py",
        there="        if self._refusal is not None:\n",
        gone="        if False:\n",
        noticed_by=("tests/extract/test_iam.py::test_a_refused_password_is_never_tried_again",),
    ),
    Guard(
        "a send counts until a window after its answer",
        "extract/budget.py",
        there="                    self._windows.answered(place.number)\n",
        gone="                    pass\n",
        noticed_by=(
            "tests/extract/test_rate_budget.py::test_a_send_counts_until_a_window_after_its_answer",
        ),
    ),
    Guard(
        "a newcomer leaves the first place that gets free to who waits",
        "extract/budget_file.py",
        there="max(quota - 1 - before, 0)",
        gone="quota - 1",
        noticed_by=(
            "tests/extract/test_rate_budget.py"
            "::test_the_first_place_that_gets_free_is_of_who_waits",
        ),
    ),
    Guard(
        "a dead ticket of the future lapses after a window",
        "extract/budget_file.py",
        there="        connection.execute("
        '"UPDATE tickets SET until = ? WHERE until > ?", (latest, latest))\n',
        gone="",
        noticed_by=(
            "tests/extract/test_rate_budget.py::test_the_ticket_of_a_killed_waiter_lapses",
        ),
    ),
    Guard(
        "credentials do not follow a redirect",
        "extract/exchange.py",
        there="                allow_redirects=False,\n",
        gone="                allow_redirects=True,\n",
        noticed_by=(
            "tests/extract/test_guards_of_the_wire.py::test_credentials_do_not_follow_a_redirect",
        ),
    ),
    Guard(
        "a certificate that nobody vouches for is not accepted",
        "extract/exchange.py",
        there='"verify": settings["verify"]',
        gone='"verify": urllib3.disable_warnings() is not None',
        noticed_by=(
            "tests/extract/test_transport_tls.py::test_an_authority_nobody_knows_is_not_believed",
        ),
    ),
    Guard(
        "what stands behind an answer under tls is nobody's",
        "extract/connection.py",
        there=" and not (pending is not None and pending())",
        gone="",
        noticed_by=(
            "tests/extract/test_one_answer_a_request.py::test_what_is_left_over_is_nobodys",
        ),
    ),
    Guard(
        "an answer that does not begin meets the deadline",
        "extract/patience.py",
        there="        if now - started > longest_s:\n",
        gone="        if False:\n",
        noticed_by=(
            "tests/extract/test_transport_network.py"
            "::test_an_answer_that_does_not_begin_meets_the_deadline",
        ),
    ),
    Guard(
        "a stop leaves a request that hangs behind",
        "extract/patience.py",
        there="        if stopped_at is None and sleep(0):\n",
        gone="        if False:\n",
        noticed_by=(
            "tests/extract/test_transport_network.py"
            "::test_a_stop_leaves_a_request_that_hangs_behind",
        ),
    ),
    Guard(
        "a stopped run sends nothing more",
        "extract/transport.py",
        there="        if self._sleep(0):\n            raise Stopped\n",
        gone="",
        noticed_by=("tests/extract/test_transport.py::test_a_stopped_run_sends_nothing_more",),
    ),
    Guard(
        "a secret is masked however it is written",
        "extract/credentials.py",
        there="            for form in _forms(secret.reveal()):\n",
        gone="            for form in [secret.reveal()]:\n",
        noticed_by=(
            "tests/extract/test_credentials.py::test_secrets_are_masked_however_they_are_written",
        ),
    ),
    Guard(
        "an issued token is a secret",
        "extract/iam.py",
        there="(self._password, token.text)",
        gone="(self._password,)",
        noticed_by=("tests/extract/test_iam.py::test_an_echo_of_an_issued_token_is_masked",),
    ),
    Guard(
        "a security token is a secret",
        "extract/auth.py",
        there="            found.append(self._credentials.security_token)\n",
        gone="            pass\n",
        noticed_by=(
            "tests/extract/test_transport_network.py::test_an_echo_of_what_was_signed_is_masked",
        ),
    ),
    Guard(
        "a network error does not carry the request and its token",
        "extract/exchange.py",
        there="from _stripped(exc)",
        gone="from exc",
        noticed_by=("tests/extract/test_transport_network.py::test_the_token_appears_nowhere",),
    ),
    Guard(
        "a kept answer holds no secret",
        "extract/statistics.py",
        there='self.transport.masked(reply.body.decode("utf-8", "surrogateescape"))',
        gone='reply.body.decode("utf-8", "surrogateescape")',
        noticed_by=(
            "tests/extract/test_live_api.py::test_an_answer_that_is_none_is_kept_and_named",
        ),
    ),
)
