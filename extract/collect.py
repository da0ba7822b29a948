"""One window's requests: whole at first, in halves where an answer failed or was cut, never many."""

import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

import numpy as np
import numpy.typing as npt

from extract.frames import Parsed
from extract.statistics import Answer
from livetraffic.errors import Refused, SourceError, Throttled, Unavailable, Unreachable
from livetraffic.ledger import MICROSECONDS
from livetraffic.window import Window, floor

logger = logging.getLogger(__name__)

MOST_EXTRA = 8
MOST_BARREN = 3
"""So many extra requests in a row that brought no new point end the splitting."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class TrafficSource(Protocol):
    """What a slice is read from; ``Statistics`` is one."""

    def traffic(self, domain: str, window: Window, *, single_attempt: bool = False) -> Answer:
        """The domain's points in the window."""

    def now(self) -> datetime:
        """Now, UTC, by the clock that dates requests."""


@dataclass(frozen=True, slots=True)
class Part:
    """One request and what came of it; ``fetched_at`` in microseconds since the epoch, UTC."""

    window: Window
    fetched_at: int
    parsed: Parsed | None = None
    error: SourceError | None = None

    def settled_until(self, settle_after: int, step: int) -> int:
        """The grid point (seconds) up to which this request settles what it read."""
        return floor(self.fetched_at // MICROSECONDS - settle_after, step)


@dataclass(slots=True)
class Collected:
    """A window's grid, filled by the requests in the order they were sent.

    ``owner`` is the part that gave the point (-1: none), ``witness`` the latest part that answered
    for its time (-1: none), ``value`` its bytes.
    """

    window: Window
    step: int
    parts: list[Part] = field(default_factory=list)
    owner: npt.NDArray[np.int64] = field(init=False)
    witness: npt.NDArray[np.int64] = field(init=False)
    value: npt.NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        count = self.window.points(self.step)
        self.owner = np.full(count, -1)
        self.witness = np.full(count, -1)
        self.value = np.zeros(count, dtype=np.int64)

    @property
    def extra(self) -> int:
        """Requests beyond the first."""
        return max(0, len(self.parts) - 1)

    def add(self, part: Part) -> int:
        """Enter a part; how many points are new."""
        number = len(self.parts)
        self.parts.append(part)
        if part.parsed is None:
            return 0
        points = self.index(part.parsed.points.seconds)
        new = int((self.owner[points] < 0).sum())
        self.owner[points] = number
        self.value[points] = part.parsed.points.traffic
        self.witness[self.span(part.window)] = number
        return new

    def span(self, window: Window) -> slice:
        """The places of the part of a window that is inside this one."""
        count = len(self.owner)
        start, end = ((at - self.window.start) // self.step for at in (window.start, window.end))
        return slice(min(max(start, 0), count), min(max(end, 0), count))

    def index(self, seconds: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The places of these instants."""
        return (seconds - self.window.start) // self.step

    def missing(self, window: Window | None) -> bool:
        """Whether a point of this window was not given yet."""
        return window is not None and bool((self.owner[self.span(window)] < 0).any())


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a window should hold, as far as it decides what to ask for again.

    Attributes:
        owed: where every point should exist; None: nowhere.
        absent: where points were missing from a whole answer before.
        settle_after: seconds.
        tails: whether a missing tail is worth a question of its own.
    """

    owed: Window | None
    absent: tuple[Window, ...]
    settle_after: int
    tails: bool


def collect(
    source: TrafficSource, domain: str, window: Window, *, step: int, expectation: Expectation
) -> Collected:
    """Read a window with one request, and with at most eight more where that did not do.

    Every further question is for less time than the one it follows from, is tried once, and the
    earliest is asked first. Three in a row without a new point end it.

    Raises:
        CredentialsError, ClockError, Stopped: as ``Statistics.traffic``.
    """
    collected = Collected(window, step)
    pending = [window]
    barren = 0
    while pending and collected.extra < MOST_EXTRA and barren < MOST_BARREN:
        piece = pending.pop()
        if collected.parts and not collected.missing(_common(piece, expectation.owed) or piece):
            continue
        first = not collected.parts
        part = _ask(source, domain, piece, first=first)
        new = collected.add(part)
        barren = 0 if new or first else barren + 1
        if isinstance(part.error, Unreachable | Throttled):
            break
        pending += reversed(_next(collected, part, expectation))
    return collected


def _ask(source: TrafficSource, domain: str, piece: Window, *, first: bool) -> Part:
    asked_at = _micros(source.now())
    try:
        answer = source.traffic(domain, piece, single_attempt=not first)
    except SourceError as exc:
        return Part(piece, asked_at, error=exc)
    except ValueError as exc:
        if first:
            raise
        # The piece was good when it was cut; its start has expired since.
        return Part(piece, asked_at, error=Refused(str(exc), "The next run asks for what is left."))
    return Part(piece, _micros(answer.fetched_at), parsed=answer.parsed)


def _next(collected: Collected, part: Part, expectation: Expectation) -> list[Window]:
    """What to ask for after this part, the earliest first."""
    if isinstance(part.error, Unavailable):
        return _halves(part.window, collected.step)
    if part.parsed is None:
        return []
    owed = _common(part.window, expectation.owed)
    if owed is None or not collected.missing(owed):
        return []
    if part.parsed.cut:
        return _halves(part.window, collected.step)
    tail = _tail(collected, part, owed, expectation) if expectation.tails else None
    return [] if tail is None else [tail]


def _halves(window: Window, step: int) -> list[Window]:
    if window.points(step) < 2:
        return []
    middle = window.start + window.points(step) // 2 * step
    return [Window(window.start, middle), Window(middle, window.end)]


def _tail(
    collected: Collected, part: Part, owed: Window, expectation: Expectation
) -> Window | None:
    """The old part of a missing end, where everything before it is there and it is news."""
    given = collected.owner[collected.span(owed)] >= 0
    count = int(given.sum())
    if count == 0 or not given[:count].all():
        return None
    start = owed.start + count * collected.step
    end = min(owed.end, part.settled_until(expectation.settle_after, collected.step))
    known = any(before.start <= start and end <= before.end for before in expectation.absent)
    return Window(start, end) if start < end and not known else None


def _common(window: Window, other: Window | None) -> Window | None:
    if other is None or not window.overlaps(other):
        return None
    return Window(max(window.start, other.start), min(window.end, other.end))


def _micros(instant: datetime) -> int:
    return (instant - _EPOCH) // _MICROSECOND
