"""Rows held against the ledger: every point that was read is there, and every row was read.

The rows come month by month and are not kept; what is kept is a count and a sum for each ``read``
entry, and the time of rows that no entry covers.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise

import numpy as np

from livetraffic.ledger import Entry, State
from livetraffic.window import Window, from_pairs, merge, subtract
from load.inspection.finding import Agreement, Piece
from load.rows import Integers, Rows

_HALF = 32
_LOW = (1 << _HALF) - 1
_LARGEST = 2**63 - 1

Stored = Callable[[Window], Iterable[Rows]]
"""The stored rows of the months that touch a window, good ones only."""


class Reads:
    """The ``read`` entries of one domain, in the order of their starts."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = sorted(set(entries), key=lambda e: (e.window_start, e.fetched_at))
        self._starts = np.array([e.window_start for e in self.entries], np.int64)
        self._ends = np.array([e.window_end for e in self.entries], np.int64)
        self._merged = merge(entry.window for entry in self.entries)
        self.counts = np.zeros(len(self.entries), np.int64)
        self.sums = [0] * len(self.entries)

    def take(self, seconds: Integers, values: Integers) -> Integers:
        """Count these rows, which are in order; answers the seconds that no entry covers."""
        low = np.searchsorted(seconds, self._starts)
        high = np.searchsorted(seconds, self._ends)
        self.counts += high - low
        upper, lower = _running(values >> _HALF), _running(values & _LOW)
        for place in np.flatnonzero(high > low).tolist():
            first, last = int(low[place]), int(high[place])
            self.sums[place] += (int(upper[last] - upper[first]) << _HALF) + int(
                lower[last] - lower[first]
            )
        return seconds[~self._covers(seconds)]

    def short(self) -> list[Entry]:
        """The entries that speak of more points than there are."""
        return [e for e, n in zip(self.entries, self.counts.tolist(), strict=True) if n < e.points]

    def different(self) -> Iterator[Entry]:
        """The entries whose sum is not the stored one, where no other read can be the reason."""
        for place, entry in enumerate(self.entries):
            told = entry.traffic_bytes
            if told is None or told == _LARGEST or self.counts[place] != entry.points:
                continue
            if told != self.sums[place] and self._stands_alone(place):
                yield entry

    def _stands_alone(self, place: int) -> bool:
        overlapping = (self._starts < self._ends[place]) & (self._ends > self._starts[place])
        others = [self.entries[i] for i in np.flatnonzero(overlapping).tolist() if i != place]
        entry = self.entries[place]
        return all(o.fetched_at < entry.fetched_at and o.source == entry.source for o in others)

    def _covers(self, seconds: Integers) -> "np.typing.NDArray[np.bool_]":
        starts = np.array([window.start for window in self._merged], np.int64)
        ends = np.array([window.end for window in self._merged], np.int64)
        place = np.searchsorted(starts, seconds, side="right") - 1
        if not len(starts):
            return np.zeros(len(seconds), np.bool_)
        covered: np.typing.NDArray[np.bool_] = (place >= 0) & (seconds < ends[np.maximum(place, 0)])
        return covered


class Comparison:
    """Takes every stored row, then says where rows and ledger disagree."""

    def __init__(self, entries: Iterable[Entry], step: int) -> None:
        by_domain: defaultdict[str, list[Entry]] = defaultdict(list)
        for entry in entries:
            if entry.state == State.READ:
                by_domain[entry.domain].append(entry)
        self._step = step
        self._reads = {name: Reads(found) for name, found in by_domain.items()}
        self._uncovered: defaultdict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)

    def take(self, rows: Rows) -> None:
        """Some good rows, sorted by domain and time."""
        for code, first, last in _stretches(rows.codes):
            name = rows.names[code]
            reads = self._reads.get(name)
            seconds = rows.seconds[first:last]
            values = rows.traffic_bytes[first:last]
            left = seconds if reads is None else reads.take(seconds, values)
            if len(left):
                sources = rows.source_codes[first:last][np.isin(seconds, left)]
                self._note(name, left, sources, rows.sources)

    def agreement(self, stored: Stored) -> Agreement:
        """What came of it; ``stored`` gives rows once more where points are missing."""
        missing, different = list[Piece](), list[Piece]()
        for name in sorted(self._reads):
            reads = self._reads[name]
            short = merge(entry.window for entry in reads.short())
            for window in short:
                missing += [Piece(name, gap) for gap in self._gaps(name, window, stored)]
            whole = merge(entry.window for entry in reads.different())
            different += [Piece(name, window) for window in whole]
        return Agreement(tuple(missing), tuple(different), self._unrecorded())

    def _unrecorded(self) -> dict[str, tuple[Piece, ...]]:
        found: defaultdict[str, list[Piece]] = defaultdict(list)
        for (name, source), pairs in sorted(self._uncovered.items()):
            found[source] += [Piece(name, window) for window in from_pairs(pairs)]
        return {source: tuple(pieces) for source, pieces in found.items()}

    def _gaps(self, name: str, window: Window, stored: Stored) -> tuple[Window, ...]:
        present: list[tuple[int, int]] = []
        for rows in stored(window):
            if name in rows.names:
                mine = rows.codes == rows.names.index(name)
                present += _runs(rows.seconds[mine], self._step)
        return subtract((window,), from_pairs(present))

    def _note(
        self, name: str, seconds: Integers, codes: Integers, sources: tuple[str, ...]
    ) -> None:
        for code, first, last in _stretches(codes):
            self._uncovered[name, sources[code]] += _runs(seconds[first:last], self._step)


def _running(values: Integers) -> Integers:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(values)])


def _stretches(codes: Integers) -> Iterator[tuple[int, int, int]]:
    """Neighbours of one code: the code, the first place and the one after the last."""
    bounds = [0, *(np.flatnonzero(np.diff(codes)) + 1).tolist(), len(codes)]
    for first, last in pairwise(bounds):
        if first < last:
            yield int(codes[first]), first, last


def _runs(seconds: Integers, step: int) -> list[tuple[int, int]]:
    """Neighbouring points as pairs of start and end."""
    if not len(seconds):
        return []
    breaks = np.flatnonzero(np.diff(seconds) != step) + 1
    bounds = [0, *breaks.tolist(), len(seconds)]
    return [(int(seconds[a]), int(seconds[b - 1]) + step) for a, b in pairwise(bounds)]
