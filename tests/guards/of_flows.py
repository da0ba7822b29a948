"""Guards of the shell: runs, accounts, sums, settings and secrets, and how a run ends."""

from tests.guards.guard import Guard

GUARDS = (
    Guard(
        "only one run at a time writes a warehouse",
        "flows/pipeline.py",
        there="with run_lock(deps.sink, wait=request.lock_wait, holder=holder(run_id), stop=deps.stop):",
        gone="if deps:",
        noticed_by=(
            "tests/flows/test_mistakes_get_one_sentence.py::test_a_second_run_is_told_who_holds_the_warehouse",
        ),
    ),
    Guard(
        "a clock that disagrees with the server's marks nothing lost",
        "flows/source.py",
        there="max_skew_s=MOST_SKEW_S if checks_clock else None",
        gone="max_skew_s=None",
        noticed_by=(
            "tests/flows/test_history_into_warehouse.py::test_a_wrong_clock_marks_nothing_lost",
        ),
    ),
    Guard(
        "losses wait for an answer that confirms the clock",
        "flows/loader.py",
        there="        if self._tenant.api.clock_skew_s is None and not self._clock_checked:\n",
        gone="        if False:\n",
        noticed_by=(
            "tests/flows/test_guards_of_a_run.py::test_losses_wait_for_an_answer_that_confirms_the_clock",
        ),
    ),
    Guard(
        "what expired while the run was queueing is not asked for",
        "flows/loader.py",
        there="        if window.start >= limits.hard_edge(now):\n",
        gone="        if True:\n",
        noticed_by=(
            "tests/flows/test_guards_of_a_run.py::test_what_slides_behind_the_edge_while_queueing_is_clipped_and_lost",
        ),
    ),
    Guard(
        "a domain that is still listed is never taken for gone",
        "flows/loader.py",
        there="        return left and isinstance(result.error, UnknownDomain)\n",
        gone="        return isinstance(result.error, UnknownDomain)\n",
        noticed_by=(
            "tests/flows/test_mistakes_get_one_sentence.py::test_a_wrong_domain_is_named_and_the_others_are_read",
        ),
    ),
    Guard(
        "a bug in one slice does not cost the others",
        "flows/loader.py",
        there="        except Exception as error:  # the one place",
        gone="        except MemoryError as error:  # the one place",
        noticed_by=(
            "tests/flows/test_history_into_warehouse.py::test_a_bug_in_one_slice_does_not_cost_the_others",
        ),
    ),
    Guard(
        "a source that stops answering is given up",
        "flows/loader.py",
        there="            if silent and self._streak >= GIVE_UP_AFTER and self._given_up is None:\n",
        gone="            if False:\n",
        noticed_by=(
            "tests/flows/test_guards_of_a_run.py::test_a_source_that_stops_answering_is_not_asked_for_ever",
        ),
    ),
    Guard(
        "a long batch is committed every minute",
        "flows/loader.py",
        there="                if time.monotonic() - committed > COMMIT_AFTER_SECONDS:\n",
        gone="                if False:\n",
        noticed_by=(
            "tests/flows/test_guards_of_a_run.py::test_a_long_batch_is_committed_every_minute",
        ),
    ),
    Guard(
        "known domains are read while the domain list is down",
        "flows/survey.py",
        there="            if any(_is_of(domain, tenant, deps) for domain in known.values()):\n",
        gone="            if False:\n",
        noticed_by=(
            "tests/flows/test_guards_of_a_run.py::test_known_domains_are_read_while_the_list_is_down",
        ),
    ),
    Guard(
        "what a failed commit held does not count as read",
        "flows/loader.py",
        there="            return BatchReceipt(slices=chunk.receipt.slices)\n",
        gone="            return chunk.receipt\n",
        noticed_by=(
            "tests/flows/test_guards_of_a_run.py::test_a_commit_that_fails_ends_the_run_and_the_next_does_the_rest",
        ),
    ),
    Guard(
        "one failing account never stops the others",
        "flows/pipeline.py",
        there="        if len(self._failed) >= len(self._deps.tenants) + len(self._deps.broken):\n",
        gone="        if True:\n",
        noticed_by=(
            "tests/flows/test_several_accounts.py::test_an_account_that_fails_half_way_does_not_stop_the_others",
        ),
    ),
    Guard(
        "an account that fails half way does not stop what the others read",
        "flows/loader.py",
        there="        if isinstance(error, SinkError) or len(self._deps.tenants) == 1:\n",
        gone="        if True:\n",
        noticed_by=(
            "tests/flows/test_several_accounts.py::test_an_account_that_fails_half_way_does_not_stop_the_others",
        ),
    ),
    Guard(
        "a domain that two accounts list is not guessed at",
        "flows/survey.py",
        there="            if other != account:\n",
        gone="            if False:\n",
        noticed_by=(
            "tests/flows/test_several_accounts.py::test_a_domain_that_two_accounts_list_must_be_pinned",
        ),
    ),
    Guard(
        "a domain that moved is not asked of its new account for the time before",
        "flows/survey.py",
        there="        moved_at=ceil(now if create_time is None else create_time, deps.rules.step),\n",
        gone="",
        noticed_by=(
            "tests/flows/test_several_accounts.py::test_a_domain_that_goes_to_another_account_keeps_its_past",
        ),
    ),
    Guard(
        "a try that was killed is not taken for knowledge",
        "flows/pipeline.py",
        there="            domain for domain in self._domains if final or domain.domain not in tried\n",
        gone="            domain for domain in self._domains if final or True\n",
        noticed_by=(
            "tests/flows/test_two_services.py::test_a_try_that_was_killed_is_not_taken_for_knowledge",
        ),
    ),
    Guard(
        "a summary that one name spoils does not end the asking of the new service",
        "flows/serving.py",
        there="if decide(error.status or 0, error.error_code).action not in _ABOUT_NAMES:",
        gone="if True:",
        noticed_by=(
            "tests/flows/test_two_services.py::test_a_summary_that_one_name_spoils_does_not_hide_the_others",
        ),
    ),
    Guard(
        "a store that cannot be written never raises inside a batch",
        "flows/loader.py",
        there="        except LiveTrafficError as error:  # of the store",
        gone="        except SinkError as error:  # of the store",
        noticed_by=(
            "tests/flows/test_guards_of_a_run.py::test_a_commit_that_fails_ends_the_run_and_the_next_does_the_rest",
        ),
    ),
    Guard(
        "sums are compared by one run at a time",
        "flows/reconciling.py",
        there="with run_lock(deps.sink, wait=wait, holder=holder(run_id), stop=stop):",
        gone="if deps:",
        noticed_by=(
            "tests/flows/test_mistakes_get_one_sentence.py::test_a_second_run_is_told_who_holds_the_warehouse",
        ),
    ),
    Guard(
        "a sum that differs is read again",
        "flows/reconciling.py",
        there="if abs(source - stored.get(name, 0)) > tolerance:",
        gone="if False:",
        noticed_by=(
            "tests/flows/test_sums_and_restatements.py::test_one_planted_row_is_found_read_again_and_mended",
        ),
    ),
    Guard(
        "only what has settled is compared with the source's sums",
        "flows/reconciling.py",
        there="intersect((leg.window,), self._outlook.of(leg.domain).settled)",
        gone="(leg.window,)",
        noticed_by=(
            "tests/flows/test_sums_and_restatements.py::test_holes_do_not_multiply_the_requests",
        ),
    ),
    Guard(
        "simulated time is written only for an endpoint on this machine",
        "flows/invocation.py",
        there="if writes and not _is_here(loaded.endpoint):",
        gone="if False:",
        noticed_by=(
            "tests/flows/test_mistakes_get_one_sentence.py::test_simulated_time_is_written_only_for_an_endpoint_on_this_machine",
        ),
    ),
    Guard(
        "a name on the page cannot be markup",
        "flows/page/writing.py",
        there="autoescape=True",
        gone="autoescape=False",
        noticed_by=("tests/flows/page/test_hostile_names_on_the_page.py",),
    ),
    Guard(
        "a name in the page's data cannot end its script",
        "flows/page/writing.py",
        there="data = data.replace(sign, escaped)",
        gone="data = data.replace(sign, sign)",
        noticed_by=("tests/flows/page/test_hostile_names_on_the_page.py",),
    ),
    Guard(
        "two kinds of credentials are refused",
        "flows/source.py",
        there="if len(kinds) > 1:",
        gone="if False:",
        noticed_by=(
            "tests/flows/test_mistakes_get_one_sentence.py::test_a_wrong_setting_is_named",
        ),
    ),
    Guard(
        "the names of the vendor's sdk are never a second kind of credentials",
        "flows/given.py",
        there=' and (field == "project_id" or not ours):',
        gone=":",
        noticed_by=(
            "tests/flows/test_mistakes_get_one_sentence.py::test_the_sdk_names_are_fall_backs_and_never_a_second_kind",
        ),
    ),
    Guard(
        "a secret is given in one way only",
        "flows/given.py",
        there="        if other != key:\n",
        gone="        if False:\n",
        noticed_by=("tests/flows/test_mistakes_get_one_sentence.py::test_a_wrong_file_is_named",),
    ),
    Guard(
        "the complaint about a setting shows no secret",
        "flows/settings.py",
        there='shown = "" if field in SECRETS else',
        gone='shown = "" if False else',
        noticed_by=(
            "tests/flows/test_mistakes_get_one_sentence.py::test_a_secret_of_the_wrong_kind_is_not_shown",
        ),
    ),
    Guard(
        "the complaint about an account shows no secret",
        "flows/settings.py",
        there='    if field == "accounts":\n',
        gone="    if False:\n",
        noticed_by=(
            "tests/flows/test_several_accounts.py::test_a_mistake_in_the_accounts_gets_one_sentence",
        ),
    ),
    Guard(
        "a warehouse is shown without its password",
        "flows/warehouse.py",
        there="{user.partition(':')[0]}",
        gone="{user}",
        noticed_by=("tests/flows/test_copy.py::test_what_is_shown_holds_no_password",),
    ),
    Guard(
        "of the options in a warehouse's url only the schema is shown",
        "flows/warehouse.py",
        there=' if each.startswith("schema=")',
        gone="",
        noticed_by=("tests/flows/test_copy.py::test_what_is_shown_holds_no_password",),
    ),
    Guard(
        "a copy is made while no run is at work on either side",
        "flows/copying.py",
        there="        for place in (old, new):\n",
        gone="        for place in ():\n",
        noticed_by=(
            "tests/flows/test_copy.py::test_a_run_that_is_at_work_is_waited_for_and_named",
        ),
    ),
    Guard(
        "commands that only look leave no trace",
        "flows/bootstrap.py",
        there="keeps_budget=writes",
        gone="keeps_budget=True",
        noticed_by=(
            "tests/flows/test_mistakes_get_one_sentence.py::test_looking_at_nothing_makes_nothing",
        ),
    ),
    Guard(
        "a failed run keeps the instant of the last success",
        "flows/metrics.py",
        there="{(): ended} if code == EXIT_OK else succeeded",
        gone="{(): ended}",
        noticed_by=(
            "tests/flows/test_metrics.py::test_counters_go_on_and_a_failed_run_keeps_the_last_success",
        ),
    ),
    Guard(
        "metrics that cannot be written harm no run",
        "flows/metrics_file.py",
        there="    except OSError as error:\n        reason",
        gone="    except MemoryError as error:\n        reason",
        noticed_by=("tests/flows/test_metrics.py::test_a_file_that_cannot_be_used_harms_no_run",),
    ),
    Guard(
        "nothing is writable for everybody",
        "flows/rights.py",
        there="    os.umask(os.umask(0o077) | _WRITABLE_FOR_ALL)\n",
        gone="    os.umask(os.umask(0o077))\n",
        noticed_by=("tests/flows/test_rights_of_files.py::test_nothing_is_writable_for_everybody",),
    ),
    Guard(
        "data that is or will be lost is told before slices that failed",
        "flows/summary.py",
        there="        if self.lost or self.at_risk:\n",
        gone="        if False:\n",
        noticed_by=(
            "tests/flows/test_history_into_warehouse.py::test_a_slice_that_fails_leaves_the_others_committed",
        ),
    ),
    Guard(
        "a framework's signal tears no run",
        "flows/stopping.py",
        there="        _await_end(outcome, longest_s)\n        raise\n",
        gone="        raise\n",
        noticed_by=("tests/flows/test_to_its_end.py::test_the_work_comes_to_its_end_first",),
    ),
    Guard(
        "what was read before a long outage is remembered after it",
        "flows/outlook.py",
        there="plan.accounted_from(last, limits, rules.step) >= since for",
        gone="True for",
        noticed_by=(
            "tests/flows/test_history_into_warehouse.py"
            "::test_what_was_read_before_a_long_outage_is_not_called_lost_after_it",
        ),
    ),
)
