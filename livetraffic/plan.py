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
from livetraffic.window import DAY, Window, ceil, floor, intersect, subtract

SLICES_PER_BATCH = 100


class Slice(NamedTuple):
    """One domain's window: the unit of request and of failure."""

    domain: str
    window: Window


@dataclass(frozen=True, slots=True)
class Batch:
    """Slices that are fetched and committed together; their hull is never longer than the span."""

    slices: tuple[Slice, ...]

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


def due(wanted: Mapping[str, Window], coverage: Mapping[str, Coverage], span: int) -> list[Slice]:
    """The fewest requests that read everything wanted and not settled, earliest expiry first.

    A window may bridge settled time where that saves a request; it begins and ends with a due point.

    Args:
        wanted: per domain, on the grid.
        coverage: the fold of the ledger; a domain that is not in it has nothing settled.
        span: the longest window the source answers, in seconds, a multiple of the step.
    """
    slices = [
        Slice(domain, window)
        for domain, window_wanted in wanted.items()
        for window in cover(subtract((window_wanted,), coverage.get(domain, NOTHING).settled), span)
    ]
    return sorted(slices, key=lambda item: (item.window.start, item.window.end, item.domain))


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


def batches(slices: Sequence[Slice], span: int, most: int = SLICES_PER_BATCH) -> list[Batch]:
    """Consecutive slices, in order, at most ``most`` together and none wider than ``span``."""
    found: list[Batch] = []
    current: list[Slice] = []
    hull_start = hull_end = 0
    for item in slices:
        start = min(hull_start, item.window.start) if current else item.window.start
        end = max(hull_end, item.window.end) if current else item.window.end
        if current and (len(current) >= most or end - start > span):
            found.append(Batch(tuple(current)))
            current, start, end = [], item.window.start, item.window.end
        current.append(item)
        hull_start, hull_end = start, end
    if current:
        found.append(Batch(tuple(current)))
    return found


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
    coverage: Coverage,
    *,
    edge: int,
    since: int | None,
    limits: Limits,
    step: int,
    may_omit: bool,
) -> tuple[Window, ...]:
    """What was wanted of the domain, was never read, and has fallen behind the retention edge.

    Args:
        edge: the retention edge now.
        since: from where on losses may not have been noted yet; None: from the domain's first day.
    """
    start = limits.edge(domain.first_seen, step)
    if domain.create_time is not None and domain.create_time <= domain.first_seen:
        start = max(start, floor(domain.create_time, step))
    if since is not None:
        start = max(start, since)
    end = edge
    if domain.unlisted_since is not None:
        end = min(end, ceil(domain.unlisted_since, step))
        if coverage.gone_at is not None:
            end = min(end, floor(domain.last_seen, step))
    if start >= end:
        return ()
    return subtract((Window(start, end),), (*answered(coverage, may_omit=may_omit), *coverage.lost))


def at_risk(
    wanted: Mapping[str, Window],
    coverage: Mapping[str, Coverage],
    limits: Limits,
    before: int,
    *,
    may_omit: bool,
) -> list[Slice]:
    """The gaps (see ``answered``) whose first point the source forgets before ``before`` (seconds).

    Each gap is cut so that it holds only what expires before then; earliest expiry first.
    """
    gaps: list[Slice] = []
    for domain, window in wanted.items():
        end = min(window.end, before - limits.retention + limits.margin)
        if window.start >= end:
            continue
        done = answered(coverage.get(domain, NOTHING), may_omit=may_omit)
        missing = subtract((Window(window.start, end),), done)
        gaps.extend(Slice(domain, gap) for gap in missing)
    return sorted(gaps, key=lambda item: (item.window.start, item.window.end, item.domain))


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
