"""A table's rows as a stream of record batches, by the fastest way out of each family of databases.

PostgreSQL and MariaDB write lines of CSV that Arrow parses, many at a time: far fewer values pass
through Python than a row has.
"""

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.csv as pc
from sqlalchemy import Connection

from livetraffic.table import Column, Table
from livetraffic.table import Kind as Type
from load.arrow import MICROSECONDS, schema
from load.database.address import Kind

PIECE = 65_536
"""Rows of a batch."""

MONTH_OF = {
    Kind.SQLITE: "substr({}, 1, 7)",
    Kind.POSTGRESQL: "to_char(date_trunc('month', {}), 'YYYY-MM')",
    Kind.MYSQL: "DATE_FORMAT({}, '%Y-%m')",
}
"""The month of a column of instants, as ``2026-01``; the session is in UTC."""

_PARSING = pc.ParseOptions(newlines_in_values=True)
_PLAIN_MICROSECONDS = pa.timestamp("us")
_SMALLEST_BLOCK = 1 << 20


def _copied(
    connection: Connection, table: Table, condition: str, *binds: object
) -> Iterator[pa.RecordBatch]:
    driver: Any = connection.connection.driver_connection
    columns = ", ".join(table.column_names)
    texts = ", ".join(column.name for column in table.columns if column.kind is Type.TEXT)
    question = f"SELECT {columns} FROM {table.name} {condition}"  # noqa: S608 - our names
    options = f"FORMAT csv, FORCE_QUOTE ({texts})"
    with (
        driver.cursor() as cursor,
        cursor.copy(f"COPY ({question}) TO STDOUT ({options})", binds) as rows,
    ):
        yield from _parsed(table, map(bytes, rows))


def _concatenated(
    connection: Connection, table: Table, condition: str, *binds: object
) -> Iterator[pa.RecordBatch]:
    from pymysql.cursors import SSCursor

    driver: Any = connection.connection.driver_connection
    line = f"CONCAT_WS(',', {', '.join(map(_as_csv, table.columns))})"
    with driver.cursor(SSCursor) as cursor:
        cursor.execute("SET SESSION net_write_timeout = 3600")  # whoever takes the rows may be slow
        cursor.execute(f"SELECT {line} FROM {table.name} {condition}", binds)  # noqa: S608 - our names
        pieces = iter(partial(cursor.fetchmany, PIECE), ())
        yield from _parsed(table, (f"{row[0]}\n".encode() for rows in pieces for row in rows))


def _fetched(
    connection: Connection, table: Table, condition: str, *binds: object
) -> Iterator[pa.RecordBatch]:
    driver: Any = connection.connection.driver_connection
    layout = schema(table)
    columns = ", ".join(table.column_names)
    question = f"SELECT {columns} FROM {table.name} {condition}"  # noqa: S608 - our names
    with closing(driver.execute(question, binds)) as cursor:
        for rows in iter(partial(cursor.fetchmany, PIECE), []):
            columns_of_rows = zip(layout.types, zip(*rows, strict=True), strict=True)
            arrays = [_array(kind, values) for kind, values in columns_of_rows]
            yield pa.RecordBatch.from_arrays(arrays, schema=layout)


READERS: dict[Kind, Callable[..., Iterator[pa.RecordBatch]]] = {
    Kind.SQLITE: _fetched,
    Kind.POSTGRESQL: _copied,
    Kind.MYSQL: _concatenated,
}
"""Connection, table, condition from WHERE on, and its binds, to the table's rows."""

BIND = {Kind.SQLITE: "?", Kind.POSTGRESQL: "%s", Kind.MYSQL: "%s"}
"""How a bind stands in a condition."""


def gathered(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of about ``PIECE``, however small they come."""
    few: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        few.append(batch)
        count += batch.num_rows
        if count >= PIECE:
            yield from pa.Table.from_batches(few).combine_chunks().to_batches()
            few, count = [], 0
    if few:
        yield from pa.Table.from_batches(few).combine_chunks().to_batches()


def _array(kind: pa.DataType, values: Sequence[Any]) -> Any:
    if kind == MICROSECONDS:
        return pa.array(values, pa.string()).cast(_PLAIN_MICROSECONDS).cast(MICROSECONDS)
    return pa.array(values, kind)


def _as_csv(column: Column) -> str:
    """An expression that is never null: what is null is nothing between two commas."""
    if column.kind is Type.TEXT:
        return f"""CONCAT('"', REPLACE({column.name}, '"', '""'), '"')"""
    if column.kind is Type.TIMESTAMP:
        return f"COALESCE(CONCAT(CAST({column.name} AS CHAR), '+00'), '')"
    return f"COALESCE({column.name}, '')"


def _parsed(table: Table, lines: Iterable[bytes]) -> Iterator[pa.RecordBatch]:
    piece: list[bytes] = []
    for line in lines:
        piece.append(line)
        if len(piece) == PIECE:
            yield from _batches(table, b"".join(piece))
            piece = []
    if piece:
        yield from _batches(table, b"".join(piece))


def _batches(table: Table, content: bytes) -> Iterator[pa.RecordBatch]:
    layout = schema(table)
    reading = pc.ReadOptions(
        column_names=layout.names, use_threads=False, block_size=len(content) + _SMALLEST_BLOCK
    )
    converting = pc.ConvertOptions(
        column_types={field.name: field.type for field in layout},
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    found = pc.read_csv(io.BytesIO(content), reading, _PARSING, converting)
    yield from found.cast(layout).to_batches()
