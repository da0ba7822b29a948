"""What the ledger and the clock say together: wanted, covered, due, lost, out of reach.

Reads the warehouse and nothing else; ``plan``, ``coverage``, ``expiring`` and every run start here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from livetraffic import plan
from livetraffic.domain import Domain
from livetraffic.ledger import (
    MICROSECONDS,
    NOTHING,
    Coverage,
    Entry,
    fold,
    zero_filling_sources,
)
from livetraffic.limits import Limits
from livetraffic.plan import Slice
from livetraffic.window import DAY, Window, intersect, subtract
from load.sink import Sink


@dataclass(frozen=True, slots=True)
class Rules:
    """The arithmetic of one warehouse: step and settle age in seconds, limits of its source.

    ``idle`` is what an absent point means: ``auto``, ``zero`` or ``omit``.
    """

    step: int
    settle_after: int
    limits: Limits
    idle: str = "auto"

    def may_omit(self, zero_filling: frozenset[str]) -> bool:
        """Whether the source may leave out idle points, given those that have proved to fill."""
        if self.idle == "auto":
            return self.limits.source not in zero_filling
        return self.idle == "omit"


@dataclass(frozen=True, slots=True)
class Outlook:
    """One look at the warehouse at one instant; windows are on the grid, instants in seconds."""

    now: int
    rules: Rules
    domains: dict[str, Domain]
    wanted: dict[str, Window]
    coverage: dict[str, Coverage]
    zero_filling: frozenset[str]
    slices: list[Slice]
    """What is due, earliest expiry first."""
    lost: list[Slice]
    """Wanted, never read, expired, and not noted yet."""
    out_of_reach: list[Slice]
    """Asked for by the user, never read, and behind the retention edge."""

    @property
    def may_omit(self) -> bool:
        """Whether an absent point may be an idle one, as far as is known."""
        return self.rules.may_omit(self.zero_filling)

    def of(self, domain: str) -> Coverage:
        """The coverage of a domain, empty when the ledger does not know it."""
        return self.coverage.get(domain, NOTHING)


def look(
    sink: Sink,
    domains: Sequence[Domain],
    rules: Rules,
    *,
    now: int,
    asked: Window | None = None,
    force: bool = False,
) -> Outlook:
    """The outlook for these domains at ``now``.

    Args:
        asked: the user's range on the grid; None: all that the source still offers.
        force: due is all that is wanted, settled or not (a restatement).
    """
    limits, step = rules.limits, rules.step
    edge = limits.edge(now, step)
    entries, since = history(sink, limits, step, now)
    names = {domain.domain for domain in domains}
    coverage = fold(
        (entry for entry in entries if entry.domain in names),
        settle_after=rules.settle_after,
        step=step,
    )
    zero_filling = zero_filling_sources(entries)
    wanted = _wanted(domains, coverage, limits.reach(now, step), asked, step)
    due = plan.due(wanted, {} if force else coverage, limits.span)
    return Outlook(
        now=now,
        rules=rules,
        domains={domain.domain: domain for domain in domains},
        wanted=wanted,
        coverage=coverage,
        zero_filling=zero_filling,
        slices=due,
        lost=[
            Slice(domain.domain, window)
            for domain in domains
            for window in plan.lost(
                domain,
                coverage.get(domain.domain, NOTHING),
                edge=edge,
                since=since,
                limits=limits,
                step=step,
                may_omit=rules.may_omit(zero_filling),
            )
        ],
        out_of_reach=_out_of_reach(domains, coverage, asked, edge),
    )


def history(sink: Sink, limits: Limits, step: int, now: int) -> tuple[list[Entry], int | None]:
    """The entries that can matter now, and from where on losses may not have been noted yet.

    A read that covers time after some instant was sent after that instant, so the ledger is read
    back to the retention edge only; after a long outage, or in a new warehouse, all of it.
    """
    since = limits.edge(now, step) - 7 * DAY
    entries = sink.ledger(since)
    if entries:
        last = max(entry.fetched_at for entry in entries) // MICROSECONDS
        accounted = plan.accounted_from(last, limits, step)
        if accounted >= since:
            return entries, accounted
    entries = sink.ledger(None)
    if not entries:
        return [], None
    last = max(entry.fetched_at for entry in entries) // MICROSECONDS
    return entries, plan.accounted_from(last, limits, step)


def _wanted(
    domains: Iterable[Domain],
    coverage: dict[str, Coverage],
    reach: Window | None,
    asked: Window | None,
    step: int,
) -> dict[str, Window]:
    wanted: dict[str, Window] = {}
    if reach is None:
        return wanted
    for domain in domains:
        window = plan.wanted_window(domain, coverage.get(domain.domain, NOTHING), reach, step)
        parts = intersect((window,), (asked or window,)) if window is not None else ()
        if parts:
            wanted[domain.domain] = parts[0]
    return wanted


def _out_of_reach(
    domains: Iterable[Domain], coverage: dict[str, Coverage], asked: Window | None, edge: int
) -> list[Slice]:
    if asked is None or asked.start >= edge:
        return []
    behind = Window(asked.start, min(edge, asked.end))
    return [
        Slice(domain.domain, window)
        for domain in domains
        for window in subtract((behind,), coverage.get(domain.domain, NOTHING).read)
    ]
