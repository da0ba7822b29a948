"""The merge of a batch's part into one month's file, row group by row group.

Memory holds one row group and the part. A file in which nothing changes is not written at all: the
output is opened at the first change, and the groups before it are then copied.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from livetraffic.table import TRAFFIC
from load.arrow import GROUP_ROWS, ParquetOutput, encoded_schema, same_columns, text_columns
from load.failure import damaged, reading
from load.parquet.opening import opened
from load.rows import Integers, Mask, Rows, from_arrow, joined, together, used
from load.sink import Receipt


@dataclass(frozen=True, slots=True)
class Changes:
    """Values that were already stored and that the batch changed, by domain and time."""

    rows: Rows
    """The changed rows with their new values."""
    old_bytes: Integers
    old_loaded_at: Integers
    """When the old values were written, in microseconds since the epoch."""


@dataclass(slots=True)
class Outcome:
    """What the merge of one month did."""

    receipt: Receipt = field(default_factory=Receipt)
    changes: list[Changes] = field(default_factory=list)

    def add(self, receipt: Receipt, changes: Changes | None = None) -> None:
        """Count what the merge of one group did."""
        self.receipt += receipt
        if changes is not None and len(changes.rows):
            self.changes.append(changes)


def merge_month(source: Path, part: Rows, create: Callable[[], IO[bytes]]) -> Outcome:
    """Merge the part into the month's file at ``source`` (which need not exist).

    Args:
        source: the month's file.
        part: the batch's rows of that month.
        create: opens the new file; not called when nothing changes.

    Raises:
        SinkError: the file at ``source`` is damaged or not ours.
    """
    output = _Output(create)
    outcome = Outcome()
    try:
        with reading(source), opened(source, text_columns(TRAFFIC)) as file:
            _merge_groups(source, file, part, output, outcome)
    except FileNotFoundError:
        output.write(part)
        outcome.add(Receipt(inserted=len(part)))
    output.close()
    return outcome


class _Output:
    """The new file of a month: opened at the first write, cut into full row groups."""

    def __init__(self, create: Callable[[], IO[bytes]]) -> None:
        self._create = create
        self._writer: ParquetOutput | None = None
        self._carried: list[Rows] = []
        self._count = 0

    @property
    def opened(self) -> bool:
        return self._count > 0 or self._writer is not None

    def write(self, rows: Rows) -> None:
        self._carried.append(rows)
        self._count += len(rows)
        if self._count < GROUP_ROWS:
            return
        rows = joined(self._carried)
        full = self._count - self._count % GROUP_ROWS
        for start in range(0, full, GROUP_ROWS):
            self._write_group(rows.take(slice(start, start + GROUP_ROWS)))
        self._carried = [used(rows.take(slice(full, None)))]
        self._count -= full

    def close(self) -> None:
        if self._count:
            self._write_group(joined(self._carried))
        if self._writer is not None:
            self._writer.close()

    def _write_group(self, rows: Rows) -> None:
        if self._writer is None:
            self._writer = ParquetOutput(
                self._create(), encoded_schema(TRAFFIC), plain=("traffic_bytes",)
            )
        self._writer.write(rows.to_arrow())


def _merge_groups(source: Path, file: Any, part: Rows, output: _Output, outcome: Outcome) -> None:
    if not same_columns(file.schema_arrow, TRAFFIC):
        raise damaged(source, "its columns are not those of traffic")
    start = 0
    for index in range(file.num_row_groups):
        bound = _bound(file, index, part)
        if bound <= start and not output.opened:
            continue
        group = _group(source, file, index)
        candidates = part.take(slice(start, bound))
        if index < file.num_row_groups - 1:
            candidates = _up_to_last(candidates, group)
        start += len(candidates)
        merged = _merge_group(group, candidates, outcome)
        _put(output, group, merged, (_group(source, file, before) for before in range(index)))
    if not file.num_row_groups:
        output.write(part)
        outcome.add(Receipt(inserted=len(part)))


def _put(output: _Output, group: Rows, merged: Rows | None, before: Iterable[Rows]) -> None:
    if merged is None:
        if output.opened:
            output.write(group)
        return
    if not output.opened:
        for rows in before:
            output.write(rows)
    output.write(merged)


def _merge_group(group: Rows, candidates: Rows, outcome: Outcome) -> Rows | None:
    """The group with the candidates in it; None when they change nothing."""
    if not len(candidates):
        return None
    group, candidates = together(group, used(candidates))
    keys, wanted = group.keys, candidates.keys
    places = np.searchsorted(keys, wanted)
    known = keys[np.minimum(places, len(keys) - 1)] == wanted
    stored = group.take(places[known])
    differs = _differs(stored, candidates.take(known))
    old = stored.take(differs)
    changed = candidates.take(np.flatnonzero(known)[differs])
    new = candidates.take(~known)
    outcome.add(
        Receipt(len(new), len(changed), int(known.sum()) - len(changed)),
        Changes(changed, old.traffic_bytes, old.loaded_at),
    )
    if not len(new) and not len(changed):
        return None
    return _inserted(_replaced(group, places[known][differs], changed), places[~known], new)


def _differs(stored: Rows, given: Rows) -> Mask:
    """Which stored values the given ones change: one source's zero leaves the other's as it is."""
    foreign_zero = (given.traffic_bytes == 0) & (given.source_codes != stored.source_codes)
    changed: Mask = (stored.traffic_bytes != given.traffic_bytes) & ~foreign_zero
    return changed


def _replaced(group: Rows, places: Integers, changed: Rows) -> Rows:
    def put(old: Integers, new: Integers) -> Integers:
        column = old.copy()
        column[places] = new
        return column

    return replace(
        group,
        traffic_bytes=put(group.traffic_bytes, changed.traffic_bytes),
        source_codes=put(group.source_codes, changed.source_codes),
        loaded_at=put(group.loaded_at, changed.loaded_at),
    )


def _inserted(group: Rows, places: Integers, new: Rows) -> Rows:
    if not len(new):
        return group
    return Rows(
        group.names,
        np.insert(group.codes, places, new.codes),
        np.insert(group.seconds, places, new.seconds),
        np.insert(group.traffic_bytes, places, new.traffic_bytes),
        group.sources,
        np.insert(group.source_codes, places, new.source_codes),
        np.insert(group.loaded_at, places, new.loaded_at),
    )


def _up_to_last(candidates: Rows, group: Rows) -> Rows:
    """The candidates that do not come after the group's last row."""
    name, second = group.names[group.codes[-1]], int(group.seconds[-1])
    end = candidates.first_after(name)
    same = candidates.take(slice(0, end))
    first = int(np.searchsorted(same.codes, same.codes[-1])) if end else 0
    if end and same.names[same.codes[-1]] == name:
        end = first + int(np.searchsorted(same.seconds[first:], second, side="right"))
    return candidates.take(slice(0, end))


def _bound(file: Any, index: int, part: Rows) -> int:
    """How far the part can reach into the group: by its largest domain, in the last to the end."""
    if index == file.num_row_groups - 1:
        return len(part)
    statistics = file.metadata.row_group(index).column(0).statistics
    if statistics is None or not statistics.has_min_max:
        return len(part)
    return part.first_after(str(statistics.max))


def _group(source: Path, file: Any, index: int) -> Rows:
    rows = from_arrow(file.read_row_group(index, use_threads=False))
    keys = rows.keys
    if not len(rows) or np.any(keys[1:] <= keys[:-1]):
        raise damaged(source, "its rows are not in order of their keys")
    return rows
