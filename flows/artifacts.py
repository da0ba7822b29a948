"""What a run leaves in an orchestrator's UI: its summary, the coverage grid, a row a domain. No secrets.

Plain values: only ``flows.ingest`` knows who shows them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flows.covered import covered, gaps
from flows.grid import STYLES
from flows.page.amounts import share_text
from flows.page.days import STATES, Days, days_of
from flows.page.period import Period, period_of
from flows.summary import RunSummary, markdown
from flows.terminal import local
from flows.warehouse import open_sink, rules_of
from livetraffic.instants import duration_text
from livetraffic.plan import Slice
from livetraffic.window import DAY

if TYPE_CHECKING:
    from flows.outlook import Rules
    from flows.settings import Settings

EXPIRING_DAYS = 14
MOST_DOMAINS = 200
MOST_GAPS = 50
_SIGNS = {state: sign for state, (sign, _) in STYLES.items()} | {"expiring": "▾", "": " "}


@dataclass(frozen=True, slots=True)
class Artifact:
    """One page (Markdown) or table of a run; a key keeps the history of its namesakes."""

    key: str
    description: str
    content: str | list[dict[str, Any]]


def artifacts(name: str, summary: RunSummary, settings: "Settings", now: int) -> list[Artifact]:
    """What a run leaves, the summary first.

    Args:
        name: of the flow.
        now: seconds: the run's clock.
    """
    sink, rules = open_sink(settings), rules_of(settings)
    grid = covered(sink, rules, now, None, ())
    at_risk = gaps(sink, rules, now, EXPIRING_DAYS * DAY, ())
    first = min((interval.window.start for interval in grid.intervals), default=None)
    period = period_of(None, now + 1, now=now, first=first, zone=settings.zone)
    days = days_of(grid, at_risk, period)
    shown = _worst_first(days)[:MOST_DOMAINS]
    return [
        Artifact(f"live-traffic-{name}", "What the run did", markdown(summary)),
        Artifact(
            "live-traffic-coverage",
            f"How far {len(days.cells):,} domains are read, and what is at risk",
            _coverage(days, shown, period) + _risk(at_risk, rules, now),
        ),
        Artifact(
            "live-traffic-domains",
            "Each domain: settled until when, and its days by state",
            [_row(domain, days, summary, period) for domain in shown],
        ),
    ]


def _worst_first(days: Days) -> list[str]:
    unread = days.unread()
    return [*unread, *sorted(days.cells.keys() - set(unread))]


def _coverage(days: Days, shown: Sequence[str], period: Period) -> str:
    """The grid, a line a domain, those with gaps on top."""
    counts = days.counts
    told = ", ".join(f"{counts[state]:,} {state}" for state in STATES if counts[state])
    legend = "  ".join(f"{_SIGNS[state]} {state}" for state in STATES)
    lines = [
        f"# Coverage, {period.start} to {period.last}",
        "",
        f"{told or 'Nothing is known yet'} (a domain and a day each, {period.zone.key}).",
        "",
        "```",
        *(f"{_signs(days.cells[domain])}  {code(domain)}" for domain in shown),
        "```",
        "",
        f"`{legend}`",
    ]
    if len(days.cells) > len(shown):
        lines += ["", f"{len(days.cells) - len(shown):,} more domains are not drawn."]
    return "\n".join(lines)


def _signs(row: Sequence[str]) -> str:
    return "".join(_SIGNS[state] for state in row)


def _risk(at_risk: Sequence[Slice], rules: "Rules", now: int) -> str:
    """The gaps that the source forgets soon, the earliest first."""
    if not at_risk:
        return f"\n\n## At risk\n\nNo gap expires within {EXPIRING_DAYS} days."
    lines = ["", "", "## At risk", "", "| expires in | domain | not read |", "| ---: | --- | --- |"]
    for gap in at_risk[:MOST_GAPS]:
        left = duration_text(max(rules.expires_at(gap) - now, 0))
        lines.append(f"| {left} | `{code(gap.domain)}` | {gap.window} |")
    if len(at_risk) > MOST_GAPS:
        lines += ["", f"{len(at_risk) - MOST_GAPS:,} more."]
    return "\n".join(lines)


def code(text: str) -> str:
    """A name inside code: nothing in it ends the code or the cell."""
    return text.replace("`", "'").replace("|", "/").replace("\n", " ")


def _row(domain: str, days: Days, summary: RunSummary, period: Period) -> dict[str, Any]:
    until = summary.complete_until.get(domain)
    seconds, cells = days.seconds[domain], days.cells[domain]
    return {
        "domain": domain,
        "complete until": "" if until is None else local(until, period.zone),
        "settled": share_text(seconds["complete"], seconds.total()),
        **{state: sum(cell == state for cell in cells) for state in STATES},
    }
