"""Values between Arrow, Python and the databases' drivers."""

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.csv as pc

from livetraffic.table import Kind, Table
from load.arrow import MICROSECONDS
from load.rows import MICRO, integers

PIECE = 50_000
"""Rows that are turned into Python's values at once."""

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - drivers give UTC without a zone
_EPOCH_UTC = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_PLAIN_MICROSECONDS = pa.timestamp("us")

Microseconds = Callable[[Any], int]


def plain_rows(table: pa.Table) -> Iterator[list[tuple[Any, ...]]]:
    """The rows as tuples of text, integers and None, some at a time.

    Instants are ``2026-01-31 16:00:00.000000`` in UTC, always with six places, so that text sorts as
    time does and equal instants are equal text; dates are ``2026-01-31``.
    """
    for start in range(0, table.num_rows, PIECE):
        piece = table.slice(start, PIECE)
        yield list(zip(*map(_plain_column, piece.columns), strict=True))


def csv_pieces(table: pa.Table) -> Iterator[bytes]:
    """The rows as CSV without a header: text in quotes, null as nothing at all.

    Batch by batch: given a table whose first chunk is empty, Arrow (26.0) writes garbage before it.
    """
    for batch in table.to_batches(max_chunksize=PIECE):
        if batch.num_rows:
            stream = io.BytesIO()
            pc.write_csv(batch, stream, pc.WriteOptions(include_header=False))
            yield stream.getvalue()


def _plain_column(column: Any) -> Iterable[Any]:
    if column.type == MICROSECONDS:
        column = column.cast(_PLAIN_MICROSECONDS)
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        # Each distinct instant is written once: a batch has each as often as it has domains.
        column = column.dictionary_encode()
    if not pa.types.is_dictionary(column.type):
        return _listed(column)
    column = column.unify_dictionaries().combine_chunks()
    words = [None, *column.dictionary.cast(pa.string()).to_pylist()]
    codes = column.indices.fill_null(-1).to_numpy() + 1
    return map(words.__getitem__, codes.tolist())


def _listed(column: Any) -> list[Any]:
    if column.type == pa.int64() and not column.null_count:
        return list(integers(column).tolist())
    return list(column.to_pylist())


def instant_text(microseconds: int) -> str:
    """An instant as ``plain_rows`` writes it."""
    return (_EPOCH + timedelta(microseconds=microseconds)).isoformat(" ", "microseconds")


def instant_of(microseconds: int) -> datetime:
    """An instant as a datetime in UTC."""
    return _EPOCH_UTC + timedelta(microseconds=microseconds)


def from_text(text: str) -> int:
    """Microseconds since the epoch of an instant that ``plain_rows`` wrote."""
    return (datetime.fromisoformat(text) - _EPOCH) // _MICROSECOND


def from_naive(instant: datetime) -> int:
    """Microseconds since the epoch of a datetime that is UTC without saying so."""
    return (instant - _EPOCH) // _MICROSECOND


def from_zoned(instant: datetime) -> int:
    """Microseconds since the epoch of a datetime with a zone."""
    return (instant - _EPOCH_UTC) // _MICROSECOND


def records(
    table: Table,
    rows: Iterable[Sequence[Any]],
    make: Callable[[Iterable[Any]], Any],
    micros: frozenset[str],
    microseconds: Microseconds,
) -> Iterator[Any]:
    """Rows of a table as records; instants in seconds, but for the columns named in ``micros``."""
    columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
    if not columns:
        return iter(())
    for place, column in enumerate(table.columns):
        if column.kind is Kind.TIMESTAMP:
            unit = 1 if column.name in micros else MICRO
            columns[place] = _counted(columns[place], unit, microseconds)
    return map(make, zip(*columns, strict=True))


def _counted(values: Sequence[Any], unit: int, microseconds: Microseconds) -> list[int | None]:
    known: dict[Any, int | None] = {None: None}
    for value in values:
        if value not in known:
            known[value] = microseconds(value) // unit
    return [known[value] for value in values]
