"""Which API serves each domain: found out with the fewest requests, and kept in ``domains``.

No field of the source says it. Evidence is a value other than 0: one request for the v2 summary tells
it of up to a hundred domains. The rest is presumed to be on v1, which its own data confirm. What v1
refuses, or answers without a single byte, is looked for in the whole year of v2. A domain can move
only from the old service to the new one (deleted and added again), so v2 is never left.
"""

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from extract.answers import Action, decide
from flows.bootstrap import Deps, Tenant
from flows.clock import seconds
from flows.summary import BatchReceipt
from livetraffic.domain import Domain
from livetraffic.errors import (
    CredentialsError,
    LiveTrafficError,
    Refused,
    SourceError,
    UnknownDomain,
)
from livetraffic.ledger import Entry
from livetraffic.limits import Limits
from livetraffic.route import V1, V2
from livetraffic.window import DAY, Window, ceil, cut, floor

log = logging.getLogger(__name__)

_ABOUT_NAMES = frozenset({Action.WINDOW, Action.UNKNOWN_DOMAIN})
YEAR_AGAIN = 7 * DAY
"""How often the year of a domain of which nothing is known is looked through, from its first day on."""
NO_V2_REGIONS = frozenset({"cn-north-1"})
"""The v2 statistics do not serve the domains of this region (reference: its page's restrictions)."""


@dataclass(slots=True)
class Serving:
    """Finds out which API serves the domains of one account; keeps what one run has learnt.

    Args:
        listed_before: the domains as they were before this run's list.
        entries: the newest of the ledger, to see which domains fell silent.
    """

    deps: Deps
    tenant: Tenant
    listed_before: Sequence[Domain]
    entries: Sequence[Entry]
    has_v2: bool = field(init=False)
    tried: dict[str, Domain] = field(default_factory=dict)
    """As they were before v2 was tried for want of anything better."""

    def __post_init__(self) -> None:
        usable = V1 in self.deps.rules.apis and V2 in self.deps.rules.apis
        self.has_v2 = usable and self.tenant.api.region not in NO_V2_REGIONS

    def before(self, domains: Iterable[Domain], due: Collection[str]) -> list[Domain]:
        """The domains with what can be told before any data are asked for.

        Args:
            due: the domains of which something is to be read; the others' API does not matter now.
        """
        known = [self._pinned(domain) for domain in domains]
        quiet = silent(self.entries) | self._created_again(known)
        asked = [
            domain
            for domain in known
            if domain.domain in due
            and self.may_be_on_v2(domain)
            and (not domain.api or domain.domain in quiet)
        ]
        on_v2 = self._with_traffic(asked, self._latest())
        return [self._to_v2(d) if d.domain in on_v2 else d for d in known]

    def after(self, domains: Iterable[Domain], receipt: BatchReceipt) -> list[Domain]:
        """The domains with what the data say; one whose API changes is to be read anew."""
        spoke = {item.domain for item in receipt.heard if item.source == V1 and item.traffic}
        refused = {item.slice.domain for item in receipt.unknown}
        known = list(domains)
        quiet = silent(self.entries)
        mute = [
            domain
            for domain in known
            if (not domain.api or domain.domain in quiet)
            and self.may_be_on_v2(domain)
            and domain.domain not in spoke | refused
            and self._is_its_day(domain)
        ]
        on_v2 = self._with_traffic(mute, *self._earlier())
        return [self._learnt(domain, spoke, refused, on_v2) for domain in known]

    def settled(self, domains: Iterable[Domain], receipt: BatchReceipt) -> list[Domain]:
        """The domains at the end: one that v2 did not know either is as it was before."""
        heard = {item.domain for item in receipt.heard if item.source == V2}
        return [
            self.tried[domain.domain]
            if domain.domain in self.tried and domain.domain not in heard
            else domain
            for domain in domains
        ]

    def may_be_on_v2(self, domain: Domain) -> bool:
        """Whether v2 may have the domain although it is not known to."""
        return (
            self.has_v2
            and not self.tenant.pinned(domain.domain)
            and domain.api != V2
            and domain.unlisted_since is None
            and domain.region not in NO_V2_REGIONS
        )

    def _is_its_day(self, domain: Domain) -> bool:
        """Whether the year of a domain is to be looked through: on its first run, then weekly."""
        age = self._now() - domain.first_seen
        if age < DAY:
            return not any(entry.domain == domain.domain for entry in self.entries)
        return age % YEAR_AGAIN < DAY

    def _pinned(self, domain: Domain) -> Domain:
        pin = self.tenant.pinned(domain.domain)
        if not pin or pin == domain.api:
            return domain
        if not domain.api:
            return domain._replace(api=pin)
        return domain._replace(api=pin, moved_at=None, previous_api="", previous_account="")

    def _created_again(self, domains: Iterable[Domain]) -> frozenset[str]:
        before = {domain.domain: domain.create_time for domain in self.listed_before}
        return frozenset(
            domain.domain
            for domain in domains
            if before.get(domain.domain) is not None
            and domain.create_time is not None
            and domain.create_time != before[domain.domain]
        )

    def _learnt(
        self, domain: Domain, spoke: set[str], refused: set[str], on_v2: Collection[str]
    ) -> Domain:
        name = domain.domain
        if name in on_v2:
            return self._to_v2(domain)
        if name in refused and self.may_be_on_v2(domain):
            self.tried[name] = domain
            return self._to_v2(domain)
        return domain._replace(api=V1) if not domain.api and name in spoke else domain

    # ------------------------------------------------------------------------- asking v2 and v1

    def _limits(self, source: str) -> Limits:
        return self.deps.rules.apis[source]

    def _latest(self) -> Window | None:
        """The last stretch that one summary may cover."""
        reach = self._limits(V2).reach(self._now(), self.deps.rules.step) if self.has_v2 else None
        if reach is None:
            return None
        return Window(max(reach.start, reach.end - self._limits(V2).span), reach.end)

    def _earlier(self) -> list[Window]:
        """The rest of what v2 still has, the newest first."""
        latest = self._latest()
        if latest is None:
            return []
        start = self._limits(V2).edge(self._now(), self.deps.rules.step)
        if start >= latest.start:
            return []
        pieces = cut(Window(start, latest.start), self._limits(V2).span)
        return list(reversed(list(pieces)))

    def _with_traffic(self, domains: Sequence[Domain], *windows: Window | None) -> frozenset[str]:
        """Those of which v2 counts bytes in one of the windows."""
        left = [domain.domain for domain in domains]
        found: set[str] = set()
        for window in windows:
            if window is None or not left or not self.has_v2:
                break
            try:
                values = self.tenant.api.summary(left, window).values
            except Refused as error:
                if decide(error.status or 0, error.error_code).action not in _ABOUT_NAMES:
                    self._without_v2(error)
                break  # one name that v2 does not know can spoil the request: v1 will tell
            except (SourceError, CredentialsError) as error:
                # Not allowed to ask v2 is no reason not to ask v1; wrong keys will show there.
                self._without_v2(error)
                break
            found |= {name for name in left if values.get(name, 0) > 0}
            left = [name for name in left if name not in found]
        return frozenset(found)

    def _without_v2(self, error: LiveTrafficError) -> None:
        """Go on without v2 in this run: what v1 has expires whether or not v2 can be asked."""
        log.warning(
            "v2 summary not available: domains of which nothing is known are taken to be on v1",
            extra={"account": self.tenant.name, "reason": str(error)},
        )
        self.has_v2 = False

    def _to_v2(self, domain: Domain) -> Domain:
        """The domain as one that v2 serves, with the move where it was on v1 before."""
        moved_at = self._split(domain) if domain.api == V1 else self._past_on_v1(domain)
        if moved_at is None:
            return domain._replace(api=V2)
        return domain._replace(api=V2, moved_at=moved_at, previous_api=V1, previous_account="")

    def _split(self, domain: Domain) -> int | None:
        """When a domain that was on v1 left it: at its new creation, or after its last byte."""
        step = self.deps.rules.step
        end = ceil(self._now(), step)
        start = min(self._limits(V1).edge(domain.first_seen, step), end - step)
        totals = self.deps.sink.totals(Window(start, end), [domain.domain])
        newest = [t.newest_value for t in totals if t.source == V1 and t.newest_value is not None]
        if not newest:
            return None
        after = max(newest) + step
        created = domain.create_time
        if created is None or created < max(newest):
            return after
        # The old service had let go before: the period of the new creation is the new one's.
        return floor(created, step)

    def _past_on_v1(self, domain: Domain) -> int | None:
        """When a v2 domain of which nothing was known came from v1.

        At its creation, if v1 has traffic of it from before. One that was asked of v1 on earlier
        nights, in vain, is v2's as far back as v2 goes now: v2's sums had said 0 until then.
        """
        step, created = self.deps.rules.step, domain.create_time
        edge = self._limits(V1).edge(self._now(), step)
        if domain.moved_at is not None:
            return domain.moved_at
        end = floor(created or 0, step)
        if end <= edge:
            known = any(before.domain == domain.domain for before in self.listed_before)
            return self._limits(V2).edge(self._now(), step) if known else None
        window = Window(max(edge, end - self._limits(V1).span), end)
        try:
            answer = self.tenant.api.statistics(V1).traffic(domain.domain, window)
        except UnknownDomain:
            return None
        except SourceError as error:
            # v1 may have been switched off for good; then there is no past that could be had.
            log.warning("v1 not asked for the past", extra={"reason": str(error)})
            return None
        return end if bool((answer.parsed.points.traffic > 0).any()) else None

    def _now(self) -> int:
        return seconds(self.deps.clock)


def silent(entries: Iterable[Entry]) -> frozenset[str]:
    """The domains of which the newest run has read no byte.

    Args:
        entries: of the ledger, in any order.
    """
    newest: dict[str, tuple[int, str]] = {}
    read: defaultdict[tuple[str, str], int] = defaultdict(int)
    for entry in entries:
        at = (entry.fetched_at, entry.run_id)
        newest[entry.domain] = max(newest.get(entry.domain, at), at)
        read[entry.domain, entry.run_id] += entry.traffic_bytes or 0
    return frozenset(name for name, (_, run) in newest.items() if not read[name, run])
