"""What people look at: plans, progress, summaries, the coverage grid; and their JSON documents.

Answers go to standard output, talk and progress to standard error. Tables fit 80 columns.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.text import Text

from flows.covered import Covered
from flows.gap_lines import gap_lines, show_gap_lines
from flows.grid import LEGEND, STYLES, grid_rows, header
from flows.outlook import Outlook, Rules
from flows.progress import LineProgress, Progress, live_progress
from flows.summary import FailedSlice, RunSummary, instant_or_none, slice_document
from flows.terminal import (
    MOST_ROWS,
    NARROW,
    console_of,
    is_live,
    left_text,
    local,
    more,
    show_indented,
    span,
    table_of,
)
from flows.truth_report import sentence
from flows.warehouse import shown
from livetraffic.instants import duration_text
from livetraffic.plan import Slice
from livetraffic.reconciliation import AGREES
from livetraffic.window import MINUTE, Window, instant_text

if TYPE_CHECKING:
    from flows.checks import Check
    from flows.settings import Settings


def plan_document(outlook: Outlook) -> dict[str, Any]:
    """The JSON document of ``plan``."""
    rules = outlook.rules
    return {
        "slices": [
            {
                **slice_document(item),
                "source": item.source,
                "expires_at": instant_text(rules.expires_at(item)),
            }
            for item in outlook.slices
        ],
        "requests": len(outlook.slices),
        "expected_points": sum(item.window.points(rules.step) for item in outlook.slices),
        "seconds_at_quota": seconds_at_quota(outlook.slices, rules),
        "undecided": _undecided(outlook),
        "lost": [slice_document(item) for item in outlook.lost],
        "out_of_reach": [slice_document(item) for item in outlook.out_of_reach],
    }


def seconds_at_quota(slices: Sequence[Slice], rules: Rules) -> int:
    """How long so many requests last at the rate of their APIs' quotas, rounded up.

    The APIs, and the accounts, have quotas of their own and are asked side by side.
    """
    requests = Counter((item.account, item.source) for item in slices)
    return max(
        (
            -(-count * MINUTE // rules.apis[source].requests_per_minute)
            for (_, source), count in requests.items()
        ),
        default=0,
    )


def _undecided(outlook: Outlook) -> list[str]:
    """The domains with something due of which it is not known which API serves them."""
    if len(outlook.rules.apis) < 2:
        return []
    due = {item.domain for item in outlook.slices}
    return sorted(name for name in due if not outlook.domains[name].api)


def _quotas(slices: Sequence[Slice], rules: Rules) -> str:
    names = sorted({item.source for item in slices})
    return ", ".join(f"{rules.apis[name].requests_per_minute} a minute ({name})" for name in names)


def show_plan(outlook: Outlook, zone: ZoneInfo) -> None:
    """The plan on a terminal: totals, the windows by expiry, losses."""
    console = console_of()
    rules, slices = outlook.rules, outlook.slices
    if not slices:
        console.print(f"Nothing is due for {len(outlook.domains):,} domains: all is settled.")
    else:
        points = sum(item.window.points(rules.step) for item in slices)
        console.print(
            f"[bold]{len(slices):,}[/] requests for {len({s.domain for s in slices}):,} domains, "
            f"{points:,} points, about {duration_text(seconds_at_quota(slices, rules))} "
            f"at the quota of {_quotas(slices, rules)}."
        )
        narrow = console.width < NARROW
        columns = ("window", "api", "domain", "expires", "in")
        table = table_of(*(columns[::2] if narrow else columns))
        by_window: dict[tuple[int, int, str], list[Slice]] = {}
        for item in slices:
            key = (item.window.start, item.window.end, item.source)
            by_window.setdefault(key, []).append(item)
        for (start, end, source), items in list(by_window.items())[:MOST_ROWS]:
            who = items[0].domain if len(items) == 1 else f"{len(items):,} domains"
            expires = rules.expires_at(items[0])
            left = left_text(expires - outlook.now)
            window = span(Window(start, end), zone, days=narrow)
            cells = [window, source, who, local(expires, zone), left]
            table.add_row(*(cells[::2] if narrow else cells))
        console.print(table)
        if len(by_window) > MOST_ROWS:
            console.print(more(len(by_window)))
    undecided = len(_undecided(outlook))
    if undecided:
        who = "1 domain is" if undecided == 1 else f"{undecided:,} domains are"
        presumed = outlook.rules.presumed
        console.print(f"{who} not known to be on v1 or v2 yet and counted as {presumed}.")
    show_gap_lines(console, "Expired unread (lost)", outlook.lost, zone, "red")
    show_gap_lines(console, "Behind the source's retention", outlook.out_of_reach, zone, "yellow")
    next_step = " Next: live-traffic backfill" if slices else ""
    console.print(f"[dim]Times are {zone.key}.[/]{next_step}")


def _show_failures(console: Console, failed: Sequence[FailedSlice]) -> None:
    """One line a domain: how many windows failed, and the last reason."""
    reasons: dict[str, list[str]] = {}
    for item in failed:
        reasons.setdefault(item.slice.domain, []).append(item.error)
    for domain, errors in list(reasons.items())[:MOST_ROWS]:
        times = "" if len(errors) == 1 else f"{len(errors)} windows, the last: "
        show_indented(console, Text("failed", "red"), f"{domain}  {times}{errors[-1]}", style="red")
    if len(reasons) > MOST_ROWS:
        console.print(more(len(reasons)))


def _requests(summary: RunSummary) -> str:
    """How many requests, and of what kinds where there are several."""
    kinds = summary.requests_by_operation
    told = ", ".join(f"{count:,} {name}" for name, count in sorted(kinds.items()))
    return f"{summary.requests:,} requests" + (f" ({told})" if len(kinds) > 1 else "")


def show_summary(summary: RunSummary, settings: "Settings") -> None:
    """What a run did, on a terminal or in a log."""
    console, zone = console_of(), settings.zone
    batches = summary.batches
    console.print(
        f"[bold]{batches.rows_fetched:,}[/] points from {_requests(summary)} in "
        f"{summary.seconds:.1f} s: {batches.written.inserted:,} new, "
        f"{batches.written.updated:,} changed, {batches.written.unchanged:,} as before."
    )
    if batches.holes:
        console.print(f"{batches.holes:,} points were missing in answers; they stay due.")
    _show_failures(console, batches.failed)
    for account, error in summary.failed_accounts.items():
        console.print(Text(f"account {account}  {error}", style="red"))
    for item in summary.reconciled:
        if item.state != AGREES:
            console.print(Text(sentence(item, zone), style="red"))
    for domain in batches.gone:
        console.print(f"gone    {domain}  no longer listed and no longer known to the source")
    show_gap_lines(console, "Lost: expired before it could be read", summary.lost, zone, "red")
    show_gap_lines(console, "Will be lost within 48 h", summary.at_risk, zone, "red")
    show_gap_lines(console, "Behind the source's retention", summary.out_of_reach, zone, "yellow")
    document = summary.document()
    until = document["complete_until"]
    behind = sum(mark is None for mark in summary.complete_until.values())
    if until is not None:
        lowest = min(m for m in summary.complete_until.values() if m is not None)
        console.print(
            f"Complete and settled until {local(lowest, zone)} {zone.key} for "
            f"{len(summary.complete_until)} domains, in {shown(settings.warehouse)}."
        )
    elif behind:
        console.print(
            f"{behind} of {len(summary.complete_until)} domains with a gap at the retention edge; "
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
    console = console_of()
    if not grid.intervals:
        console.print("Nothing is covered yet: no domain is known. Run live-traffic backfill.")
        return
    rows = grid_rows(grid, zone, console.width)
    console.print(Text(header(rows), style="dim"))
    for row in rows.rows:
        line = Text(f"{row.label} ")
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
    show_gap_lines(console, "Lost", lost, zone, "red")
    show_gap_lines(console, "Not read yet", open_, zone, "yellow")
    if grid.anomalies:
        console.print(
            f"{len(grid.anomalies):,} later answers failed or fell short over settled time; "
            "the stored values stand (--json lists them)."
        )
    cell = "a day" if rows.days_per_cell == 1 else f"{rows.days_per_cell} days"
    next_step = " Next: live-traffic backfill" if open_ else ""
    console.print(f"[dim]One cell is {cell}, {zone.key}.[/]{next_step}")


def gaps_document(gaps: Sequence[Slice], rules: Rules) -> dict[str, Any]:
    """The JSON document of ``expiring``."""
    return {
        "gaps": [
            {
                "domain": item.domain,
                "start": instant_text(item.window.start),
                "end": instant_text(item.window.end),
                "expires_at": instant_or_none(rules.expires_at(item)),
            }
            for item in gaps
        ]
    }


def show_gaps(gaps: Sequence[Slice], rules: Rules, within: str, now: int, zone: ZoneInfo) -> None:
    """The gaps at risk, earliest expiry first."""
    console = console_of()
    if not gaps:
        console.print(f"No gap expires within {within}.")
        return
    lines = gap_lines(gaps)
    narrow = console.width < NARROW
    columns = ("left" if narrow else "expires in", "window", "domain", "holds")
    table = table_of(*(columns[:3] if narrow else columns), right=columns[:1])
    for line in lines[:MOST_ROWS]:
        left = left_text(min(rules.expires_at(gap) for gap in line.slices) - now)
        cells = (Text(left, style="red"), span(line.hull, zone, days=True), line.who, line.total)
        table.add_row(*(cells[:3] if narrow else cells))
    console.print(table)
    if len(lines) > MOST_ROWS:
        console.print(more(len(lines)))
    console.print("Next: live-traffic backfill reads them in time.")


def show_checks(checks: Sequence["Check"]) -> None:
    """The findings of ``doctor``, one line each."""
    console = console_of()
    for check in checks:
        mark = Text("ok   " if check.ok else "FAIL ", style="green" if check.ok else "bold red")
        head = mark.append(f"{check.name:<12}", style="default")
        show_indented(console, head, check.message)


@contextmanager
def progress() -> Iterator[Progress]:
    """A live display on a terminal, a line a batch otherwise; always on standard error."""
    console = console_of(stderr=True)
    if is_live(console):
        with live_progress(console) as watcher:
            yield watcher
    else:
        yield LineProgress(console)
