"""What a DuckDB file holds, asked of it by plain statements."""

import time
from pathlib import Path
from typing import Any

import duckdb

from livetraffic.domain import Domain
from livetraffic.ledger import Entry
from livetraffic.reconciliation import Reconciliation
from livetraffic.table import TABLES, Kind, Table
from tests.contract.stores import MICRO, Contents


def read_duckdb_file(place: Path) -> Contents:
    """The tables of the file, row by row.

    Raises:
        AssertionError: a key stands twice.
    """
    with _opened(duckdb_file(place)) as connection:
        rows = {table.name: _rows(connection, table) for table in TABLES}
    for table in TABLES:
        keys = [row[: len(table.key)] for row in rows[table.name] if table.key]
        assert len(set(keys)) == len(keys), table.name
    return Contents(
        {(row[0], row[1] // MICRO): (row[2], row[3], row[4]) for row in rows["traffic"]},
        sorted((row[0], row[1] // MICRO, *row[2:]) for row in rows["traffic_revisions"]),
        [Entry(r[0], r[1] // MICRO, r[2] // MICRO, *r[3:]) for r in rows["load_ledger"]],
        [Domain._make(_in_seconds(row)) for row in rows["domains"]],
        [Reconciliation._make(_in_seconds(row)) for row in rows["reconciliations"]],
        sorted(tuple(_in_seconds(row)) for row in rows["calendar"]),
        tuple(rows["warehouse"][0]),
    )


def duckdb_file(place: Path) -> Path:
    """The database of a place, which is a directory."""
    return place / "warehouse.duckdb"


def _opened(path: Path) -> duckdb.DuckDBPyConnection:
    """Tried again while a writer has the file, as every reader of a DuckDB file must."""
    while True:
        try:
            return duckdb.connect(str(path), read_only=True)
        except duckdb.IOException as error:
            assert "Could not set lock" in str(error)
            time.sleep(0.01)


def _rows(connection: duckdb.DuckDBPyConnection, table: Table) -> list[tuple[Any, ...]]:
    columns = (
        f'epoch_us("{c.name}")' if c.kind is Kind.TIMESTAMP else f'"{c.name}"'
        for c in table.columns
    )
    found = connection.execute(f"SELECT {', '.join(columns)} FROM {table.name}").fetchall()
    micros = [index for index, c in enumerate(table.columns) if c.kind is Kind.TIMESTAMP]
    return [_marked(row, micros) for row in found]


class Instant(int):
    """Microseconds, told from other integers."""


def _marked(row: tuple[Any, ...], micros: list[int]) -> tuple[Any, ...]:
    return tuple(
        Instant(value) if index in micros and value is not None else value
        for index, value in enumerate(row)
    )


def _in_seconds(row: tuple[Any, ...]) -> list[Any]:
    return [int(value) // MICRO if isinstance(value, Instant) else value for value in row]
