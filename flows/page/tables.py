"""The tables of a report: ranking, days, hours of the week, coverage by domain."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from flows.page.amounts import percent_text, share_text
from flows.page.days import STATES
from flows.page.figures import Peak
from flows.page.subject import Subject

STACKED = 8
"""Domains that have a colour of their own in the chart over time."""
MOST_DRAWN = 300
"""Domains that the coverage grid draws."""


class Ranked(NamedTuple):
    """One domain in the ranking; ``width`` is its bar's, in percent of the longest."""

    rank: int
    domain: str
    traffic_bytes: int
    width: float
    share: str
    change: str
    peak: int | None
    p95: int | None
    settled: str
    whole: bool
    """Everything that is wanted of it in the period is settled or will settle."""


def ranking(subject: Subject) -> list[Ranked]:
    """Every domain that is shown, the most traffic first; equal bytes share a rank."""
    figures = subject.figures
    totals = {domain: figures.of(domain) for domain in subject.domains}
    most, whole = max(totals.values(), default=0), figures.traffic_bytes
    ranks: dict[int, int] = {}
    found = []
    for place, (domain, count) in enumerate(totals.items(), 1):
        seconds = subject.days.seconds.get(domain, Counter())
        found.append(
            Ranked(
                ranks.setdefault(count, place),
                domain,
                count,
                round(100 * count / most, 2) if most else 0.0,
                share_text(count, whole),
                _change(count, figures.previous_by_domain.get(domain, 0)),
                figures.domain_peaks.get(domain),
                figures.domain_percentiles.get(domain),
                share_text(seconds["complete"], seconds.total()),
                seconds.total() == seconds["complete"] + seconds["provisional"],
            )
        )
    return found


def _change(now: int, before: int) -> str:
    return percent_text(now / before - 1, signed=True) if before else "–"


class DayRow(NamedTuple):
    """One day: bytes of each stacked domain (None: no stored point), of the rest, of all."""

    day: date
    stacked: list[int | None]
    rest: int
    total: int
    peak: Peak | None
    states: Counter[str]
    """Domains by state."""


def day_rows(subject: Subject) -> list[DayRow]:
    """Every day of the period, in order."""
    figures = subject.figures
    stacked = figures.ranked[:STACKED]
    peaks = {peak.day: peak for peak in figures.bandwidth.peaks}
    found = []
    for place, day in enumerate(subject.period.days):
        values = {d: days[day] for d, days in figures.daily.items() if day in days}
        total = sum(values.values())
        shown = [values.get(domain) for domain in stacked]
        states = Counter(row[place] for row in subject.days.cells.values() if row[place])
        rest = total - sum(value or 0 for value in shown)
        found.append(DayRow(day, shown, rest, total, peaks.get(day), states))
    return found


class WeekHour(NamedTuple):
    """An hour of the week: average bytes (None: no such hour is stored), and its place from 0 to 1."""

    average: int | None
    heat: float


def week(subject: Subject) -> list[list[WeekHour]]:
    """Monday to Sunday, each with its 24 hours; empty where there are no hours."""
    if subject.step > 3600 or not subject.figures.hours:
        return []
    sums: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for item in subject.figures.hours:
        sums[item.day.weekday(), item.hour].append(item.traffic_bytes)
    averages = {key: _average(values) for key, values in sums.items()}
    least, most = min(averages.values()), max(averages.values())
    spread = max(most - least, 1)
    return [
        [
            WeekHour(averages[at], (averages[at] - least) / spread)
            if (at := (day, hour)) in averages
            else WeekHour(None, 0)
            for hour in range(24)
        ]
        for day in range(7)
    ]


def _average(values: Sequence[int]) -> int:
    return (2 * sum(values) + len(values)) // (2 * len(values))


class CoverageRow(NamedTuple):
    """One domain's days by state, and the part of its time that is settled."""

    domain: str
    days: Counter[str]
    settled: str


def coverage_rows(subject: Subject) -> list[CoverageRow]:
    """Every domain, in the order of the page."""
    return [
        CoverageRow(
            domain,
            Counter(state for state in subject.days.cells[domain] if state),
            share_text(
                subject.days.seconds[domain]["complete"], subject.days.seconds[domain].total()
            ),
        )
        for domain in subject.domains
        if domain in subject.days.cells
    ]


def drawn(subject: Subject) -> list[str]:
    """The domains of the grid: all, or of very many those with gaps first."""
    shown = [domain for domain in subject.domains if domain in subject.days.cells]
    if len(shown) <= MOST_DRAWN:
        return shown
    worst = subject.days.unread()
    return [*worst, *(d for d in shown if d not in set(worst))][:MOST_DRAWN]


def axis(days: Sequence[date]) -> list[tuple[int, str]]:
    """Where the grid's axis names a day: months' first days, and Mondays that have room."""
    room = max(3, len(days) // 18)
    firsts = [place for place, day in enumerate(days) if day.day == 1 or place == 0]
    if len(firsts) > 1 and firsts[1] < room:
        firsts = firsts[1:]
    named = set(firsts)
    for place, day in enumerate(days):
        if day.weekday() == 0 and all(abs(place - other) >= room for other in named):
            named.add(place)
    return [(place, f"{days[place]:%m-%d}") for place in sorted(named)]


def letters(row: Sequence[str]) -> str:
    """A row of the grid as one letter a day, for the page's script: its state's place, or a dash."""
    return "".join(str(STATES.index(state)) if state else "-" for state in row)
