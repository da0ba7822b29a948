"""The ledger: append-only entries of what happened, and the pure fold that says what it means.

A point is *settled* when it was present in a read sent at least ``settle_after`` after the point's
end; read but younger it is *provisional*; never read it is *missing*. A later failure or short answer
never lowers settled time: it is an *anomaly* to be shown. *lost* is a note, never a bar.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import accumulate
from typing import NamedTuple

from livetraffic.window import Window, floor, from_pairs, subtract

MICROSECONDS = 1_000_000


class State(StrEnum):
    """What an entry says of its interval."""

    READ = "read"
    PARTIAL = "partial"
    FAILED = "failed"
    LOST = "lost"
    GONE = "gone"


class Mark(StrEnum):
    """Words in ``detail`` that the fold understands; everything else in it is for people."""

    ABSENT = "absent"
    """partial: the answer was whole (total = length) and the points were simply not in it."""
    IDLE_OMITTED = "idle_omitted"
    """read: absent twice, old enough both times: the source omits idle points."""
    EXPLICIT_ZERO = "explicit_zero"
    """read: the answer held a zero, so this source fills idle points."""


class Entry(NamedTuple):
    """One row of ``load_ledger``. Light, because a year of nights holds hundreds of thousands.

    ``window_start`` and ``window_end`` are seconds, ``fetched_at`` is microseconds, all since the
    epoch in UTC. ``fetched_at`` is the instant at which the request was *sent*.
    """

    domain: str
    window_start: int
    window_end: int
    state: str
    points: int
    expected_points: int
    traffic_bytes: int | None
    source: str
    account: str
    project_id: str
    region: str
    fetched_at: int
    run_id: str
    detail: str = ""

    @property
    def window(self) -> Window:
        """The interval that the entry speaks of."""
        return Window(self.window_start, self.window_end)

    def marked(self, mark: Mark) -> bool:
        """Whether ``detail`` holds the mark."""
        word = mark.value
        return word in self.detail and word in self.detail.split("; ")


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the ledger says of one domain; every field is sorted, disjoint windows."""

    settled: tuple[Window, ...] = ()
    read: tuple[Window, ...] = ()
    """Settled or provisional."""
    partial: tuple[Window, ...] = ()
    """Holes in answers that no read has filled."""
    failed: tuple[Window, ...] = ()
    """Asked for in vain and never read."""
    lost: tuple[Window, ...] = ()
    """Expired unread."""
    absent: tuple[Window, ...] = ()
    """Not in a whole answer that was sent old enough to settle: absent once more, they are idle."""
    anomalies: tuple[Entry, ...] = ()
    """Later failures and short answers over settled time."""
    gone: tuple[Window, ...] = ()
    """Asked for when the source no longer knew the domain."""
    gone_at: int | None = None
    """Seconds: when the source last said it no longer knows the domain."""
    last_error: str = ""
    """Detail of the newest failed entry."""


NOTHING = Coverage()


@dataclass(slots=True)
class _Pairs:
    """Collected ``(start, end)`` pairs of one domain, before merging."""

    settled: list[tuple[int, int]] = field(default_factory=list)
    read: list[tuple[int, int]] = field(default_factory=list)
    partial: list[tuple[int, int]] = field(default_factory=list)
    failed: list[tuple[int, int]] = field(default_factory=list)
    lost: list[tuple[int, int]] = field(default_factory=list)
    absent: list[tuple[int, int]] = field(default_factory=list)
    reads: list[Entry] = field(default_factory=list)
    doubts: list[Entry] = field(default_factory=list)
    gone: list[tuple[int, int]] = field(default_factory=list)
    gone_at: int | None = None
    failed_at: int = -1
    last_error: str = ""


def settled_until(entry: Entry, settle_after: int, step: int) -> int:
    """The grid point up to which a read of this age settles (may lie outside its interval)."""
    return floor(entry.fetched_at // MICROSECONDS - settle_after, step)


def fold(entries: Iterable[Entry], *, settle_after: int, step: int) -> dict[str, Coverage]:
    """What the entries, in any order, say of each domain.

    Args:
        entries: any part of the ledger; time before the earliest of them reads as missing.
        settle_after: seconds past a point's end after which a read settles it.
        step: the warehouse's step in seconds.
    """
    collected: defaultdict[str, _Pairs] = defaultdict(_Pairs)
    read = State.READ.value
    for entry in entries:
        pairs = collected[entry.domain]
        if entry.state == read:  # nearly all are: no call, no enumeration
            start, end = entry.window_start, entry.window_end
            limit = entry.fetched_at // MICROSECONDS - settle_after
            limit -= limit % step
            _extend(pairs.read, start, end)
            _extend(pairs.settled, start, min(limit, end))
            pairs.reads.append(entry)
        else:
            _collect(pairs, entry, settle_after, step)
    return {domain: _coverage(pairs, settle_after, step) for domain, pairs in collected.items()}


def _extend(spans: list[tuple[int, int]], start: int, end: int) -> None:
    """Add a span; one that goes on from the last, as night after night does, makes it longer."""
    if spans:
        first, last = spans[-1]
        if first <= start <= last:
            if end > last:
                spans[-1] = (first, end)
            return
    spans.append((start, end))


def _collect(pairs: _Pairs, entry: Entry, settle_after: int, step: int) -> None:
    span = (entry.window_start, entry.window_end)
    age_limit = settled_until(entry, settle_after, step)
    match entry.state:
        case State.PARTIAL:
            pairs.partial.append(span)
            pairs.doubts.append(entry)
            if entry.marked(Mark.ABSENT):
                pairs.absent.append((span[0], min(span[1], age_limit)))
        case State.FAILED:
            pairs.failed.append(span)
            pairs.doubts.append(entry)
            if entry.fetched_at > pairs.failed_at:
                pairs.failed_at, pairs.last_error = entry.fetched_at, entry.detail
        case State.LOST:
            pairs.lost.append(span)
        case State.GONE:
            pairs.gone.append(span)
            at = entry.fetched_at // MICROSECONDS
            pairs.gone_at = at if pairs.gone_at is None else max(at, pairs.gone_at)
        case _:
            msg = f"the ledger holds a state that this version does not know: {entry.state!r}"
            raise ValueError(msg)


def _coverage(pairs: _Pairs, settle_after: int, step: int) -> Coverage:
    read = from_pairs(pairs.read)
    return Coverage(
        settled=from_pairs(pairs.settled),
        read=read,
        partial=subtract(from_pairs(pairs.partial), read),
        failed=subtract(from_pairs(pairs.failed), read),
        lost=subtract(from_pairs(pairs.lost), read),
        absent=from_pairs(pairs.absent),
        anomalies=tuple(_anomalies(pairs, settle_after, step)),
        gone=from_pairs(pairs.gone),
        gone_at=pairs.gone_at,
        last_error=pairs.last_error,
    )


def _anomalies(pairs: _Pairs, settle_after: int, step: int) -> Iterable[Entry]:
    """The doubts over time that an earlier read had settled.

    Only the reads beside a doubt are looked at: a source that leaves idle periods out writes many of
    both every night, for years.
    """
    if not pairs.doubts:
        return
    ends = (min(r.window_end, settled_until(r, settle_after, step)) for r in pairs.reads)
    spans = sorted(
        (read.window_start, end, read.fetched_at)
        for read, end in zip(pairs.reads, ends, strict=True)
        if read.window_start < end
    )
    starts = [start for start, _, _ in spans]
    reach = list(accumulate((end for _, end, _ in spans), max))
    for doubt in sorted(pairs.doubts, key=lambda entry: (entry.fetched_at, entry.window_start)):
        position = bisect_left(starts, doubt.window_end)
        while position and reach[position - 1] > doubt.window_start:
            position -= 1
            _, end, sent = spans[position]
            if end > doubt.window_start and sent < doubt.fetched_at:
                yield doubt
                break


def zero_filling_sources(entries: Iterable[Entry]) -> frozenset[str]:
    """The sources that have proved, by an explicit zero, that they fill idle points."""
    read, zero = State.READ.value, Mark.EXPLICIT_ZERO.value
    return frozenset(
        entry.source
        for entry in entries
        if zero in entry.detail and entry.state == read and entry.marked(Mark.EXPLICIT_ZERO)
    )


def complete_until(
    wanted: Mapping[str, Sequence[Window]], coverage: Mapping[str, Coverage]
) -> dict[str, int | None]:
    """The high-water mark of each domain, for people: the first wanted point not settled.

    None where not even the first wanted point is settled. Everything before the mark that the source
    can still give has been read and has settled.
    """
    return {
        domain: _mark(windows, coverage.get(domain, NOTHING)) for domain, windows in wanted.items()
    }


def _mark(windows: Sequence[Window], coverage: Coverage) -> int | None:
    missing = subtract(windows, coverage.settled)
    if not missing:
        return max(window.end for window in windows)
    first = min(window.start for window in windows)
    return missing[0].start if missing[0].start > first else None
