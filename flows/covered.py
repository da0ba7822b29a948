"""Coverage for people: every known domain's time in stretches of one state, and the gaps at risk."""

from collections.abc import Sequence
from dataclasses import dataclass

from flows.outlook import Rules, look
from livetraffic import plan
from livetraffic.domain import Domain
from livetraffic.ledger import NOTHING, Entry, fold
from livetraffic.plan import Interval, Slice
from livetraffic.route import counted
from livetraffic.window import Window, floor, intersect
from load.sink import Sink


@dataclass(frozen=True, slots=True)
class Covered:
    """The intervals of each domain, in order, and what was odd over settled time."""

    intervals: list[Interval]
    anomalies: list[Entry]
    domains: list[str]

    @property
    def is_complete(self) -> bool:
        """Whether everything shown is settled; nothing to show is not complete."""
        return bool(self.intervals) and all(i.state == "complete" for i in self.intervals)


def covered(
    sink: Sink, rules: Rules, now: int, asked: Window | None, names: Sequence[str]
) -> Covered:
    """Coverage from the first day each domain was wanted up to the last finished step.

    Args:
        asked: show this range only.
        names: show these domains only; empty: all known ones.
    """
    shown = [d for d in sink.domains() if not names or d.domain in names]
    known = {domain.domain: domain for domain in shown}
    entries = counted(sink.ledger(None), known, rules.step)
    folded = fold(entries, settle_after=rules.settle_after, step=rules.step)
    found: list[Interval] = []
    for domain in shown:
        coverage = folded.get(domain.domain, NOTHING)
        for window in intersect(*_range(domain, coverage.read[:1], rules, now, asked)):
            found.extend(plan.intervals(domain.domain, window, coverage))
    anomalies = [a for d in shown for a in folded.get(d.domain, NOTHING).anomalies]
    return Covered(found, anomalies, [domain.domain for domain in shown])


def _range(
    domain: Domain, first_read: Sequence[Window], rules: Rules, now: int, asked: Window | None
) -> tuple[tuple[Window, ...], tuple[Window, ...]]:
    start = min([rules.first_edge(domain, domain.first_seen), *(w.start for w in first_read)])
    end = rules.horizon(now)
    if domain.unlisted_since is not None:
        end = min(end, floor(domain.unlisted_since, rules.step))
    whole = (Window(start, end),) if start < end else ()
    return whole, (whole if asked is None else (asked,))


def gaps(sink: Sink, rules: Rules, now: int, within: int, names: Sequence[str]) -> list[Slice]:
    """What was never read and is forgotten by the source within so many seconds, earliest first."""
    domains = [d for d in sink.domains() if not names or d.domain in names]
    outlook = look(sink, domains, rules, now=now)
    return plan.at_risk(
        outlook.legs, outlook.coverage, rules.apis, now + within, may_omit=outlook.may_omit
    )
