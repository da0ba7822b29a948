"""One upsert's frame and entries, checked before anything is written."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from livetraffic.errors import SinkError
from livetraffic.ledger import Entry, State
from livetraffic.table import TRAFFIC
from livetraffic.window import from_seconds, instant_text
from load.rows import MICRO, Integers, Rows, encoded, in_range, integers, key_of

if TYPE_CHECKING:
    import pandas as pd

FRAME_COLUMNS = tuple(name for name in TRAFFIC.column_names if name != "loaded_at")
NEVER = np.iinfo(np.int64).min
_STATES = frozenset(State)
_REMEDY = "Nothing was written; this is a fault in live-traffic, please report it."


def checked_rows(frame: "pd.DataFrame", *, step: int, loaded_at: int) -> Rows:
    """The frame's rows by domain and time.

    Args:
        frame: as ``Sink.upsert`` takes it.
        step: the warehouse's step in seconds.
        loaded_at: microseconds since the epoch, given to every row.

    Raises:
        SinkError: wrong columns or types, a null, a key twice, a negative value, or a time off
            the grid.
    """
    columns = _checked_columns(frame)
    if not len(frame):
        return _no_rows()
    seconds = _checked_seconds(columns["timestamp"], step)
    values = integers(columns["traffic_bytes"])
    if values.min() < 0:
        raise _refused(f"traffic_bytes holds {values.min()}, which is negative")
    names, codes = encoded(columns["domain"])
    order = sorted(range(len(names)), key=names.__getitem__)
    sources, source_codes = encoded(columns["source"])
    rows = Rows(
        tuple(names[code] for code in order),
        np.argsort(np.array(order, np.int64))[codes],
        seconds,
        values,
        tuple(sources),
        source_codes,
        np.full(len(frame), loaded_at, np.int64),
    )
    return _sorted_once(rows)


def checked_entries(entries: Iterable[Entry], *, step: int) -> list[Entry]:
    """The entries.

    Raises:
        SinkError: a window is empty or off the grid, or a state is unknown.
    """
    kept = list(entries)
    for entry in kept:
        start, end = entry.window_start, entry.window_end
        if start % step or end % step or start >= end:
            raise _refused(
                f"a ledger entry's window [{start}, {end}) is not on the grid of {step} s"
            )
        if entry.state not in _STATES:
            raise _refused(f"a ledger entry has the state {entry.state!r}")
    return kept


def newest_read(rows: Rows, entries: Iterable[Entry]) -> Integers:
    """For each row, the latest ``fetched_at`` of the ``read`` entries over it, else ``NEVER``."""
    newest = np.full(len(rows), NEVER, np.int64)
    keys = rows.keys
    place = {name: code for code, name in enumerate(rows.names)}
    for entry in entries:
        code = place.get(entry.domain)
        if entry.state != State.READ or code is None:
            continue
        ends = np.array([entry.window_start, entry.window_end], np.int64)
        first, last = np.searchsorted(keys, key_of(code, ends))
        np.maximum(newest[first:last], entry.fetched_at, out=newest[first:last])
    return newest


def check_covered(rows: Rows, fetched: Integers) -> None:
    """Refuse rows that no ``read`` entry of the batch covers (``fetched`` from ``newest_read``).

    Raises:
        SinkError: a row lies outside.
    """
    outside = np.flatnonzero(fetched == NEVER)
    if len(outside):
        raise _refused(f"{_named(rows, outside[0])} lies outside the windows that were read")


def microseconds(instant: datetime) -> int:
    """Microseconds since the epoch of a zone-aware datetime.

    Raises:
        SinkError: it has no zone.
    """
    if instant.tzinfo is None:
        raise _refused(f"the instant {instant.isoformat()} has no time zone")
    since = instant - from_seconds(0)
    return (since.days * 86_400 + since.seconds) * MICRO + since.microseconds


def _checked_columns(frame: "pd.DataFrame") -> dict[str, Any]:
    if sorted(map(str, frame.columns)) != sorted(FRAME_COLUMNS):
        raise _refused(f"the columns are {list(frame.columns)}, not {list(FRAME_COLUMNS)}")
    if not len(frame):
        return {}
    return {name: _checked_column(frame, name) for name in FRAME_COLUMNS}


def _checked_column(frame: "pd.DataFrame", name: str) -> Any:
    try:
        column = pa.array(frame[name], from_pandas=True)
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        raise _refused(f"the column {name} holds what its type cannot") from error
    if column.null_count:
        raise _refused(f"the column {name} holds {column.null_count} null values")
    if not _fits(name, column.type):
        raise _refused(f"the column {name} is of type {frame[name].dtype}")
    return column


def _fits(name: str, kind: pa.DataType) -> bool:
    if name == "timestamp":
        return pa.types.is_timestamp(kind) and kind.unit == "us" and kind.tz in {"UTC", "+00:00"}
    if name == "traffic_bytes":
        return kind == pa.int64()
    values = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.types.is_string(values) or pa.types.is_large_string(values)


def _checked_seconds(column: Any, step: int) -> Integers:
    micros = integers(column)
    off = np.flatnonzero(micros % (step * MICRO))
    if len(off):
        instant = from_seconds(0) + _microseconds(int(micros[off[0]]))
        raise _refused(f"the time {instant.isoformat()} is not on the grid of {step} s")
    seconds = micros // MICRO
    if not in_range(seconds):
        raise _refused("a time is some thousand years away")
    return seconds


def _microseconds(count: int) -> Any:
    return np.timedelta64(count, "us").astype(object)


def _sorted_once(rows: Rows) -> Rows:
    keys = rows.keys
    if np.any(keys[1:] < keys[:-1]):
        order = np.argsort(keys, kind="stable")
        rows, keys = rows.take(order), keys[order]
    twice = np.flatnonzero(keys[1:] == keys[:-1])
    if len(twice):
        raise _refused(f"{_named(rows, twice[0])} stands twice in the batch")
    return rows


def _no_rows() -> Rows:
    none = np.empty(0, np.int64)
    return Rows((), none, none, none, (), none, none)


def _named(rows: Rows, position: int) -> str:
    return f"{rows.names[rows.codes[position]]} at {instant_text(int(rows.seconds[position]))}"


def _refused(what: str) -> SinkError:
    return SinkError(f"The batch is refused: {what}.", _REMEDY)


def smallest_fetch(entries: Sequence[Entry]) -> int | None:
    """The earliest ``fetched_at`` of the ``read`` entries, in microseconds."""
    return min((entry.fetched_at for entry in entries if entry.state == State.READ), default=None)
