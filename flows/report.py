"""What people look at: plans, progress, summaries, the coverage grid; and their JSON documents.

Answers go to standard output, talk and progress to standard error. Tables fit 80 columns.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table
from rich.text import Text

from flows.covered import Covered
from flows.grid import LEGEND, STYLES, grid_rows, header
from flows.outlook import Outlook, Rules
from flows.progress import LineProgress, Progress, live_progress
from flows.summary import FailedSlice, RunSummary, instant_or_none, slice_document
from flows.warehouse import shown
from livetraffic.instants import duration_text
from livetraffic.plan import Slice
from livetraffic.window import MINUTE, Window, from_seconds, instant_text

if TYPE_CHECKING:
    from flows.doctor import Check
    from flows.settings import Settings

WIDTH = 80
MOST_ROWS = 20


def _console(*, stderr: bool = False) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    piped = not stream.isatty()
    return Console(file=stream, width=WIDTH if piped else None, highlight=False, soft_wrap=piped)


def _table(*columns: str, right: Sequence[str] = ()) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", no_wrap=True)
    return table


def _local(seconds: int, zone: ZoneInfo) -> str:
    return from_seconds(seconds).astimezone(zone).strftime("%Y-%m-%d %H:%M")


def _more(count: int) -> str:
    return f"… and {count - MOST_ROWS} more (--json lists all)" if count > MOST_ROWS else ""


def plan_document(outlook: Outlook) -> dict[str, Any]:
    """The JSON document of ``plan``."""
    rules = outlook.rules
    return {
        "slices": [
            {
                **slice_document(item),
                "expires_at": instant_text(rules.limits.expires_at(item.window.start)),
            }
            for item in outlook.slices
        ],
        "requests": len(outlook.slices),
        "expected_points": sum(item.window.points(rules.step) for item in outlook.slices),
        "seconds_at_quota": seconds_at_quota(len(outlook.slices), rules),
        "lost": [slice_document(item) for item in outlook.lost],
        "out_of_reach": [slice_document(item) for item in outlook.out_of_reach],
    }


def seconds_at_quota(requests: int, rules: Rules) -> int:
    """How long so many requests last at the quota's rate, rounded up."""
    return -(-requests * MINUTE // rules.limits.requests_per_minute)


def show_plan(outlook: Outlook, zone: ZoneInfo) -> None:
    """The plan on a terminal: totals, the windows by expiry, losses."""
    console = _console()
    rules, slices = outlook.rules, outlook.slices
    if not slices:
        console.print(f"Nothing is due for {len(outlook.domains)} domains: all is settled.")
    else:
        points = sum(item.window.points(rules.step) for item in slices)
        console.print(
            f"[bold]{len(slices):,}[/] requests for {len({s.domain for s in slices}):,} domains, "
            f"{points:,} points, about {duration_text(seconds_at_quota(len(slices), rules))} "
            f"at the quota of {rules.limits.requests_per_minute} a minute."
        )
        table = _table("window", "domains", "expires", right=("domains",))
        by_window: dict[tuple[int, int], list[Slice]] = {}
        for item in slices:
            by_window.setdefault((item.window.start, item.window.end), []).append(item)
        for (start, end), items in list(by_window.items())[:MOST_ROWS]:
            who = items[0].domain if len(items) == 1 else f"{len(items):,}"
            expires = _local(rules.limits.expires_at(start), zone)
            table.add_row(f"{_local(start, zone)} .. {_local(end, zone)}", who, expires)
        console.print(table)
        console.print(_more(len(by_window)), end="\n" if len(by_window) > MOST_ROWS else "")
    _show_slices(console, "Expired unread (lost)", outlook.lost, zone, "red")
    _show_slices(console, "Behind the source's retention", outlook.out_of_reach, zone, "yellow")
    console.print(f"[dim]Times are {zone.key}.[/]")


def _by_domain(slices: Sequence[Slice]) -> list[tuple[str, Window, str]]:
    """Each domain's slices as one line: from the first to the last, and how many hours they hold."""
    grouped: dict[str, list[Window]] = {}
    for item in slices:
        grouped.setdefault(item.domain, []).append(item.window)
    lines = []
    for domain, windows in grouped.items():
        hull = Window(min(w.start for w in windows), max(w.end for w in windows))
        total = duration_text(sum(w.seconds for w in windows))
        lines.append(
            (domain, hull, total if len(windows) == 1 else f"{total} in {len(windows)} gaps")
        )
    return lines


def _show_slices(
    console: Console, title: str, slices: Sequence[Slice], zone: ZoneInfo, style: str
) -> None:
    if not slices:
        return
    console.print(Text(f"{title}:", style=style))
    lines = _by_domain(slices)
    for domain, hull, total in lines[:MOST_ROWS]:
        window = f"{_local(hull.start, zone)} .. {_local(hull.end, zone)}"
        console.print(f"  {window}  {domain}  [dim]{total}[/]")
    if len(lines) > MOST_ROWS:
        console.print(f"  {_more(len(lines))}")


def _show_failures(console: Console, failed: Sequence[FailedSlice]) -> None:
    """One line a domain: how many windows failed, and the last reason."""
    reasons: dict[str, list[str]] = {}
    for item in failed:
        reasons.setdefault(item.slice.domain, []).append(item.error)
    for domain, errors in list(reasons.items())[:MOST_ROWS]:
        times = "" if len(errors) == 1 else f"{len(errors)} windows, the last: "
        console.print(Text(f"failed  {domain}  {times}{errors[-1]}", style="red"))
    if len(reasons) > MOST_ROWS:
        console.print(_more(len(reasons)))


def show_summary(summary: RunSummary, settings: "Settings") -> None:
    """What a run did, on a terminal or in a log."""
    console, zone = _console(), settings.zone
    batches = summary.batches
    console.print(
        f"[bold]{batches.rows_fetched:,}[/] points from {summary.requests:,} requests in "
        f"{summary.seconds:.1f} s: {batches.written.inserted:,} new, "
        f"{batches.written.updated:,} changed, {batches.written.unchanged:,} as before."
    )
    if batches.holes:
        console.print(f"{batches.holes:,} points were missing in answers; they stay due.")
    _show_failures(console, batches.failed)
    for domain in batches.gone:
        console.print(f"gone    {domain}  no longer listed and no longer known to the source")
    _show_slices(console, "Lost: expired before it could be read", summary.lost, zone, "red")
    _show_slices(console, "Will be lost within 48 h", summary.at_risk, zone, "red")
    _show_slices(console, "Behind the source's retention", summary.out_of_reach, zone, "yellow")
    document = summary.document()
    until = document["complete_until"]
    behind = sum(mark is None for mark in summary.complete_until.values())
    if until is not None:
        lowest = min(m for m in summary.complete_until.values() if m is not None)
        console.print(
            f"Complete and settled until {_local(lowest, zone)} {zone.key} for "
            f"{len(summary.complete_until)} domains, in {shown(settings.warehouse)}."
        )
    elif behind:
        console.print(
            f"{behind} of {len(summary.complete_until)} domains have a gap at the retention edge; "
            "live-traffic coverage shows it."
        )


def coverage_document(grid: Covered) -> dict[str, Any]:
    """The JSON document of ``coverage``."""
    return {
        "intervals": [
            {
                "domain": item.domain,
                "start": instant_text(item.window.start),
                "end": instant_text(item.window.end),
                "state": item.state,
            }
            for item in grid.intervals
        ],
        "anomalies": [
            {
                "domain": entry.domain,
                "start": instant_text(entry.window_start),
                "end": instant_text(entry.window_end),
                "state": entry.state,
                "detail": entry.detail,
            }
            for entry in grid.anomalies
        ],
    }


def show_coverage(grid: Covered, zone: ZoneInfo) -> None:
    """The grid domain x day, worst state of each cell, and the stretches that are not complete."""
    console = _console()
    if not grid.intervals:
        console.print("Nothing is covered yet: no domain is known. Run live-traffic backfill.")
        return
    rows = grid_rows(grid, zone, console.width)
    console.print(Text(header(rows), style="dim"))
    for row in rows.rows:
        line = Text(f"{row.label:{rows.label_width}} ")
        for state in row.cells:
            line.append(*STYLES[state])
        console.print(line, no_wrap=True, overflow="crop")
    legend = Text()
    for state in LEGEND:
        legend.append(*STYLES[state]).append(f" {state}  ", style="dim")
    console.print(legend)
    lost = [Slice(i.domain, i.window) for i in grid.intervals if i.state == "lost"]
    open_ = [
        Slice(i.domain, i.window)
        for i in grid.intervals
        if i.state in ("missing", "partial", "failed")
    ]
    _show_slices(console, "Lost", lost, zone, "red")
    _show_slices(console, "Not read yet", open_, zone, "yellow")
    if grid.anomalies:
        console.print(
            f"{len(grid.anomalies)} later answers failed or fell short over settled time; "
            "the stored values stand (--json lists them)."
        )
    console.print(f"[dim]One cell is {rows.days_per_cell} day(s), {zone.key}.[/]")


def gaps_document(gaps: Sequence[Slice], rules: Rules) -> dict[str, Any]:
    """The JSON document of ``expiring``."""
    return {
        "gaps": [
            {
                "domain": item.domain,
                "start": instant_text(item.window.start),
                "end": instant_text(item.window.end),
                "expires_at": instant_or_none(rules.limits.expires_at(item.window.start)),
            }
            for item in gaps
        ]
    }


def show_gaps(gaps: Sequence[Slice], rules: Rules, within: str, now: int, zone: ZoneInfo) -> None:
    """The gaps at risk, earliest expiry first."""
    console = _console()
    if not gaps:
        console.print(f"No gap expires within {within}.")
        return
    lines = _by_domain(gaps)
    table = _table("expires in", "days", "holds", "domain", right=("expires in",))
    for domain, hull, total in lines[:MOST_ROWS]:
        left = max(rules.limits.expires_at(hull.start) - now, 0)
        window = f"{_local(hull.start, zone)[:10]} .. {_local(hull.end, zone)[:10]}"
        table.add_row(Text(duration_text(left), style="red"), window, total, domain)
    console.print(table)
    if len(lines) > MOST_ROWS:
        console.print(_more(len(lines)))
    console.print("Run live-traffic backfill to read them in time.")


def show_checks(checks: Sequence["Check"]) -> None:
    """The findings of ``doctor``, one line each."""
    console = _console()
    for check in checks:
        mark = Text("ok   " if check.ok else "FAIL ", style="green" if check.ok else "bold red")
        console.print(mark.append(f"{check.name:<12} {check.message}", style="default"))


@contextmanager
def progress() -> Iterator[Progress]:
    """A live display on a terminal, a line a batch otherwise; always on standard error."""
    console = _console(stderr=True)
    if console.is_terminal:
        with live_progress(console) as watcher:
            yield watcher
    else:
        yield LineProgress(console)
