"""What a database holds, asked of it by plain statements through its own driver."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pymysql

from livetraffic.domain import Domain
from livetraffic.ledger import Entry
from livetraffic.reconciliation import Reconciliation
from livetraffic.table import TABLES, Kind, Table
from tests import servers
from tests.contract.stores import MICRO, Contents

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Select = Callable[[str], list[tuple[Any, ...]]]


def read_sqlite_file(place: Path) -> Contents:
    """The tables of the file."""
    with closing(sqlite_connection(place)) as connection:
        return _contents(lambda statement: connection.execute(statement).fetchall())


def trace_of_sqlite_file(place: Path) -> object:
    """Every byte of the file and of its write-ahead log."""
    path = sqlite_file(place)
    log = path.with_name(f"{path.name}-wal")
    return path.read_bytes(), log.read_bytes() if log.exists() else b""


def sqlite_file(place: Path) -> Path:
    """The database of a place, which is a directory."""
    return place / "warehouse.sqlite"


def sqlite_connection(place: Path) -> sqlite3.Connection:
    """A connection of its own that only reads."""
    return sqlite3.connect(f"{sqlite_file(place).as_uri()}?mode=ro", uri=True)


def read_postgres_schema(place: Path) -> Contents:
    """The tables of the schema."""
    with servers.postgres_connection(place) as connection:
        return _contents(lambda statement: _postgres_rows(connection, statement))


def trace_of_postgres_schema(place: Path) -> object:
    """Where every row stands, who wrote it and who locked it; and who made the views."""
    with servers.postgres_connection(place) as connection:
        found = {
            name: _postgres_rows(connection, f"SELECT ctid::text, xmin, xmax, * FROM {name}")
            for name in (table.name for table in TABLES)
        }
        made = "SELECT relname, xmin FROM pg_class WHERE relkind = 'v' AND pg_table_is_visible(oid)"
        return found, sorted(_postgres_rows(connection, made))


def _postgres_rows(connection: "psycopg.Connection[Any]", statement: str) -> list[tuple[Any, ...]]:
    return connection.execute(statement.encode()).fetchall()


def read_mariadb_database(place: Path) -> Contents:
    """The tables of the database."""
    with servers.mariadb_connection(place) as connection:
        return _contents(lambda statement: _mariadb_rows(connection, statement))


def trace_of_mariadb_database(place: Path) -> object:
    """Every row, and when each table and view was last touched."""
    with servers.mariadb_connection(place) as connection:
        found = {
            table.name: sorted(map(repr, _mariadb_rows(connection, f"SELECT * FROM {table.name}")))
            for table in TABLES
        }
        touched = (
            "SELECT table_name, create_time, update_time FROM information_schema.tables"
            " WHERE table_schema = DATABASE() ORDER BY table_name"
        )
        return found, _mariadb_rows(connection, touched)


def _mariadb_rows(connection: pymysql.Connection, statement: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


def _contents(select: Select) -> Contents:
    rows = {table.name: _rows(select, table) for table in TABLES}
    for table in TABLES:
        keys = [row[: len(table.key)] for row in rows[table.name] if table.key]
        assert len(set(keys)) == len(keys), table.name
    return Contents(
        {(row[0], row[1] // MICRO): (row[2], row[3], int(row[4])) for row in rows["traffic"]},
        sorted(
            (row[0], row[1] // MICRO, int(row[2]), *row[3:5], _whole(row[5]), row[6])
            for row in rows["traffic_revisions"]
        ),
        [
            Entry(r[0], r[1] // MICRO, r[2] // MICRO, *r[3:11], int(r[11]), *r[12:])
            for r in rows["load_ledger"]
        ],
        [Domain._make(_in_seconds(row)) for row in rows["domains"]],
        [Reconciliation._make(_in_seconds(row)) for row in rows["reconciliations"]],
        sorted(tuple(_in_seconds(row)) for row in rows["calendar"]),
        tuple(rows["warehouse"][0]) if rows["warehouse"] else (),
    )  # fmt: skip


def _rows(select: Select, table: Table) -> list[tuple[Any, ...]]:
    found = select(f"SELECT {', '.join(table.column_names)} FROM {table.name}")
    return [
        tuple(_plain(column.kind, value) for column, value in zip(table.columns, row, strict=True))
        for row in found
    ]


def _whole(instant: int | None) -> int | None:
    return None if instant is None else int(instant)


class Instant(int):
    """Microseconds, told from other integers."""


def _plain(kind: Kind, value: Any) -> Any:
    if value is None or kind in {Kind.TEXT, Kind.INTEGER}:
        return value
    if kind is Kind.DATE:
        return date.fromisoformat(value) if isinstance(value, str) else value
    if isinstance(value, str):
        assert len(value) == len("2026-01-31 16:00:00.000000")
        value = datetime.fromisoformat(value)
    value = value.replace(tzinfo=UTC) if value.tzinfo is None else value
    return Instant((value - _EPOCH) // timedelta(microseconds=1))


def _in_seconds(row: tuple[Any, ...]) -> list[Any]:
    return [int(value) // MICRO if isinstance(value, Instant) else value for value in row]
