"""The figures of a report, read from the views; nothing here is rounded or worded."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple

from flows.page.period import Period
from flows.page.questions import ask, rows
from livetraffic.window import to_seconds
from load.sink import Sink

MOST_HOURS_DAYS = 100
"""A longer period has no hours by domain on its page."""


class Peak(NamedTuple):
    """The highest bandwidth of a day; ``at`` in seconds, UTC."""

    day: date
    bits_per_second: int
    at: int


class Percentile(NamedTuple):
    """The 95th percentile of a local month."""

    month: str
    bits_per_second: int
    valid_days: int
    samples: int
    dropped: int
    complete: bool


class Hour(NamedTuple):
    """Bytes of a local hour over the domains shown; ``start`` in seconds, UTC."""

    day: date
    hour: int
    start: int
    traffic_bytes: int


class Revised(NamedTuple):
    """Values of a domain and day that changed after they were published."""

    day: date
    domain: str
    values: int
    change_bytes: int
    at: int


class Compared(NamedTuple):
    """A stored sum held against the source's own; instants in seconds, UTC."""

    kind: str
    account: str
    source: str
    domain: str
    start: int
    end: int
    checked_at: int
    stored_bytes: int
    source_bytes: int
    difference_bytes: int
    state: str


@dataclass(frozen=True)
class Bandwidth:
    """Bandwidth over all domains, or of the one that is shown; empty for several that are chosen."""

    points: Mapping[int, int]
    """bit/s by the point's start in seconds, UTC."""
    peaks: Sequence[Peak]
    percentiles: Sequence[Percentile]

    @property
    def peak(self) -> Peak | None:
        """The highest; the earliest of equal ones."""
        return max(self.peaks, key=lambda p: (p.bits_per_second, -p.at), default=None)


@dataclass(frozen=True)
class Figures:
    """What the views say of a period, for the domains that are shown."""

    period: Period
    daily: Mapping[str, Mapping[date, int]]
    """Bytes by domain and day, for days with a stored point."""
    previous_bytes: int
    previous_by_domain: Mapping[str, int]
    hours: Sequence[Hour]
    hourly: Mapping[str, Mapping[int, int]]
    """Bytes by domain and start of the hour in seconds, of the largest domains."""
    bandwidth: Bandwidth
    domain_peaks: Mapping[str, int]
    domain_percentiles: Mapping[str, int]
    settled_until: Mapping[str, int | None]
    revised: Sequence[Revised] = ()
    compared: Sequence[Compared] = ()
    ranked: list[str] = field(default_factory=list)
    """Domains with a row, the most bytes first; equal ones by name."""

    def of(self, domain: str) -> int:
        """A domain's bytes in the period."""
        return sum(self.daily.get(domain, {}).values())

    @property
    def traffic_bytes(self) -> int:
        """The bytes of the period, summed before anything is rounded."""
        return sum(self.of(domain) for domain in self.daily)


def read_figures(sink: Sink, period: Period, names: Sequence[str]) -> Figures:
    """Ask the views.

    Args:
        names: these domains only; empty: all.
    """
    daily, previous = _days(sink, period, names)
    totals = {domain: sum(days.values()) for domain, days in daily.items()}
    return Figures(
        period=period,
        daily=daily,
        previous_bytes=sum(previous.values()),
        previous_by_domain=previous,
        hours=_hours(sink, period, names),
        hourly=_hourly(sink, period, names) if len(period.days) <= MOST_HOURS_DAYS else {},
        bandwidth=_bandwidth(sink, period, names),
        domain_peaks=_by_domain(sink, "domain_peaks", period),
        domain_percentiles=_by_domain(sink, "domain_percentiles", period),
        settled_until={
            str(domain): None if until is None else _seconds(until)
            for domain, until in _typed(sink, "freshness", period)
        },
        revised=[
            Revised(day, domain, values, change, _seconds(at))
            for day, domain, values, change, at in _typed(sink, "revisions", period)
            if not names or domain in names
        ],
        compared=_compared(sink, period, names),
        ranked=sorted(totals, key=lambda domain: (-totals[domain], domain)),
    )


def _typed(
    sink: Sink, name: str, period: Period, domain: str | None = None
) -> list[tuple[Any, ...]]:
    return list(rows(ask(sink, name, period, domain)))


def _days(
    sink: Sink, period: Period, names: Sequence[str]
) -> tuple[dict[str, dict[date, int]], Counter[str]]:
    daily: defaultdict[str, dict[date, int]] = defaultdict(dict)
    previous: Counter[str] = Counter()
    for domain, day, traffic_bytes, *_ in _typed(sink, "days", period):
        if names and domain not in names:
            continue
        if day < period.start:
            previous[domain] += traffic_bytes
        else:
            daily[domain][day] = traffic_bytes
    return dict(daily), previous


def _hours(sink: Sink, period: Period, names: Sequence[str]) -> list[Hour]:
    if not names:
        return [
            Hour(day, hour, _seconds(start), int(traffic_bytes))
            for day, hour, start, traffic_bytes in _typed(sink, "hours", period)
        ]
    found = [
        Hour(day, hour, _seconds(start), traffic_bytes)
        for name in names
        for day, hour, start, traffic_bytes in _typed(sink, "hours_of_one", period, name)
    ]
    sums: Counter[tuple[date, int, int]] = Counter()
    for item in found:
        sums[item.day, item.hour, item.start] += item.traffic_bytes
    return sorted((Hour(*key, sums[key]) for key in sums), key=lambda item: item.start)


def _hourly(sink: Sink, period: Period, names: Sequence[str]) -> dict[str, dict[int, int]]:
    hourly: defaultdict[str, dict[int, int]] = defaultdict(dict)
    for domain, start, traffic_bytes in _typed(sink, "hours_of_largest", period):
        if not names or domain in names:
            hourly[domain][_seconds(start)] = traffic_bytes
    return dict(hourly)


def _bandwidth(sink: Sink, period: Period, names: Sequence[str]) -> Bandwidth:
    if len(names) > 1:
        return Bandwidth({}, (), ())
    suffix, domain = ("_of_one", names[0]) if names else ("", None)
    answers = {
        name: _typed(sink, name + suffix, period, domain)
        for name in ("bandwidth", "peaks", "percentiles")
    }
    return Bandwidth(
        {_seconds(at): bits for at, bits in answers["bandwidth"]},
        [Peak(day, bits, _seconds(at)) for day, bits, at in answers["peaks"]],
        [Percentile(*row) for row in answers["percentiles"]],
    )


def _by_domain(sink: Sink, name: str, period: Period) -> dict[str, int]:
    return dict(_typed(sink, name, period))


def _compared(sink: Sink, period: Period, names: Sequence[str]) -> list[Compared]:
    found = [
        Compared(*row[:4], *map(_seconds, row[4:7]), *row[7:])
        for row in _typed(sink, "reconciliations", period)
    ]
    return [item for item in found if not names or item.domain in names]


def _seconds(instant: datetime) -> int:
    return to_seconds(instant)
