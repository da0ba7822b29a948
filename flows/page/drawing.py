"""What the page's script draws from: the numbers of the two charts as one JSON document."""

from typing import Any

from flows.page.cards import why_no_bandwidth
from flows.page.period import Period
from flows.page.subject import Subject
from flows.page.tables import STACKED, letters
from flows.page.words import Words
from livetraffic.window import HOUR, Window

MOST_DAILY = 300
"""Domains with a line of their own; the rest is in the total."""


def drawing(subject: Subject, words: Words) -> dict[str, Any]:
    """Instants are milliseconds since the epoch, as the script counts; null: not stored."""
    figures, period = subject.figures, subject.period
    domains = figures.ranked[:MOST_DAILY]
    return {
        "zone": period.zone.key,
        "language": words.language,
        "words": words.subset("js_"),
        "midnights": [period.midnight(day) * 1000 for day in [*period.days, period.end]],
        "dates": [day.isoformat() for day in [*period.days, period.end]],
        "stacked": min(STACKED, len(domains)),
        "domains": domains,
        "daily": [[figures.daily[d].get(day) for day in period.days] for d in domains],
        "total": [
            sum(days[day] for days in figures.daily.values() if day in days) for day in period.days
        ],
        "states": {d: letters(row) for d, row in subject.days.cells.items() if d in set(domains)},
        "unread": _unread(subject),
        **_hours(subject, domains),
        "bandwidth": None if why_no_bandwidth(subject, words) else _bandwidth(subject),
    }


def _unread(subject: Subject) -> str:
    """One mark a day: x where a domain has a gap that day."""
    fine = ("", "complete", "provisional")
    rows = list(subject.days.cells.values())
    return "".join(
        "x" if any(row[place] not in fine for row in rows) else "-"
        for place in range(len(subject.period.days))
    )


def _hours(subject: Subject, domains: list[str]) -> dict[str, Any]:
    figures = subject.figures
    if subject.step > HOUR or not figures.hourly:
        return {"hours": [], "hourly": [], "hourlyTotal": []}
    starts = [hour.start for hour in figures.hours]
    return {
        "hours": [start * 1000 for start in starts],
        "hourly": [
            [figures.hourly[d].get(start) for start in starts]
            for d in domains
            if d in figures.hourly
        ],
        "hourlyTotal": [hour.traffic_bytes for hour in figures.hours],
    }


def _bandwidth(subject: Subject) -> dict[str, Any]:
    bandwidth, step = subject.figures.bandwidth, subject.step
    first, last = min(bandwidth.points), max(bandwidth.points)
    peak, months = bandwidth.peak, _months(subject.period)
    return {
        "start": first * 1000,
        "step": step * 1000,
        "points": [bandwidth.points.get(at) for at in range(first, last + step, step)],
        "peak": None if peak is None else {"at": peak.at * 1000, "bits": peak.bits_per_second},
        "percentiles": [
            {
                "month": item.month,
                "bits": item.bits_per_second,
                "from": months[item.month].start * 1000,
                "to": months[item.month].end * 1000,
            }
            for item in bandwidth.percentiles
            if item.month in months
        ],
    }


def _months(period: Period) -> dict[str, Window]:
    """The local months of the period, as far as they are in it."""
    first = {day.strftime("%Y-%m"): day for day in reversed(period.days)}
    starts = sorted(period.midnight(day) for day in first.values())
    ends = [*starts[1:], period.window.end]
    return dict(zip(sorted(first), map(Window, starts, ends), strict=True))
