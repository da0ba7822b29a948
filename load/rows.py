"""Rows of ``traffic`` as numpy columns, sorted by domain and time: what merges work on."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from livetraffic.table import TRAFFIC
from load.arrow import MICROSECONDS, encoded_schema

Integers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

MICRO = 1_000_000
_SECOND_BITS = 36
_ORIGIN = 1 << (_SECOND_BITS - 1)


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows sorted by domain, then time. Names and codes belong together: ``names[codes[i]]``."""

    names: tuple[str, ...]
    """Domains in ascending order; some may have no row."""
    codes: Integers
    seconds: Integers
    traffic_bytes: Integers
    sources: tuple[str, ...]
    source_codes: Integers
    loaded_at: Integers
    """Microseconds since the epoch."""

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, chosen: Mask | Integers | slice) -> "Rows":
        """The chosen rows."""
        return Rows(
            self.names,
            self.codes[chosen],
            self.seconds[chosen],
            self.traffic_bytes[chosen],
            self.sources,
            self.source_codes[chosen],
            self.loaded_at[chosen],
        )

    @property
    def keys(self) -> Integers:
        """One ascending integer a row, comparable among rows of the same ``names``."""
        return key_of(self.codes, self.seconds)

    def months(self) -> Integers:
        """The UTC month of each row, counted from 1970-01."""
        return self.seconds.astype("datetime64[s]").astype("datetime64[M]").astype(np.int64)

    def first_after(self, domain: str) -> int:
        """The position of the first row whose domain comes after ``domain``."""
        return int(np.searchsorted(self.codes, bisect_right(self.names, domain)))

    def recoded(self, names: tuple[str, ...], sources: tuple[str, ...]) -> "Rows":
        """The same rows under other names and sources, which hold all that are in use."""
        return replace(
            self,
            names=names,
            codes=_recoded(self.codes, self.names, names),
            sources=sources,
            source_codes=_recoded(self.source_codes, self.sources, sources),
        )

    def to_arrow(self) -> pa.Table:
        """The rows as a table whose text columns are dictionaries without unused names."""
        return pa.Table.from_arrays(
            [
                _encoded(self.codes, self.names),
                instants(self.seconds * MICRO),
                pa.array(self.traffic_bytes),
                _encoded(self.source_codes, self.sources),
                instants(self.loaded_at),
            ],
            schema=encoded_schema(TRAFFIC),
        )


def key_of(codes: Integers | int, seconds: Integers) -> Integers:
    """Domain codes and epoch seconds as one integer each, ordered by code, then by time."""
    return (codes << _SECOND_BITS) | (seconds + _ORIGIN)


def in_range(seconds: Integers) -> bool:
    """Whether all instants fit a key (some thousand years around 1970)."""
    return len(seconds) == 0 or bool(
        int(seconds.min()) >= -_ORIGIN and int(seconds.max()) < _ORIGIN
    )


def from_arrow(table: pa.Table) -> Rows:
    """The rows of a table of ``traffic``, in its order.

    Raises:
        KeyError: a required value is null, or a time is not a whole second.
    """
    if any(column.null_count for column in table.columns):
        msg = "a required value is null"
        raise KeyError(msg)
    microseconds = integers(table.column("timestamp"))
    seconds = microseconds // MICRO
    if not np.array_equal(seconds * MICRO, microseconds) or not in_range(seconds):
        msg = "a time is not a whole second"
        raise KeyError(msg)
    names, codes = _in_order(*encoded(table.column("domain")))
    sources, source_codes = encoded(table.column("source"))
    return Rows(
        names,
        codes,
        seconds,
        integers(table.column("traffic_bytes")),
        tuple(sources),
        source_codes,
        integers(table.column("loaded_at")),
    )


def together(one: Rows, other: Rows) -> tuple[Rows, Rows]:
    """Both under the same names and sources, so that their keys can be compared."""
    names = tuple(sorted({*one.names, *other.names}))
    sources = tuple(sorted({*one.sources, *other.sources}))
    return one.recoded(names, sources), other.recoded(names, sources)


def joined(parts: Sequence[Rows]) -> Rows:
    """The rows of all parts, one after the other; the parts must be in order."""
    if len(parts) == 1:
        return parts[0]
    names = tuple(sorted({name for part in parts for name in part.names}))
    sources = tuple(sorted({name for part in parts for name in part.sources}))
    same = [part.recoded(names, sources) for part in parts]
    return Rows(
        names,
        np.concatenate([part.codes for part in same]),
        np.concatenate([part.seconds for part in same]),
        np.concatenate([part.traffic_bytes for part in same]),
        sources,
        np.concatenate([part.source_codes for part in same]),
        np.concatenate([part.loaded_at for part in same]),
    )


def used(rows: Rows) -> Rows:
    """The same rows with only the names that are in use."""
    present = _in_use(rows.codes)
    if len(present) == len(rows.names):
        return rows
    names = tuple(rows.names[code] for code in present)
    return replace(rows, names=names, codes=np.searchsorted(present, rows.codes))


def _in_use(codes: Integers) -> Integers:
    """The codes that stand somewhere, ascending; counting beats sorting where there are few."""
    return np.flatnonzero(np.bincount(codes))


def integers(column: Any) -> Integers:
    """A column without nulls of 64-bit integers or instants (as microseconds), as numpy."""
    # Arrow's own ``to_numpy`` would import pandas, which `plan` does without.
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    parts: list[Integers] = [
        np.frombuffer(_data(chunk), np.int64, len(chunk), chunk.offset * 8)
        for chunk in chunks
        if len(chunk)
    ]
    return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, np.int64), *parts])


def _data(chunk: Any) -> Any:
    return chunk.buffers()[1]


def instants(microseconds: Integers) -> Any:
    """Microseconds since the epoch as Arrow instants in UTC."""
    return pa.array(microseconds).cast(MICROSECONDS)


def encoded(column: Any) -> tuple[list[str], Integers]:
    """A text column as its distinct values and the code of each row's."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    if isinstance(column, pa.ChunkedArray):
        column = column.unify_dictionaries().combine_chunks()
    if isinstance(column, pa.ChunkedArray):  # what combining leaves of no chunk at all
        return [], np.empty(0, np.int64)
    return column.dictionary.to_pylist(), integers(column.indices.cast(pa.int64()))


def _in_order(names: list[str], codes: Integers) -> tuple[tuple[str, ...], Integers]:
    ordered = tuple(sorted(set(names)))
    if list(ordered) == names:
        return ordered, codes
    return ordered, _recoded(codes, names, ordered)


def _recoded(codes: Integers, old: Sequence[str], new: Sequence[str]) -> Integers:
    if tuple(old) == tuple(new):
        return codes
    place = {name: code for code, name in enumerate(new)}
    recoding = np.fromiter((place.get(name, -1) for name in old), np.int64, len(old))
    recoded: Integers = recoding[codes] if len(old) else codes
    return recoded


def _encoded(codes: Integers, names: tuple[str, ...]) -> Any:
    present = _in_use(codes)
    return pa.DictionaryArray.from_arrays(
        np.searchsorted(present, codes).astype(np.int32),
        pa.array([names[code] for code in present], pa.string()),
    )
