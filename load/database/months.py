"""One month of a table in a database as record batches: totals, reading, and writing it anew."""

from collections.abc import Iterable, Iterator
from itertools import chain

import pyarrow as pa
from sqlalchemy import Connection, text

from livetraffic.table import TRAFFIC, Kind, Table
from load.arrow import encoded_schema
from load.database import streaming
from load.database.dialect import Dialect
from load.database.values import instant_text
from load.month_rows import checked
from load.months import STAMPS, bounds
from load.sink import MonthTotals

_HALF = 1 << 32
_FIRST_NAME = text("SELECT MIN(domain) FROM traffic")
_NEXT_NAME = text("SELECT MIN(domain) FROM traffic WHERE domain > :last")


def totals(connection: Connection, dialect: Dialect, table: Table) -> dict[str, MonthTotals]:
    """Every month with a row, in order."""
    numbers = [column.name for column in table.columns if column.kind is Kind.INTEGER]
    instants = [column.name for column in table.columns if column.kind is Kind.TIMESTAMP]
    # In halves, because SQLite adds in 64 bits; not by >>, which makes MariaDB forget the sign.
    figures = [
        *(f"SUM(({name} - {name} % {_HALF}) / {_HALF}), SUM({name} % {_HALF})" for name in numbers),
        *(f"MAX({name})" for name in instants),
    ]
    month = streaming.MONTH_OF[dialect.address.kind].format(STAMPS[table])
    found = connection.execute(
        text(
            f"SELECT {month} AS month_name, COUNT(*), {', '.join(figures)}"  # noqa: S608 - our names
            f" FROM {table.name} GROUP BY {month} ORDER BY 1"
        )
    )
    return {
        name: MonthTotals(
            int(rows),
            tuple(
                int(some[place] or 0) * _HALF + int(some[place + 1] or 0)
                for place in range(0, 2 * len(numbers), 2)
            ),
            tuple(
                0 if value is None else dialect.microseconds(value)
                for value in some[2 * len(numbers) :]
            ),
        )
        for name, rows, *some in found
    }


def read(
    connection: Connection, dialect: Dialect, table: Table, month: str
) -> Iterator[pa.RecordBatch]:
    """The month's rows; ``traffic`` domain by domain, through its key.

    So a month costs what it holds, however many months there are, and nothing has to be sorted.
    """
    kind, within = dialect.address.kind, _within(table, month)
    stream = streaming.READERS[kind]
    if table is not TRAFFIC:
        yield from stream(connection, table, f"WHERE {within} ORDER BY {STAMPS[table]}")
        return
    condition = f"WHERE domain = {streaming.BIND[kind]} AND {within} ORDER BY timestamp"
    by_domain = (stream(connection, table, condition, name) for name in _names(connection))
    yield from streaming.gathered(chain.from_iterable(by_domain))


def _names(connection: Connection) -> list[str]:
    """The domains of ``traffic`` in order, each found by one step in its key."""
    names: list[str] = []
    found = connection.execute(_FIRST_NAME).scalar()
    while found is not None:
        names.append(found)
        found = connection.execute(_NEXT_NAME, {"last": found}).scalar()
    return names


def replace(
    connection: Connection,
    dialect: Dialect,
    table: Table,
    month: str,
    batches: Iterable[pa.RecordBatch],
) -> None:
    """Make the month exactly these rows, inside the caller's transaction."""
    within = _within(table, month)
    # Asked first: a DELETE that finds nothing may lock every row that it passes.
    if connection.execute(text(f"SELECT 1 FROM {table.name} WHERE {within} LIMIT 1")).first():  # noqa: S608 - our names
        connection.execute(text(f"DELETE FROM {table.name} WHERE {within}"))  # noqa: S608 - our names
    layout = encoded_schema(table)
    for batch in checked(table, month, batches):
        dialect.insert(connection, table.name, pa.Table.from_batches([batch]).cast(layout))


def remove(connection: Connection, table: Table, month: str) -> None:
    """Leave the month without a row, inside the caller's transaction."""
    connection.execute(text(f"DELETE FROM {table.name} WHERE {_within(table, month)}"))  # noqa: S608 - our names


def _within(table: Table, month: str) -> str:
    """The month's rows; the session is in UTC."""
    first, following = map(instant_text, bounds(month))
    stamp = STAMPS[table]
    return f"{stamp} >= '{first}' AND {stamp} < '{following}'"
