"""Commands that look at the warehouse only."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from flows.clock import seconds
from flows.invocation import (
    ON_WAREHOUSE,
    DomainNames,
    End,
    Invocation,
    Start,
    asked_range,
    command,
    instant_or_ago,
    reading,
)
from flows.summary import EXIT_CHECK_FAILED, EXIT_DATA_LOST, EXIT_OK
from livetraffic.errors import ConfigError


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


@command(*ON_WAREHOUSE, as_of=True)
def revisions(
    call: Invocation,
    since: Annotated[str, typer.Option(help="A date, an instant, or how long ago.")] = "7d",
    domain: DomainNames = None,
) -> int:
    """Show what the source changed after it was published."""
    from flows import restatements, truth_report

    loaded = call.load_settings(domains=domain)
    from_when = instant_or_ago(since, loaded, seconds(call.clock(loaded)), "--since")
    sink, _ = reading(loaded)
    found = restatements.revisions(sink, from_when, loaded.domains)
    if call.as_json:
        call.answer(truth_report.revisions_document(found))
    else:
        truth_report.show_revisions(found, from_when, loaded.zone)
    return EXIT_OK


@command(*ON_WAREHOUSE, as_of=True)
def report(
    call: Invocation,
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")] = Path(
        "report.html"
    ),
    start: Start = None,
    end: End = None,
    domain: DomainNames = None,
    lang: Annotated[Literal["en", "zh"], typer.Option(help="Language of the page.")] = "en",
) -> int:
    """Write one self-contained page: figures, charts, coverage; the last 30 days unless told."""
    from flows.page.making import make
    from livetraffic.instants import parse_instant

    loaded = call.load_settings(domains=domain)
    now = seconds(call.clock(loaded))
    asked = (
        None if start is None else parse_instant(start, loaded.zone, "--start"),
        None if end is None else parse_instant(end, loaded.zone, "--end"),
    )
    made = make(loaded, output, now=now, asked=asked, language=lang)
    if call.as_json:
        call.answer(made.document())
    else:
        print(f"{made.path} ({made.size / 1e6:.1f} MB) is one page that needs no network; open it.")
    return EXIT_OK


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
