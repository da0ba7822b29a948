"""Half-open time ranges in UTC, and the arithmetic on sets of them.

An instant on the ground floor is a whole number of seconds since 1970-01-01T00:00:00Z: it cannot be
naive, it cannot carry a foreign zone, and its grid is integer arithmetic. The grid of a step is the
multiples of that step; Huawei's 5-minute, hour and UTC-day buckets all start on it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR


@dataclass(frozen=True, order=True, slots=True)
class Window:
    """The half-open range ``[start, end)``, in seconds since the epoch, UTC.

    Raises:
        ValueError: the range is empty or runs backwards.
    """

    start: int
    end: int

    def __post_init__(self) -> None:
        if self.start >= self.end:
            msg = f"a window must end after it starts, got [{self.start}, {self.end})"
            raise ValueError(msg)

    @classmethod
    def between(cls, start: datetime, end: datetime) -> "Window":
        """The window between two zone-aware datetimes (fractions of a second are cut off)."""
        return cls(to_seconds(start), to_seconds(end))

    @property
    def seconds(self) -> int:
        """Length in seconds."""
        return self.end - self.start

    @property
    def starts_at(self) -> datetime:
        """Start as a datetime in UTC."""
        return from_seconds(self.start)

    @property
    def ends_at(self) -> datetime:
        """End (exclusive) as a datetime in UTC."""
        return from_seconds(self.end)

    def points(self, step: int) -> int:
        """How many grid points of ``step`` seconds the window holds."""
        return (self.end - self.start) // step

    def overlaps(self, other: "Window") -> bool:
        """Whether the two share at least one instant."""
        return self.start < other.end and other.start < self.end

    def __str__(self) -> str:
        return f"{instant_text(self.start)}/{instant_text(self.end)}"


def to_seconds(instant: datetime) -> int:
    """Whole seconds since the epoch of a zone-aware datetime.

    Raises:
        ValueError: the datetime has no zone.
    """
    if instant.tzinfo is None:
        msg = f"{instant.isoformat()} has no time zone"
        raise ValueError(msg)
    return int(instant.timestamp() // 1)


def from_seconds(seconds: int) -> datetime:
    """The datetime in UTC of an instant in seconds since the epoch."""
    return datetime.fromtimestamp(seconds, UTC)


def instant_text(seconds: int) -> str:
    """``2026-01-31T16:00:00Z``: the one way an instant is written, on the wire and in output."""
    return from_seconds(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")


def floor(instant: int, step: int) -> int:
    """The last grid point at or before ``instant``."""
    return instant - instant % step


def ceil(instant: int, step: int) -> int:
    """The first grid point at or after ``instant``."""
    return -(-instant // step) * step


def merge(windows: Iterable[Window]) -> tuple[Window, ...]:
    """The same time as few windows as possible: sorted, disjoint, touching ones joined."""
    return from_pairs((window.start, window.end) for window in windows)


def from_pairs(pairs: Iterable[tuple[int, int]]) -> tuple[Window, ...]:
    """``merge`` for plain ``(start, end)`` pairs; empty and backward pairs are left out."""
    merged: list[Window] = []
    first = last = 0  # the stretch that is being joined; empty before the first
    for start, end in sorted(pairs):
        if start >= end:
            continue
        if first < last and start <= last:
            last = max(last, end)
            continue
        if first < last:
            merged.append(Window(first, last))
        first, last = start, end
    if first < last:
        merged.append(Window(first, last))
    return tuple(merged)


def subtract(windows: Iterable[Window], minus: Iterable[Window]) -> tuple[Window, ...]:
    """The time that is in ``windows`` and not in ``minus``, merged."""
    return tuple(_subtract(merge(windows), merge(minus)))


def _subtract(windows: tuple[Window, ...], minus: tuple[Window, ...]) -> Iterator[Window]:
    cuts = list(minus)
    first = 0
    for window in windows:
        start = window.start
        while first < len(cuts) and cuts[first].end <= start:
            first += 1
        position = first
        while position < len(cuts) and cuts[position].start < window.end:
            if cuts[position].start > start:
                yield Window(start, cuts[position].start)
            start = max(start, cuts[position].end)
            position += 1
        if start < window.end:
            yield Window(start, window.end)


def intersect(windows: Iterable[Window], others: Iterable[Window]) -> tuple[Window, ...]:
    """The time that is in both, merged."""
    left, right = merge(windows), merge(others)
    found: list[Window] = []
    i = j = 0
    while i < len(left) and j < len(right):
        start, end = max(left[i].start, right[j].start), min(left[i].end, right[j].end)
        if start < end:
            found.append(Window(start, end))
        if left[i].end <= right[j].end:
            i += 1
        else:
            j += 1
    return tuple(found)


def cut(window: Window, span: int) -> Iterator[Window]:
    """The window in consecutive pieces of at most ``span`` seconds, the earliest first.

    ``span`` must be positive; give a multiple of the step to stay on its grid.
    """
    start = window.start
    while start < window.end:
        end = min(start + span, window.end)
        yield Window(start, end)
        start = end


def widen(window: Window, step: int) -> Window:
    """The smallest window on the grid that holds this one."""
    return Window(floor(window.start, step), ceil(window.end, step))
