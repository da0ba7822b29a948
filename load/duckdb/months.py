"""One month of a table in a DuckDB file as record batches: totals, reading, and writing it anew."""

from collections.abc import Iterable, Iterator
from typing import Any

import duckdb
import pyarrow as pa

from livetraffic.table import TRAFFIC, Kind, Table
from load.arrow import GROUP_ROWS, schema
from load.month_rows import checked
from load.months import STAMPS, bounds
from load.sink import MonthTotals

Connection = duckdb.DuckDBPyConnection

SORTED_ROWS = 1_000_000
"""Rows that are put in order at once: what reading holds in memory."""


def totals(connection: Connection, table: Table) -> dict[str, MonthTotals]:
    """Every month with a row, in order."""
    numbers = [column.name for column in table.columns if column.kind is Kind.INTEGER]
    instants = [column.name for column in table.columns if column.kind is Kind.TIMESTAMP]
    month = f"date_trunc('month', make_timestamp(epoch_us({STAMPS[table]})))"
    figures = [
        "count(*)",
        *(f"coalesce(sum({name}), 0)" for name in numbers),
        *(f"coalesce(max(epoch_us({name})), 0)" for name in instants),
    ]
    found = connection.execute(
        f"SELECT strftime({month}, '%Y-%m') AS month, {', '.join(figures)} FROM {table.name}"  # noqa: S608 - our names
        " GROUP BY 1 ORDER BY 1"
    ).fetchall()
    return {
        name: MonthTotals(rows, tuple(some[: len(numbers)]), tuple(some[len(numbers) :]))
        for name, rows, *some in found
    }


def read(connection: Connection, table: Table, month: str) -> Iterator[pa.RecordBatch]:
    """The month's rows; ``traffic`` some domains at a time, so that little has to be sorted."""
    layout = schema(table)
    chosen = f"SELECT * FROM {table.name} WHERE {_within(table, month)}"  # noqa: S608 - our names
    if table is not TRAFFIC:
        yield from _batches(connection.sql(f"{chosen} ORDER BY {STAMPS[table]}"), layout)
        return
    for first, last in _stretches(connection, month):
        some = f"{chosen} AND domain BETWEEN $first AND $last ORDER BY domain, timestamp"
        yield from _batches(connection.sql(some, params={"first": first, "last": last}), layout)


def replace(
    connection: Connection, table: Table, month: str, batches: Iterable[pa.RecordBatch]
) -> None:
    """Make the month exactly these rows, inside the caller's transaction."""
    connection.execute(f"DELETE FROM {table.name} WHERE {_within(table, month)}")  # noqa: S608 - our names
    arriving = _Stream(checked(table, month, batches))
    reader = pa.RecordBatchReader.from_batches(schema(table), arriving)
    connection.register("arrived", reader)
    # One statement in one thread: DuckDB then writes full row groups as they come; several threads
    # keep theirs until the commit and put them in order there.
    connection.execute("SET threads = 1")
    try:
        connection.execute(f"INSERT INTO {table.name} BY NAME SELECT * FROM arrived")  # noqa: S608 - our names
    except duckdb.Error:
        if arriving.broken is not None:
            raise arriving.broken from None
        raise
    connection.unregister("arrived")


def remove(connection: Connection, table: Table, month: str) -> None:
    """Leave the month without a row, inside the caller's transaction."""
    connection.execute(f"DELETE FROM {table.name} WHERE {_within(table, month)}")  # noqa: S608 - ours


class _Stream:
    """Batches on their way through DuckDB, which would only tell of what they raise as text."""

    def __init__(self, batches: Iterator[pa.RecordBatch]) -> None:
        self._batches = batches
        self.broken: Exception | None = None

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        try:
            yield from self._batches
        except Exception as error:
            self.broken = error
            raise


def _within(table: Table, month: str) -> str:
    first, following = bounds(month)
    stamp = STAMPS[table]
    return f"{stamp} >= make_timestamptz({first}) AND {stamp} < make_timestamptz({following})"


def _stretches(connection: Connection, month: str) -> Iterator[tuple[str, str]]:
    """Neighbouring domains, as many as have ``SORTED_ROWS`` together; at least one."""
    counted = connection.execute(
        f"SELECT domain, count(*) FROM traffic WHERE {_within(TRAFFIC, month)}"  # noqa: S608 - integers
        " GROUP BY domain ORDER BY domain"
    ).fetchall()
    names: list[str] = []
    rows = 0
    for name, count in counted:
        if names and rows + count > SORTED_ROWS:
            yield names[0], names[-1]
            names, rows = [], 0
        names.append(name)
        rows += count
    if names:
        yield names[0], names[-1]


def _batches(relation: Any, layout: pa.Schema) -> Iterator[pa.RecordBatch]:
    for batch in relation.to_arrow_reader(GROUP_ROWS):
        yield from pa.Table.from_batches([batch]).cast(layout).to_batches()
