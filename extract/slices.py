"""One slice: one domain's window, read as well as it can be, with the ledger entries that say so."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from extract.collect import Collected, Expectation, TrafficSource, collect
from extract.frames import Points
from livetraffic.errors import SourceError
from livetraffic.ledger import Entry, Mark, State
from livetraffic.window import Window

MOST_HOLES = 64


@dataclass(frozen=True, slots=True)
class Stamp:
    """The columns of the ledger that are the same for a whole run."""

    source: str
    account: str
    project_id: str
    region: str
    run_id: str
    reason: str = ""
    """Why settled time is read again; empty where it is not."""


@dataclass(frozen=True, slots=True)
class SliceResult:
    """What was read of a slice.

    Every one of the ``points`` lies in exactly one ``read`` entry.
    ``entries`` lie inside the window and cover it. ``error`` is why a part of it failed, None where
    none did.
    """

    domain: str
    window: Window
    points: Points
    entries: list[Entry]
    requests_extra: int = 0
    error: SourceError | None = None
    fetched_at: int = 0
    """When the last request was sent, microseconds since the epoch, UTC."""


class _Kind(IntEnum):
    """What is known of a point."""

    PRESENT = 0
    IDLE = 1
    """Absent twice, old enough both times."""
    UNOWED = 2
    """Absent where nothing is owed."""
    ABSENT = 3
    """Absent from a whole answer."""
    DOUBTFUL = 4
    """Rejected, in conflict, or missing from an answer that was cut."""
    FAILED = 5


_READ = (_Kind.PRESENT, _Kind.IDLE, _Kind.UNOWED)
_HOLES = (_Kind.ABSENT, _Kind.DOUBTFUL)


class _Run(NamedTuple):
    """Neighbouring points of one kind that one request speaks of: places ``[start, end)``."""

    start: int
    end: int
    kinds: frozenset[_Kind]
    part: int


def read_slice(
    api: TrafficSource,
    domain: str,
    window: Window,
    *,
    expected: Window | None,
    absent: tuple[Window, ...],
    zero_filling: bool,
    idle: str,
    settle_after: int,
    step: int,
    stamp: Stamp,
) -> SliceResult:
    """Fetch a window, ask again for what was cut or failed, and say what is known of every point.

    Args:
        api: the source.
        domain: one playback domain.
        window: on the grid, within the source's limits.
        expected: where every point should exist, as ``livetraffic.plan.expected_window`` gives it;
            None: nowhere.
        absent: where points were missing from whole answers before (``Coverage.absent``).
        zero_filling: the source has proved that it fills idle points with zeros.
        idle: ``auto``, ``zero`` (absence is never idleness) or ``omit`` (it always is).
        settle_after: seconds past a point's end after which a request settles it.
        step: seconds.
        stamp: the constant columns of the entries.

    Raises:
        CredentialsError, ClockError, Stopped: the run cannot go on.
        ValueError: the window is one that may not be asked for.
    """
    expectation = Expectation(expected, absent, settle_after, tails=idle != "omit")
    collected = collect(api, domain, window, step=step, expectation=expectation)
    zeros = zero_filling or any(
        part.parsed is not None and part.parsed.has_zero for part in collected.parts
    )
    kinds = _kinds(collected, expected)
    if idle == "omit":
        _settle_idle(kinds, collected, (window,), settle_after)
    elif idle == "auto" and not zeros:
        _settle_idle(kinds, collected, absent, settle_after)
    failed = bool((kinds == _Kind.FAILED).any())
    return SliceResult(
        domain=domain,
        window=window,
        points=_points(collected, domain, stamp.source),
        entries=_Scribe(collected, domain, expected, stamp).entries(kinds),
        requests_extra=collected.extra,
        error=_first_error(collected) if failed else None,
        fetched_at=collected.parts[-1].fetched_at,
    )


def gone_entry(result: SliceResult, stamp: Stamp) -> Entry:
    """The entry for a slice whose domain the source no longer knows, instead of ``result.entries``."""
    return Entry(
        domain=result.domain,
        window_start=result.window.start,
        window_end=result.window.end,
        state=State.GONE,
        points=0,
        expected_points=0,
        traffic_bytes=None,
        source=stamp.source,
        account=stamp.account,
        project_id=stamp.project_id,
        region=stamp.region,
        fetched_at=result.fetched_at,
        run_id=stamp.run_id,
        detail=str(result.error) if result.error is not None else "",
    )


def _first_error(collected: Collected) -> SourceError | None:
    return next((part.error for part in collected.parts if part.error is not None), None)


def _points(collected: Collected, domain: str, source: str) -> Points:
    first = collected.parts[0]
    if len(collected.parts) == 1 and first.parsed is not None:
        return first.parsed.points
    present = np.flatnonzero(collected.owner >= 0)
    seconds = collected.window.start + present * collected.step
    return Points(domain, source, seconds, collected.value[present])


def _kinds(collected: Collected, expected: Window | None) -> npt.NDArray[np.int64]:
    kinds = np.full(len(collected.owner), int(_Kind.FAILED))
    owed = np.zeros(len(kinds), dtype=bool)
    if expected is not None:
        owed[collected.span(expected)] = True
    for number, part in enumerate(collected.parts):
        if part.parsed is None:
            continue
        seen = collected.witness == number
        whole = not part.parsed.cut and part.parsed.untimed == 0
        kinds[seen & owed] = _Kind.ABSENT if whole else _Kind.DOUBTFUL
        kinds[seen & ~owed] = _Kind.UNOWED if whole else _Kind.DOUBTFUL
        doubtful = collected.index(np.array(part.parsed.doubtful, dtype=np.int64))
        kinds[doubtful[collected.witness[doubtful] == number]] = _Kind.DOUBTFUL
    kinds[collected.owner >= 0] = _Kind.PRESENT
    return kinds


def _settle_idle(
    kinds: npt.NDArray[np.int64],
    collected: Collected,
    absent: Sequence[Window],
    settle_after: int,
) -> None:
    """Turn absence into idleness where it was absent before and this request is late enough."""
    step = collected.step
    before = np.zeros(len(kinds), dtype=bool)
    for window in absent:
        if window.overlaps(collected.window):
            before[collected.span(window)] = True
    ends = collected.window.start + step * np.arange(1, len(kinds) + 1)
    for number, part in enumerate(collected.parts):
        old = ends <= part.settled_until(settle_after, step)
        settles = (kinds == _Kind.ABSENT) & (collected.witness == number) & before & old
        kinds[settles] = _Kind.IDLE


class _Scribe:
    """Writes the entries of one slice."""

    def __init__(
        self, collected: Collected, domain: str, expected: Window | None, stamp: Stamp
    ) -> None:
        self._collected = collected
        self._domain = domain
        self._stamp = stamp
        self._owed = np.zeros(len(collected.owner), dtype=bool)
        if expected is not None:
            self._owed[collected.span(expected)] = True

    def entries(self, kinds: npt.NDArray[np.int64]) -> list[Entry]:
        """Reads, holes and failures in the order of time; a note on many holes comes last."""
        runs = list(self._runs(kinds))
        holes = [run for run in runs if run.kinds <= set(_HOLES)]
        if len(holes) <= MOST_HOLES and len(runs) <= 4 * MOST_HOLES:
            return [self._entry(run) for run in runs]
        entries = [self._entry(run) for run in _joined(runs) if not run.kinds <= set(_HOLES)]
        if len(holes) <= MOST_HOLES:
            return sorted(
                [*entries, *map(self._entry, holes)], key=lambda entry: entry.window_start
            )
        every = frozenset(kind for hole in holes for kind in hole.kinds)
        latest = max((hole.part for hole in holes), key=self._fetched_at)
        return [*entries, self._entry(_Run(0, len(kinds), every, latest))]

    def _runs(self, kinds: npt.NDArray[np.int64]) -> Iterator[_Run]:
        collected = self._collected
        speaker = np.where(collected.owner >= 0, collected.owner, collected.witness)
        speaker = np.where(kinds == _Kind.FAILED, self._failed_part(), speaker)
        changes = np.flatnonzero((np.diff(kinds) != 0) | (np.diff(speaker) != 0)) + 1
        bounds = [0, *changes.tolist(), len(kinds)]
        for start, end in pairwise(bounds):
            yield _Run(start, end, frozenset({_Kind(kinds[start])}), int(speaker[start]))

    def _failed_part(self) -> int:
        parts = self._collected.parts
        return next((n for n, part in enumerate(parts) if part.error is not None), 0)

    def _fetched_at(self, part: int) -> int:
        return self._collected.parts[part].fetched_at

    def _entry(self, run: _Run) -> Entry:
        collected, stamp = self._collected, self._stamp
        start, end = (collected.window.start + at * collected.step for at in (run.start, run.end))
        present = collected.owner[run.start : run.end] >= 0
        traffic = collected.value[run.start : run.end][present]
        # Python's integers: a month of the largest values does not fit 64 bits.
        total = sum(traffic.tolist())
        state = _state(run.kinds)
        return Entry(
            domain=self._domain,
            window_start=start,
            window_end=end,
            state=state,
            points=int(present.sum()),
            expected_points=int(self._owed[run.start : run.end].sum()),
            traffic_bytes=min(total, 2**63 - 1) if state is State.READ else None,
            source=stamp.source,
            account=stamp.account,
            project_id=stamp.project_id,
            region=stamp.region,
            fetched_at=self._fetched_at(run.part),
            run_id=stamp.run_id,
            detail="; ".join(self._detail(run)),
        )

    def _detail(self, run: _Run) -> Iterator[str]:
        part = self._collected.parts[run.part]
        if self._stamp.reason:
            yield f"restatement: {self._stamp.reason.replace(';', ',')}"
        if part.parsed is None:
            yield str(part.error)
            return
        if _Kind.PRESENT in run.kinds and part.parsed.has_zero:
            yield Mark.EXPLICIT_ZERO
        if run.kinds == {_Kind.ABSENT}:
            yield Mark.ABSENT
        if _Kind.IDLE in run.kinds:
            yield Mark.IDLE_OMITTED
        if _Kind.UNOWED in run.kinds:
            yield "not expected"
        yield from part.parsed.notes


def _state(kinds: frozenset[_Kind]) -> State:
    if _Kind.FAILED in kinds:
        return State.FAILED
    return State.READ if kinds <= set(_READ) else State.PARTIAL


def _joined(runs: Sequence[_Run]) -> Iterator[_Run]:
    """Neighbouring runs that one request has read, as one."""
    current: _Run | None = None
    for run in runs:
        if (
            current is not None
            and current.part == run.part
            and (current.kinds | run.kinds) <= set(_READ)
        ):
            current = _Run(current.start, run.end, current.kinds | run.kinds, run.part)
            continue
        if current is not None:
            yield current
        current = run
    if current is not None:
        yield current
