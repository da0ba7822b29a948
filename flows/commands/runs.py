"""Commands that ask the source: what is due, reading it, the schedule, the sums."""

import contextlib
from typing import Annotated, Any

import typer

from flows.clock import seconds
from flows.invocation import (
    ON_SOURCE,
    DomainNames,
    End,
    Engine,
    Force,
    Invocation,
    LockWait,
    Reason,
    Scheduler,
    Start,
    asked_range,
    command,
    reading,
)
from flows.stopping import overseeing, stopping
from flows.summary import EXIT_OK

LONGEST_SERVED_S = 40.0
"""How long a schedule may take to end: a run of its own first, then the server on this machine."""


@command(*ON_SOURCE, as_of=True)
def plan(call: Invocation, start: Start = None, end: End = None, domain: DomainNames = None) -> int:
    """Show what is due: windows, requests, what expires first, what is lost."""
    from flows import report
    from flows.outlook import look
    from flows.survey import wanted_domains

    loaded = call.load_settings(domains=domain)
    clock = call.clock(loaded)
    now = seconds(clock)
    sink, rules = reading(loaded)
    asked = asked_range(start, end, loaded, now)
    outlook = look(sink, wanted_domains(loaded, sink, clock), rules, now=now, asked=asked)
    if call.as_json:
        call.answer(report.plan_document(outlook))
    else:
        report.show_plan(outlook, loaded.zone)
    return EXIT_OK


@command(*ON_SOURCE, as_of=True)
def backfill(
    call: Invocation,
    start: Start = None,
    end: End = None,
    domain: DomainNames = None,
    force: Force = False,
    reason: Reason = "",
    engine: Engine = "auto",
    scheduler: Scheduler = "",
    lock_wait: LockWait = "60s",
) -> int:
    """Read everything that is due and keep it."""
    how = {"force": force, "lock_wait": lock_wait, "reason": reason, "scheduler": scheduler}
    return _run(call, "backfill", engine, start, end, domain, **how)


@command(*ON_SOURCE, as_of=True)
def nightly(
    call: Invocation,
    engine: Engine = "auto",
    scheduler: Scheduler = "",
    lock_wait: LockWait = "60s",
) -> int:
    """Backfill with the default range: what the schedule runs."""
    return _run(call, "nightly", engine, lock_wait=lock_wait, scheduler=scheduler)


def _run(
    call: Invocation,
    name: str,
    engine: str,
    start: str | None = None,
    end: str | None = None,
    domain: list[str] | None = None,
    **how: Any,
) -> int:
    from flows import report, running

    job = running.Job(
        name=name,
        flags={k: v for k, v in call.flags.items() if v is not None},
        as_of=call.as_of,
        start=start,
        end=end,
        domains=tuple(domain or ()),
        **how,
    )
    loaded = call.load_settings(domains=domain)
    call.clock(loaded, writes=True)
    with stopping() as stop, report.progress() as watcher:
        if running.chosen_engine(engine, job.scheduler) == "prefect":
            from flows import ingest

            summary = ingest.run_flow(job, stop, watcher)
        else:
            if engine == "auto" and not job.scheduler and not call.as_json:
                call.say("No Prefect API is configured: running direct.")
            summary = running.run_direct(job, stop, watcher)
    if call.as_json:
        call.answer(summary.document())
    else:
        report.show_summary(summary, loaded)
    return summary.exit_code


@command(*ON_SOURCE)
def serve(
    call: Invocation,
    cron: Annotated[str, typer.Option(help="When, as cron: minute hour day month weekday.")] = (
        "15 3 * * *"
    ),
) -> int:
    """Run nightly on a schedule, in this process (Prefect)."""
    from flows.local_server import local_server
    from flows.settings import prefect_is_configured

    loaded = call.load_settings()
    with contextlib.ExitStack() as stack:
        stack.enter_context(overseeing(LONGEST_SERVED_S))
        if not prefect_is_configured():
            call.say("No Prefect API is configured: starting a server on this machine.")
            stack.enter_context(local_server())
        from flows import ingest

        ingest.serve_nightly(loaded, dict(call.flags), cron)
    return EXIT_OK


@command(*ON_SOURCE, as_of=True)
def reconcile(
    call: Invocation,
    start: Start = None,
    end: End = None,
    domain: DomainNames = None,
    lock_wait: LockWait = "60s",
) -> int:
    """Compare settled sums with the source's own; exit 3 where they differ."""
    from flows import reconciling, truth_report

    with stopping() as stop:
        loaded = call.load_settings()
        found = reconciling.reconciled(call, stop, (start, end), tuple(domain or ()), lock_wait)
    if call.as_json:
        call.answer(truth_report.reconciliations_document(found))
    else:
        truth_report.show_reconciliations(found, loaded)
    return reconciling.exit_code(found)
