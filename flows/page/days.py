"""The coverage grid of a report: one state a domain and local day, the worst of the day's."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from flows.covered import Covered
from flows.page.period import Period, local_day
from livetraffic.plan import Interval, Slice
from livetraffic.window import Window, intersect

STATES = ("complete", "provisional", "partial", "missing", "failed", "expiring", "lost")
"""From the best to the worst; ``expiring``: a gap that the source forgets soon."""
_BADNESS = {state: rank for rank, state in enumerate(("", *STATES))}
_GAPS = frozenset({"partial", "missing", "failed"})


@dataclass(frozen=True)
class Days:
    """A state for every day of the period (empty: nothing is wanted), and time by state."""

    cells: Mapping[str, Sequence[str]]
    seconds: Mapping[str, Counter[str]]
    """Seconds of each state by domain."""

    @property
    def counts(self) -> Counter[str]:
        """Cells by state."""
        return Counter(state for row in self.cells.values() for state in row if state)

    @property
    def total(self) -> Counter[str]:
        """Seconds by state over all domains."""
        return sum(self.seconds.values(), Counter())

    def unread(self) -> list[str]:
        """The domains with a day that has a gap, the worst first."""
        worst = {
            domain: max((_BADNESS[state] for state in row), default=0)
            for domain, row in self.cells.items()
        }
        return sorted(
            (d for d in worst if worst[d] > _BADNESS["provisional"]), key=lambda d: -worst[d]
        )


def days_of(grid: Covered, expiring: Sequence[Slice], period: Period) -> Days:
    """The grid for a period.

    Args:
        grid: the coverage as ``coverage`` shows it.
        expiring: the gaps that the source forgets soon.
    """
    cells = {domain: [""] * len(period.days) for domain in grid.domains}
    seconds: dict[str, Counter[str]] = {domain: Counter() for domain in grid.domains}
    for interval in grid.intervals:
        for part in intersect((interval.window,), (period.window,)):
            seconds[interval.domain][interval.state] += part.seconds
            _mark(cells[interval.domain], Interval(interval.domain, part, interval.state), period)
    for gap in expiring:
        for part in intersect((gap.window,), (period.window,)):
            _warn(cells.get(gap.domain, []), part, period)
    return Days(cells, seconds)


def _mark(cells: list[str], interval: Interval, period: Period) -> None:
    for place in _places(interval.window, period):
        cells[place] = max(cells[place], interval.state, key=_BADNESS.__getitem__)


def _warn(cells: list[str], window: Window, period: Period) -> None:
    for place in _places(window, period):
        if place < len(cells) and cells[place] in _GAPS:
            cells[place] = "expiring"


def _places(window: Window, period: Period) -> range:
    first = _place(window.start, period.start, period.zone)
    return range(first, _place(window.end - 1, period.start, period.zone) + 1)


def _place(seconds: int, start: date, zone: ZoneInfo) -> int:
    return (local_day(seconds, zone) - start) // timedelta(days=1)
