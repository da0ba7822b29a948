"""The command line: text to types once, one command, one screen, one exit code.

Heavy parts (pandas, DuckDB, Prefect) are imported by the commands that need them, so that ``--help``
and ``plan`` start at once.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer
from typer.exceptions import TyperException

from flows.clock import seconds
from flows.invocation import (
    ON_SOURCE,
    ON_WAREHOUSE,
    DomainNames,
    End,
    Invocation,
    Start,
    asked_range,
    command,
    reading,
)
from flows.stopping import stopping
from flows.summary import EXIT_CHECK_FAILED, EXIT_DATA_LOST, EXIT_OK, error_document
from livetraffic.errors import ConfigError, LiveTrafficError

app = typer.Typer(
    name="live-traffic",
    help="Keeps the playback traffic that Huawei Cloud Live forgets.",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Engine = Annotated[
    Literal["auto", "prefect", "direct"],
    typer.Option(help="auto: Prefect where an API is configured, else direct."),
]
LockWait = Annotated[str, typer.Option(help="How long to wait for another run.")]
Force = Annotated[bool, typer.Option("--force", help="Read settled windows again (restatement).")]


@app.command()
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


@app.command()
@command(*ON_SOURCE, as_of=True)
def backfill(
    call: Invocation,
    start: Start = None,
    end: End = None,
    domain: DomainNames = None,
    force: Force = False,
    engine: Engine = "auto",
    lock_wait: LockWait = "60s",
) -> int:
    """Read everything that is due and keep it."""
    return _run(call, "backfill", engine, start, end, domain, force=force, lock_wait=lock_wait)


@app.command()
@command(*ON_SOURCE, as_of=True)
def nightly(call: Invocation, engine: Engine = "auto", lock_wait: LockWait = "60s") -> int:
    """Backfill with the default range: what the schedule runs."""
    return _run(call, "nightly", engine, lock_wait=lock_wait)


def _run(
    call: Invocation,
    name: str,
    engine: str,
    start: str | None = None,
    end: str | None = None,
    domain: list[str] | None = None,
    *,
    force: bool = False,
    lock_wait: str = "60s",
) -> int:
    from flows import report, running

    job = running.Job(
        name=name,
        flags={k: v for k, v in call.flags.items() if v is not None},
        as_of=call.as_of,
        start=start,
        end=end,
        domains=tuple(domain or ()),
        force=force,
        lock_wait=lock_wait,
    )
    loaded = call.load_settings(domains=domain)
    call.clock(loaded, writes=True)
    with stopping() as stop, report.progress() as watcher:
        if running.chosen_engine(engine) == "prefect":
            from flows import ingest

            summary = ingest.run_flow(job, stop, watcher)
        else:
            if engine == "auto" and not call.as_json:
                call.say("No Prefect API is configured: running direct.")
            summary = running.run_direct(job, stop, watcher)
    if call.as_json:
        call.answer(summary.document())
    else:
        report.show_summary(summary, loaded)
    return summary.exit_code


@app.command()
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
        if not prefect_is_configured():
            call.say("No Prefect API is configured: starting a server on this machine.")
            stack.enter_context(local_server())
        from flows import ingest

        ingest.serve_nightly(loaded, dict(call.flags), cron)
    return EXIT_OK


@app.command()
@command(*ON_WAREHOUSE, as_of=True)
def coverage(
    call: Invocation,
    start: Start = None,
    end: End = None,
    domain: DomainNames = None,
    check: Annotated[bool, typer.Option("--check", help="Exit 3 unless all is complete.")] = False,
) -> int:
    """Show the grid domain x day by state."""
    from flows import report
    from flows.covered import covered

    loaded = call.load_settings(domains=domain)
    now = seconds(call.clock(loaded))
    sink, rules = reading(loaded)
    grid = covered(sink, rules, now, asked_range(start, end, loaded, now), loaded.domains)
    if call.as_json:
        call.answer(report.coverage_document(grid))
    else:
        report.show_coverage(grid, loaded.zone)
    return EXIT_CHECK_FAILED if check and not grid.is_complete else EXIT_OK


@app.command()
@command(*ON_WAREHOUSE, as_of=True)
def expiring(
    call: Invocation,
    within: Annotated[str, typer.Option(help="How far to look ahead.")] = "14d",
    domain: DomainNames = None,
) -> int:
    """Show the gaps by when the source forgets them; exit 4 if there is one."""
    from flows import report
    from flows.covered import gaps
    from livetraffic.instants import parse_duration

    loaded = call.load_settings(domains=domain)
    now = seconds(call.clock(loaded))
    sink, rules = reading(loaded)
    found = gaps(sink, rules, now, parse_duration(within, "--within"), loaded.domains)
    if call.as_json:
        call.answer(report.gaps_document(found, rules))
    else:
        report.show_gaps(found, rules, within, now, loaded.zone)
    return EXIT_DATA_LOST if found else EXIT_OK


@app.command()
@command(*ON_WAREHOUSE)
def sql(
    call: Invocation,
    statement: Annotated[str, typer.Argument(help="One reading statement.")],
    csv: Annotated[bool, typer.Option("--csv", help="CSV on stdout.")] = False,
    parquet: Annotated[Path | None, typer.Option("--parquet", help="Write a Parquet file.")] = None,
) -> int:
    """Run a reading statement on the warehouse's tables and views."""
    from flows import result_formats
    from flows.warehouse import open_sink

    if sum([csv, call.as_json, parquet is not None]) > 1:
        raise ConfigError("--csv, --json and --parquet exclude each other.", "Give one of them.")
    loaded = call.load_settings()
    table = open_sink(loaded).query(statement)
    if parquet is not None:
        result_formats.write_parquet(table, parquet)
    elif csv:
        result_formats.write_csv(table)
    elif call.as_json:
        call.answer(result_formats.rows(table))
    else:
        result_formats.show(table)
    return EXIT_OK


@app.command()
@command("log_level", "log_format")
def copy(
    call: Invocation,
    source: Annotated[str, typer.Argument(help="Warehouse to read: a directory or a URL.")],
    target: Annotated[str, typer.Argument(help="Warehouse to fill, likewise.")],
    lock_wait: LockWait = "60s",
) -> int:
    """Move a warehouse into another store; exit 3 unless both agree at the end."""
    from flows import copying

    call.load_settings()
    with stopping() as stop:
        done = copying.copied(source, target, lock_wait, copying.Lines(call.say, stop))
    if call.as_json:
        call.answer(done.document())
    else:
        copying.show(done)
    return EXIT_OK if done.verified else EXIT_CHECK_FAILED


@app.command()
@command(*ON_SOURCE)
def doctor(call: Invocation) -> int:
    """Check credentials, clock, endpoint, domains, quota and warehouse; say what to mend."""
    from flows import doctor as examination
    from flows import report

    checks = examination.examine(call)
    if call.as_json:
        call.answer({"checks": [check.document() for check in checks]})
    else:
        report.show_checks(checks)
    return max((check.exit_code for check in checks), default=EXIT_OK)


@app.command()
@command()
def standin(
    call: Invocation,
    port: Annotated[int, typer.Option(help="Port on the loopback; 0: a free one.")] = 0,
    domains: Annotated[int, typer.Option(help="How many domains, playback and push.")] = 6,
    seed: Annotated[int, typer.Option(help="Seed of the account and its traffic.")] = 1,
    requests_per_minute: Annotated[
        int | None, typer.Option(help="Its quota; 0: none.", show_default="300")
    ] = None,
    now: Annotated[str | None, typer.Option(help="Its clock stands at this instant.")] = None,
    switch: Annotated[list[str] | None, typer.Option(help="NAME=VALUE; repeats.")] = None,
) -> int:
    """Start the local API server that stands in for Huawei Cloud."""
    from zoneinfo import ZoneInfo

    from extract.standin.server import main_loop
    from extract.standin.switches import SwitchError
    from livetraffic.instants import parse_instant
    from livetraffic.window import from_seconds

    try:
        return main_loop(
            port=port,
            as_json=call.as_json,
            domains=domains,
            seed=seed,
            requests_per_minute=requests_per_minute,
            now=None if now is None else from_seconds(parse_instant(now, ZoneInfo("UTC"), "--now")),
            switches=dict(item.partition("=")[::2] for item in switch or []),
        )
    except SwitchError as error:
        raise ConfigError(f"--switch: {error}.", "Give NAME=VALUE.") from error
    except OSError as error:
        raise ConfigError(
            f"Port {port} cannot be used: {error.strerror}.", "Give another."
        ) from error


@app.command()
@command()
def demo(
    call: Invocation,
    directory: Annotated[Path, typer.Option(help="Where the demo's warehouse goes.")] = Path(
        "./demo"
    ),
) -> int:
    """Try it all against the stand-in: no account, no network."""
    from flows.demo import run_demo

    return run_demo(call, directory)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; no traceback for a user's mistake."""
    given = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    try:
        return int(app(given, standalone_mode=False) or EXIT_OK)
    except LiveTrafficError as error:
        return _failed(error, given)
    except TyperException as error:
        usage = ConfigError(f"{error.format_message()}.".replace("..", "."), _HELP)
        return _failed(usage, given)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK
    except (KeyboardInterrupt, typer.Abort):
        return 128 + signal.SIGINT


_HELP = "See live-traffic --help."


def _failed(error: LiveTrafficError, arguments: Sequence[str]) -> int:
    if "--json" in arguments:
        import orjson

        print(orjson.dumps(error_document(error)).decode())
    else:
        print(f"live-traffic: {error}", file=sys.stderr)
    return error.exit_code


def entry() -> None:
    """The console script."""
    sys.exit(main())
