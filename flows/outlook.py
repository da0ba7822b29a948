"""What the ledger and the clock say together: wanted, covered, due, lost, out of reach.

Reads the warehouse and nothing else; ``plan``, ``coverage``, ``expiring`` and every run start here.
"""

from collections.abc import Iterable, Mapping, Sequence
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
from livetraffic.plan import Leg, Slice
from livetraffic.route import Service, counted, services
from livetraffic.window import DAY, Window, intersect, subtract
from load.sink import Sink


@dataclass(frozen=True, slots=True)
class Rules:
    """The arithmetic of one warehouse: step and settle age in seconds, limits of each API.

    ``idle`` is what an absent point means: ``auto``, ``zero`` or ``omit``. ``presumed`` is the API of
    a domain of which it is not known yet.
    """

    step: int
    settle_after: int
    apis: Mapping[str, Limits]
    idle: str = "auto"
    presumed: str = "v1"

    def may_omit(self, zero_filling: frozenset[str]) -> dict[str, bool]:
        """By API, whether it may leave out idle points, given those that have proved to fill."""
        if self.idle == "auto":
            return {source: source not in zero_filling for source in self.apis}
        return dict.fromkeys(self.apis, self.idle == "omit")

    def expires_at(self, item: Slice) -> int:
        """The last instant (seconds) at which a slice is still planned for whole."""
        return self.apis[item.source].expires_at(item.window.start)

    def services(self, domain: Domain) -> tuple[Service, ...]:
        """Who serves the domain, of the APIs that are in use."""
        found = services(domain, self.step, self.presumed)
        return tuple(service for service in found if service.source in self.apis)

    def first_edge(self, domain: Domain, seen_at: int) -> int:
        """The earliest instant that any of the domain's services still had at ``seen_at``."""
        edges = (
            max(self.apis[service.source].edge(seen_at, self.step), service.window.start)
            for service in self.services(domain)
        )
        return min(edges, default=seen_at)

    def horizon(self, now: int) -> int:
        """The end of the last step that every API has finished and had time to publish."""
        return min(limits.horizon(now, self.step) for limits in self.apis.values())


@dataclass(frozen=True, slots=True)
class Outlook:
    """One look at the warehouse at one instant; windows are on the grid, instants in seconds."""

    now: int
    rules: Rules
    domains: dict[str, Domain]
    legs: list[Leg]
    """What is wanted of each domain from each of its services."""
    coverage: dict[str, Coverage]
    zero_filling: frozenset[str]
    slices: list[Slice]
    """What is due, earliest expiry first."""
    lost: list[Slice]
    """Wanted, never read, expired, and not noted yet."""
    out_of_reach: list[Slice]
    """Asked for by the user, never read, and behind the retention edge."""

    @property
    def may_omit(self) -> dict[str, bool]:
        """By API, whether an absent point may be an idle one, as far as is known."""
        return self.rules.may_omit(self.zero_filling)

    @property
    def wanted(self) -> dict[str, list[Window]]:
        """The wanted windows by domain."""
        found: dict[str, list[Window]] = {}
        for leg in self.legs:
            found.setdefault(leg.domain, []).append(leg.window)
        return found

    def of(self, domain: str) -> Coverage:
        """The coverage of a domain, empty when the ledger does not know it."""
        return self.coverage.get(domain, NOTHING)

    def is_past(self, item: Slice) -> bool:
        """Whether the slice asks a service that its domain has left."""
        return any(
            service.past and (service.account, service.source) == (item.account, item.source)
            for service in self.rules.services(self.domains[item.domain])
        )


def look(
    sink: Sink,
    domains: Sequence[Domain],
    rules: Rules,
    *,
    now: int,
    asked: Window | None = None,
    force: bool = False,
    accounts: frozenset[str] | None = None,
) -> Outlook:
    """The outlook for these domains at ``now``.

    Args:
        asked: the user's range on the grid; None: all that the source still offers.
        force: due is all that is wanted, settled or not (a restatement).
        accounts: only what these accounts serve is wanted; None: all.
    """
    entries, last = history(sink, rules, now)
    named = {domain.domain: domain for domain in domains}
    coverage = fold(
        counted((entry for entry in entries if entry.domain in named), named, rules.step),
        settle_after=rules.settle_after,
        step=rules.step,
    )
    zero_filling = zero_filling_sources(entries)
    legs = _legs(domains, coverage, rules, now=now, asked=asked, accounts=accounts)
    return Outlook(
        now=now,
        rules=rules,
        domains=named,
        legs=legs,
        coverage=coverage,
        zero_filling=zero_filling,
        slices=plan.due(legs, {} if force else coverage, rules.apis),
        lost=_lost(domains, coverage, rules, now=now, last=last, zero_filling=zero_filling),
        out_of_reach=_out_of_reach(domains, coverage, rules, asked, now),
    )


def history(sink: Sink, rules: Rules, now: int) -> tuple[list[Entry], int | None]:
    """The entries that can matter now, and the instant (seconds) of the newest; None without any.

    A read that covers time after some instant was sent after that instant, so the ledger is read
    back to the earliest retention edge only; after a long outage, or in a new warehouse, all of it.
    """
    since = min(limits.edge(now, rules.step) for limits in rules.apis.values()) - 7 * DAY
    entries = sink.ledger(since)
    last = _newest(entries)
    if last is not None and all(
        plan.accounted_from(last, limits, rules.step) >= since for limits in rules.apis.values()
    ):
        return entries, last
    entries = sink.ledger(None)
    return entries, _newest(entries)


def _newest(entries: Sequence[Entry]) -> int | None:
    return max((entry.fetched_at // MICROSECONDS for entry in entries), default=None)


def _legs(
    domains: Iterable[Domain],
    coverage: dict[str, Coverage],
    rules: Rules,
    *,
    now: int,
    asked: Window | None,
    accounts: frozenset[str] | None,
) -> list[Leg]:
    found: list[Leg] = []
    for domain in domains:
        known = coverage.get(domain.domain, NOTHING)
        served = [
            service
            for service in rules.services(domain)
            if accounts is None or service.account in accounts
        ]
        for leg in plan.legs(domain, served, known, rules.apis, now=now, step=rules.step):
            parts = intersect((leg.window,), (asked or leg.window,))
            found += [leg._replace(window=window) for window in parts]
    return found


def _lost(
    domains: Iterable[Domain],
    coverage: dict[str, Coverage],
    rules: Rules,
    *,
    now: int,
    last: int | None,
    zero_filling: frozenset[str],
) -> list[Slice]:
    may_omit = rules.may_omit(zero_filling)
    found: list[Slice] = []
    for domain in domains:
        for service in rules.services(domain):
            limits = rules.apis[service.source]
            windows = plan.lost(
                domain,
                service,
                coverage.get(domain.domain, NOTHING),
                now=now,
                since=None if last is None else plan.accounted_from(last, limits, rules.step),
                limits=limits,
                step=rules.step,
                may_omit=may_omit[service.source],
            )
            found += [
                Slice(domain.domain, window, service.source, service.account) for window in windows
            ]
    return found


def _out_of_reach(
    domains: Iterable[Domain],
    coverage: dict[str, Coverage],
    rules: Rules,
    asked: Window | None,
    now: int,
) -> list[Slice]:
    found: list[Slice] = []
    for domain in domains if asked is not None else ():
        edge = rules.first_edge(domain, now)
        if asked is None or asked.start >= edge:
            continue
        behind = Window(asked.start, min(edge, asked.end))
        read = coverage.get(domain.domain, NOTHING).read
        found += [Slice(domain.domain, window) for window in subtract((behind,), read)]
    return found
