"""What one report is about: period, figures, coverage and the circumstances, before any wording."""

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from flows.covered import covered, gaps
from flows.outlook import Rules
from flows.page.days import Days, days_of
from flows.page.figures import Figures, read_figures
from flows.page.period import Period, period_of
from livetraffic.plan import Slice
from livetraffic.window import DAY
from load.sink import Sink

EXPIRING_DAYS = 14
"""A gap that the source forgets within so many days is shown as expiring."""


@dataclass(frozen=True)
class Subject:
    """One report's facts."""

    period: Period
    figures: Figures
    days: Days
    days_before: Days
    """Of the period before, to say how far it can be compared with."""
    at_risk: Sequence[Slice]
    listed: frozenset[str]
    """The domains that the source still lists: they should be settled up to yesterday."""
    chosen: Sequence[str]
    """The domains that were asked for; empty: all."""
    now: int
    step: int
    settle_after: int
    uplift: float = 0.0
    """How much the estimate of the bill is above the traffic, in percent."""

    @property
    def complete_until(self) -> int | None:
        """Until when every listed domain is settled; None while one has nothing settled."""
        marks = [self.figures.settled_until.get(domain) for domain in self.listed]
        known = [mark for mark in marks if mark is not None]
        return min(known) if known and len(known) == len(marks) else None

    @property
    def domains(self) -> list[str]:
        """Everything that is shown: by traffic, then those without any by name."""
        ranked = self.figures.ranked
        return [*ranked, *sorted(self.days.cells.keys() - set(ranked))]


def subject_of(
    sink: Sink,
    rules: Rules,
    zone: ZoneInfo,
    *,
    now: int,
    asked: tuple[int | None, int | None],
    names: Sequence[str],
    uplift: float,
) -> Subject:
    """Look at the warehouse once, for one page.

    Args:
        now: seconds.
        asked: where the range begins and ends (seconds); None: as ``period_of``.
        names: these domains only; empty: all.
        uplift: in percent.
    """
    grid = covered(sink, rules, now, None, names)
    first = min((interval.window.start for interval in grid.intervals), default=None)
    period = period_of(*asked, now=now, first=first, zone=zone)
    at_risk = gaps(sink, rules, now, EXPIRING_DAYS * DAY, names)
    listed = [d.domain for d in sink.domains() if d.unlisted_since is None]
    return Subject(
        period=period,
        figures=read_figures(sink, period, names),
        days=days_of(grid, at_risk, period),
        days_before=days_of(grid, (), period.before),
        at_risk=at_risk,
        listed=frozenset(d for d in listed if not names or d in names),
        chosen=names,
        now=now,
        step=rules.step,
        settle_after=rules.settle_after,
        uplift=uplift,
    )
