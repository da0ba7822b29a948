"""Rows of the small tables as named tuples, from and into Arrow.

Instants are whole seconds in the tuples, except in the columns that are told to be microseconds.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import pyarrow as pa

from livetraffic.errors import SinkError
from livetraffic.ledger import Entry
from livetraffic.reconciliation import Reconciliation
from livetraffic.table import LOAD_LEDGER, RECONCILIATIONS, Column, Kind, Table
from load.arrow import schema
from load.months import month_of
from load.rows import MICRO, encoded, integers

Record = TypeVar("Record")

MICROS = frozenset({"fetched_at"})
"""The columns of the ledger's entries that are microseconds."""


def to_arrow(
    table: Table, records: Sequence[Sequence[Any]], micros: frozenset[str] = frozenset()
) -> pa.Table:
    """Tuples in the table's order of columns as an Arrow table.

    Raises:
        pa.ArrowException, OverflowError, TypeError: a value does not fit its column.
    """
    layout = schema(table)
    columns = zip(*records, strict=True) if records else ((),) * len(layout)
    arrays = [
        _column(layout.field(column.name), column, list(values), micros)
        for column, values in zip(table.columns, columns, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=layout)


def from_arrow(
    table: Table,
    found: pa.Table,
    make: Callable[[Iterable[Any]], Record],
    micros: frozenset[str] = frozenset(),
) -> list[Record]:
    """The rows of an Arrow table as records that ``make`` builds from its columns in order."""
    columns = [_values(found.column(column.name), column, micros) for column in table.columns]
    return list(map(make, zip(*columns, strict=True)))


def _column(
    field: "pa.Field[Any]", column: Column, values: list[Any], micros: frozenset[str]
) -> Any:
    if not column.nullable and any(value is None for value in values):
        msg = f"{column.name} must not be null"
        raise TypeError(msg)
    if column.kind is not Kind.TIMESTAMP:
        return pa.array(values, field.type)
    if column.name not in micros:
        values = [None if value is None else value * MICRO for value in values]
    return pa.array(values, pa.int64()).cast(field.type)


def _values(found: Any, column: Column, micros: frozenset[str]) -> list[Any]:
    # Nothing here may be a plain value in an Arrow function: Arrow would import pandas for it.
    if column.kind is Kind.TEXT:
        words, codes = encoded(found)
        return list(map(words.__getitem__, codes.tolist()))
    in_seconds = column.kind is Kind.TIMESTAMP and column.name not in micros
    if found.null_count == 0:
        numbers = integers(found)
        return list((numbers // MICRO if in_seconds else numbers).tolist())
    whole = found.cast(pa.int64()).to_pylist()
    return [value // MICRO if in_seconds and value is not None else value for value in whole]


def entries_as_arrow(entries: Sequence[Entry]) -> pa.Table:
    """The entries as rows of ``load_ledger``.

    Raises:
        SinkError: a value does not fit its column.
    """
    return _checked(LOAD_LEDGER, entries, MICROS)


def reconciliations_as_arrow(rows: Sequence[Reconciliation]) -> pa.Table:
    """The rows as those of ``reconciliations``.

    Raises:
        SinkError: a value does not fit its column.
    """
    return _checked(RECONCILIATIONS, rows, frozenset())


def entries_by_month(entries: Iterable[Entry]) -> dict[str, pa.Table]:
    """The entries as Arrow tables by the UTC month in which their requests were sent.

    Raises:
        SinkError: a value does not fit its column.
    """
    by_month: dict[str, list[Entry]] = {}
    with _refusing(LOAD_LEDGER):
        for entry in entries:
            by_month.setdefault(month_of(entry.fetched_at), []).append(entry)
    return {month: entries_as_arrow(by_month[month]) for month in sorted(by_month)}


def reconciliations_by_month(rows: Iterable[Reconciliation]) -> dict[str, pa.Table]:
    """The rows as Arrow tables by the UTC month of their ``checked_at``.

    Raises:
        SinkError: a value does not fit its column.
    """
    by_month: dict[str, list[Reconciliation]] = {}
    with _refusing(RECONCILIATIONS):
        for row in rows:
            by_month.setdefault(month_of(row.checked_at * MICRO), []).append(row)
    return {month: reconciliations_as_arrow(by_month[month]) for month in sorted(by_month)}


def _checked(table: Table, records: Sequence[Sequence[Any]], micros: frozenset[str]) -> pa.Table:
    with _refusing(table):
        return to_arrow(table, records, micros)


@contextmanager
def _refusing(table: Table) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OverflowError, TypeError, ValueError) as error:
        raise SinkError(
            f"The batch is refused: a row of {table.name} has a value that cannot be stored"
            f" ({error}).",
            "Nothing was written; this is a fault in live-traffic, please report it.",
        ) from error
