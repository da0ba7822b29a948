"""The headline figures and the warnings above them, in words."""

from collections.abc import Sequence
from typing import NamedTuple

from flows.page.amounts import bandwidth_text, bytes_text, percent_text, share_text
from flows.page.days import Days
from flows.page.figures import Percentile
from flows.page.subject import EXPIRING_DAYS, Subject
from flows.page.words import Words
from flows.terminal import local

_NAMED = 3
_UNREAD = ("partial", "missing", "failed")


class Card(NamedTuple):
    """One headline figure: what a person reads, the exact value, and what it holds for."""

    name: str
    label: str
    text: str
    value: str
    lines: tuple[str, ...]
    worried: bool = False


class Alert(NamedTuple):
    """One warning; ``tone`` is a state of the coverage grid."""

    tone: str
    text: str


def cards(subject: Subject, words: Words) -> list[Card]:
    """The headline, from left to right."""
    found = [_traffic(subject, words), _change(subject, words)]
    if subject.uplift:
        found.insert(1, _billed(subject, words))
    found += [_peak(subject, words), _p95(subject, words), _until(subject, words)]
    return found


def _traffic(subject: Subject, words: Words) -> Card:
    total = subject.figures.traffic_bytes
    return Card(
        "traffic",
        words("card_traffic"),
        bytes_text(total),
        str(total),
        (words("traffic_sub", exact=f"{total:,}"), settled_text(subject.days, words)),
        worried=any(subject.days.total[state] for state in (*_UNREAD, "lost")),
    )


def settled_text(days: Days, words: Words) -> str:
    """How much of the time that is wanted is settled, and what the rest is."""
    total = days.total
    whole = total.total()
    if not whole:
        return words("nothing_expected")
    settled, provisional = total["complete"], total["provisional"]
    rest = [
        words(key, share=share_text(part, whole))
        for key, part in (
            ("rest_provisional", provisional),
            ("rest_gaps", whole - settled - provisional),
        )
        if part
    ]
    share = share_text(settled, whole)
    if not rest:
        return words("settled", share=share)
    return words("settled_rest", share=share, rest=", ".join(rest))


def _billed(subject: Subject, words: Words) -> Card:
    total = subject.figures.traffic_bytes
    billed = round(total * (100 + subject.uplift) / 100)
    note = words("billed_sub", uplift=f"{subject.uplift:g}")
    return Card("billed", words("card_billed"), bytes_text(billed), str(billed), (note,))


def _change(subject: Subject, words: Words) -> Card:
    figures, before = subject.figures, subject.period.before
    dates = {"start": before.start, "end": before.last}
    if not figures.previous_bytes:
        return Card(
            "change", words("card_change"), words("none"), "", (words("change_none", **dates),)
        )
    change = figures.traffic_bytes / figures.previous_bytes - 1
    total = subject.days_before.total
    whole, settled = total.total(), total["complete"]
    key = "change_whole" if settled == whole else "change_partial"
    return Card(
        "change",
        words("card_change"),
        percent_text(change, signed=True),
        str(figures.previous_bytes),
        (
            words("change_sub", bytes=bytes_text(figures.previous_bytes)),
            words("change_when", **dates),
            words(key, share=share_text(settled, whole)),
        ),
        worried=settled != whole,
    )


def scope(subject: Subject, words: Words) -> str:
    """Whose bandwidth is shown."""
    if len(subject.chosen) == 1:
        return words("scope_one", domain=subject.chosen[0])
    return words("scope_all")


def why_no_bandwidth(subject: Subject, words: Words) -> str | None:
    """Why there is none; None where there is."""
    if subject.step != 300:
        return words("step_other")
    if len(subject.chosen) > 1:
        return words("scope_several")
    return None if subject.figures.bandwidth.peak else words("no_bandwidth")


def _peak(subject: Subject, words: Words) -> Card:
    peak, why = subject.figures.bandwidth.peak, why_no_bandwidth(subject, words)
    if peak is None or why is not None:
        return Card("peak", words("card_peak"), words("none"), "", (why or "",))
    at = local(peak.at, subject.period.zone)
    return Card(
        "peak",
        words("card_peak"),
        bandwidth_text(peak.bits_per_second),
        str(peak.bits_per_second),
        (words("peak_sub", at=at), scope(subject, words)),
    )


def _p95(subject: Subject, words: Words) -> Card:
    found: Sequence[Percentile] = subject.figures.bandwidth.percentiles
    if not found:
        why = why_no_bandwidth(subject, words)
        return Card("p95", words("card_p95"), words("none"), "", (why or "",))
    last = found[-1]
    return Card(
        "p95",
        words("card_p95"),
        bandwidth_text(last.bits_per_second),
        str(last.bits_per_second),
        (
            words("p95_sub", month=last.month, days=last.valid_days),
            words("p95_complete" if last.complete else "p95_open"),
        ),
    )


def _until(subject: Subject, words: Words) -> Card:
    until = subject.complete_until
    risk = "risk_some" if subject.at_risk else "risk_none"
    risky = words(risk, n=len(subject.at_risk), days=EXPIRING_DAYS)
    if until is None:
        behind = sum(subject.figures.settled_until.get(d) is None for d in subject.listed)
        line = words("until_none", n=behind) if subject.listed else words("until_empty")
        return Card("until", words("card_until"), words("none"), "", (line, risky), worried=True)
    text = local(until, subject.period.zone)
    holes = sum(subject.days.counts[state] for state in (*_UNREAD, "expiring", "lost"))
    return Card(
        "until",
        words("card_until"),
        text,
        str(until),
        (words("until_gaps", n=holes) if holes else words("until_sub"), risky),
        worried=bool(subject.at_risk or holes),
    )


def alerts(subject: Subject, words: Words) -> list[Alert]:
    """What a reader must know first, the worst first."""
    found = []
    for tone, key, states in (
        ("lost", "alert_lost", ("lost",)),
        ("expiring", "alert_expiring", ("expiring",)),
        ("missing", "alert_gaps", _UNREAD),
    ):
        cells = {
            domain: count
            for domain, row in subject.days.cells.items()
            if (count := sum(state in states for state in row))
        }
        if cells:
            names = _named(sorted(cells, key=lambda d: (-cells[d], d)), words)
            found.append(
                Alert(tone, words(key, n=sum(cells.values()), names=names, days=EXPIRING_DAYS))
            )
    return found


def _named(domains: Sequence[str], words: Words) -> str:
    names = ", ".join(domains[:_NAMED])
    rest = len(domains) - _NAMED
    return words("and_more", names=names, n=rest) if rest > 0 else names
