"""What is due: wanted time minus settled time, cut to what the source answers, earliest expiry first.

Everything here is pure. ``backfill`` and ``nightly`` are the same plan with another range; late data,
outages, new domains, killed runs and failed windows are all just *due*.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from livetraffic.domain import Domain
from livetraffic.ledger import NOTHING, Coverage
from livetraffic.limits import Limits
from livetraffic.route import Service
from livetraffic.window import DAY, Window, ceil, floor, intersect, subtract

SLICES_PER_BATCH = 100


class Slice(NamedTuple):
    """One domain's window, and who is asked for it: the unit of request and of failure."""

    domain: str
    window: Window
    source: str = "v1"
    account: str = ""


class Leg(NamedTuple):
    """What is wanted of one domain from one of its services."""

    domain: str
    service: Service
    window: Window

    def asked(self, window: Window) -> Slice:
        """A window of this leg as a slice."""
        return Slice(self.domain, window, self.service.source, self.service.account)


@dataclass(frozen=True, slots=True)
class Batch:
    """Slices of one account and API that are fetched and committed together.

    Their hull is never longer than the span.
    """

    slices: tuple[Slice, ...]

    @property
    def account(self) -> str:
        """The account that is asked."""
        return self.slices[0].account

    @property
    def source(self) -> str:
        """The API that is asked."""
        return self.slices[0].source

    @property
    def hull(self) -> Window:
        """From the earliest start to the latest end."""
        return Window(
            min(item.window.start for item in self.slices),
            max(item.window.end for item in self.slices),
        )

    def __str__(self) -> str:
        days = f"{self.hull.starts_at:%Y-%m-%d}..{self.hull.ends_at:%Y-%m-%d}"
        count = len(self.slices)
        return f"{days} {self.slices[0].domain if count == 1 else f'{count} domains'}"


def wanted_window(domain: Domain, coverage: Coverage, reach: Window, step: int) -> Window | None:
    """The part of ``reach`` that is wanted of this domain, or None.

    A domain that left the list is wanted up to the first list without it (deleted at noon, it still
    has its morning), and no more once the source has said that it does not know it.
    """
    if domain.unlisted_since is None:
        return reach
    if coverage.gone_at is not None and coverage.gone_at >= domain.unlisted_since:
        return None
    end = min(reach.end, ceil(domain.unlisted_since, step))
    return Window(reach.start, end) if reach.start < end else None


def expected_window(domain: Domain, window: Window, step: int) -> Window | None:
    """The part of a wanted window in which every point should exist; None: none of it.

    Before its ``create_time`` and after it was last listed a domain may have points, but owes none.
    """
    start, end = window.start, window.end
    if domain.create_time is not None:
        start = max(start, ceil(domain.create_time, step))
    if domain.unlisted_since is not None:
        end = min(end, floor(domain.last_seen, step))
    return Window(start, end) if start < end else None


def legs(
    domain: Domain,
    served: Sequence[Service],
    coverage: Coverage,
    limits: Mapping[str, Limits],
    *,
    now: int,
    step: int,
) -> list[Leg]:
    """What is wanted of a domain now from each of its services that still has some of it.

    Args:
        served: the domain's services, the earliest first.
        limits: by API; a service of an API that is not in it is left out.
    """
    found: list[Leg] = []
    for service in served:
        reach = limits[service.source].reach(now, step) if service.source in limits else None
        parts = () if reach is None else intersect((reach,), (service.window,))
        for part in parts:
            window = part if service.past else wanted_window(domain, coverage, part, step)
            if window is not None:
                found.append(Leg(domain.domain, service, window))
    return found


def due(
    wanted: Iterable[Leg], coverage: Mapping[str, Coverage], limits: Mapping[str, Limits]
) -> list[Slice]:
    """The fewest requests that read everything wanted and not settled, earliest expiry first.

    A window may bridge settled time where that saves a request; it begins and ends with a due point.

    Args:
        wanted: on the grid.
        coverage: the fold of the ledger; a domain that is not in it has nothing settled.
        limits: by API; its span is a multiple of the step.
    """
    slices = [
        leg.asked(window)
        for leg in wanted
        for window in cover(_unsettled(leg, coverage), limits[leg.service.source].span)
    ]
    return sorted(slices, key=lambda item: _by_expiry(item, limits))


def _unsettled(leg: Leg, coverage: Mapping[str, Coverage]) -> tuple[Window, ...]:
    known = coverage.get(leg.domain, NOTHING)
    # A service that the domain has left may say so: then nothing more is to be had of it.
    done = (*known.settled, *known.gone) if leg.service.past else known.settled
    return subtract((leg.window,), done)


def _by_expiry(item: Slice, limits: Mapping[str, Limits]) -> tuple[int, int, str]:
    expires_at = limits[item.source].expires_at(item.window.start)
    return (expires_at, item.window.end, item.domain)


def cover(windows: Iterable[Window], span: int) -> Iterator[Window]:
    """The fewest windows of at most ``span`` seconds that hold all the given (merged) time."""
    start: int | None = None
    end = 0
    for window in windows:
        left = window.start
        while left < window.end:
            if start is None or left >= start + span:
                if start is not None:
                    yield Window(start, end)
                start = left
            end = left = min(window.end, start + span)
    if start is not None:
        yield Window(start, end)


def batches(
    slices: Sequence[Slice], limits: Mapping[str, Limits], most: int = SLICES_PER_BATCH
) -> list[Batch]:
    """Slices of one account and API together, in order, at most ``most`` and none wider than the span.

    The batches stand in the order of their first slices.
    """
    finished: list[tuple[int, Batch]] = []
    opened: dict[tuple[str, str], tuple[int, list[Slice], Window]] = {}
    for number, item in enumerate(slices):
        key = (item.account, item.source)
        first, current, hull = opened.get(key, (number, [], item.window))
        wider = Window(min(hull.start, item.window.start), max(hull.end, item.window.end))
        if current and (len(current) >= most or wider.seconds > limits[item.source].span):
            finished.append((first, Batch(tuple(current))))
            first, current, wider = number, [], item.window
        current.append(item)
        opened[key] = (first, current, wider)
    finished += [(first, Batch(tuple(current))) for first, current, _ in opened.values()]
    return [batch for _, batch in sorted(finished, key=lambda pair: pair[0])]


def accounted_from(last_fetched: int, limits: Limits, step: int) -> int:
    """From where on losses may not have been noted yet, given the newest entry (seconds).

    Every run notes what had expired when it began; two days of slack cover what expired while the
    last run was at work.
    """
    return limits.edge(last_fetched, step) - 2 * DAY


def answered(coverage: Coverage, *, may_omit: bool) -> tuple[Window, ...]:
    """The time that nothing can be lost of any more: read, or whole answers had nothing there.

    Args:
        may_omit: absence may be idleness. Where the source is known to fill idle points, an absent
            point is a hole however often it was absent.
    """
    return (*coverage.read, *coverage.absent) if may_omit else coverage.read


def lost(
    domain: Domain,
    service: Service,
    coverage: Coverage,
    *,
    now: int,
    since: int | None,
    limits: Limits,
    step: int,
    may_omit: bool,
) -> tuple[Window, ...]:
    """What was wanted of the domain from a service, was never read, and has expired there.

    Args:
        now: seconds.
        since: from where on losses may not have been noted yet; None: from the domain's first day.
        limits: of the service's API.
    """
    start = max(limits.edge(domain.first_seen, step), service.window.start)
    end = min(limits.edge(now, step), service.window.end)
    noted = (*answered(coverage, may_omit=may_omit), *coverage.lost)
    if service.past:
        noted = (*noted, *coverage.gone)
    else:
        if domain.create_time is not None and domain.create_time <= domain.first_seen:
            start = max(start, floor(domain.create_time, step))
        if domain.unlisted_since is not None:
            end = min(end, ceil(domain.unlisted_since, step))
            if coverage.gone_at is not None:
                end = min(end, floor(domain.last_seen, step))
    if since is not None:
        start = max(start, since)
    return () if start >= end else subtract((Window(start, end),), noted)


def at_risk(
    wanted: Iterable[Leg],
    coverage: Mapping[str, Coverage],
    limits: Mapping[str, Limits],
    before: int,
    *,
    may_omit: Mapping[str, bool],
) -> list[Slice]:
    """The gaps (see ``answered``) whose first point its source forgets before ``before`` (seconds).

    Each gap is cut so that it holds only what expires before then; earliest expiry first.

    Args:
        may_omit: by API, as for ``answered``.
    """
    gaps: list[Slice] = []
    for leg in wanted:
        window, source = leg.window, leg.service.source
        end = min(window.end, before - limits[source].retention + limits[source].margin)
        if window.start >= end:
            continue
        known = coverage.get(leg.domain, NOTHING)
        done = answered(known, may_omit=may_omit[source])
        if leg.service.past:
            done = (*done, *known.gone)
        gaps.extend(leg.asked(gap) for gap in subtract((Window(window.start, end),), done))
    return sorted(gaps, key=lambda item: _by_expiry(item, limits))


class Interval(NamedTuple):
    """One stretch of a domain's time in one state, for people."""

    domain: str
    window: Window
    state: str


def intervals(domain: str, window: Window, coverage: Coverage) -> list[Interval]:
    """The window in stretches of one state each, in order, covering it exactly.

    States: ``complete`` (settled), ``provisional``, ``partial``, ``failed``, ``lost``, ``missing``;
    the first that holds wins in the order complete, provisional, lost, partial, failed, missing.
    """
    found: list[Interval] = []
    rest: tuple[Window, ...] = (window,)
    for state, windows in (
        ("complete", coverage.settled),
        ("provisional", coverage.read),
        ("lost", coverage.lost),
        ("partial", coverage.partial),
        ("failed", coverage.failed),
    ):
        found.extend(Interval(domain, part, state) for part in intersect(rest, windows))
        rest = subtract(rest, windows)
    found.extend(Interval(domain, part, "missing") for part in rest)
    return sorted(found, key=lambda item: item.window.start)
