"""Warehouses as format version 1 laid them out, made by statements and files, not by any sink."""

import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from livetraffic.domain import Domain
from tests import servers
from tests.contract.stores import JANUARY, MICRO, SENT, SETTLE_AFTER, STEP, ZONE, entry

A, B = "a.example.com", "b.example.com"
REVISED = (JANUARY + 20 * 86_400) * MICRO
"""In January; a month later another value was."""
MONTH = 31 * 86_400 * MICRO

TEXT, INTEGER, INSTANT, DATE = "text", "integer", "instant", "date"
LAYOUT: dict[str, tuple[str, str]] = {
    "traffic": (
        "domain text, timestamp instant, traffic_bytes integer, source text, loaded_at instant",
        "domain, timestamp",
    ),
    "traffic_revisions": (
        "domain text, timestamp instant, revised_at instant, old_bytes integer, new_bytes integer,"
        " run_id text",
        "domain, timestamp, revised_at",
    ),
    "load_ledger": (
        "domain text, window_start instant, window_end instant, state text, points integer,"
        " expected_points integer, traffic_bytes integer?, source text, account text,"
        " project_id text, region text, fetched_at instant, run_id text, detail text",
        "",
    ),
    "domains": (
        "domain text, domain_type text, status text, service_area text, related_domain text,"
        " create_time instant?, account text, project_id text, region text, first_seen instant,"
        " last_seen instant, unlisted_since instant?",
        "domain",
    ),
    "calendar": (
        "timestamp instant, ordinal integer, hour_start instant, local_date date,"
        " local_hour integer, local_week text, local_month text, settles_at instant",
        "timestamp",
    ),
    "warehouse": (
        "format_version integer, step_seconds integer, timezone text, settle_after_seconds integer",
        "",
    ),
    "schema_version": ("version integer", ""),
    "installed_views": ("name text, digest text", ""),
    "run_holder": ("holder text", ""),
}
ENTRIES = [
    entry(A, JANUARY, JANUARY + 2 * STEP),
    entry(B, JANUARY, JANUARY + STEP, "failed", traffic_bytes=None, fetched_at=SENT + 1),
]
DOMAINS = [
    Domain(A, "pull", "on", "global", "push", JANUARY, "acc", "proj", "r", 1, 2),
    Domain(B, "pull", "off", "", "", None, "acc", "proj", "r", 1, 2, 3),
]
REVISIONS = [
    (A, JANUARY, REVISED, 4, 5, "run-1"),
    (A, JANUARY, REVISED + MONTH, 5, 6, "run-2"),
]
TRAFFIC = {(A, JANUARY): (6, "v1", REVISED + MONTH), (A, JANUARY + STEP): (0, "v1", REVISED)}
ROWS: dict[str, list[tuple[Any, ...]]] = {
    "traffic": [(name, at * MICRO, *row) for (name, at), row in TRAFFIC.items()],
    "traffic_revisions": [(row[0], row[1] * MICRO, *row[2:]) for row in REVISIONS],
    "load_ledger": [(row[0], row[1] * MICRO, row[2] * MICRO, *row[3:]) for row in ENTRIES],
    "domains": [
        tuple(
            value * MICRO if isinstance(value, int) else value
            for value in row[: len(LAYOUT["domains"][0].split(","))]
        )
        for row in DOMAINS
    ],
    "warehouse": [(1, STEP, ZONE, SETTLE_AFTER)],
    "schema_version": [(1,)],
    "installed_views": [("traffic_daily", "as of version 1")],
}
_DAILY = "CREATE VIEW traffic_daily AS SELECT domain, traffic_bytes FROM traffic"


def columns_of(table: str) -> list[tuple[str, str, bool]]:
    """Name, type and whether it may be null, of each column."""
    pairs = (column.split() for column in LAYOUT[table][0].split(","))
    return [(name, kind.removesuffix("?"), kind.endswith("?")) for name, kind in pairs]


def parquet(place: Path) -> None:
    """Files in a directory."""
    types = {
        "text": pa.string(),
        "integer": pa.int64(),
        "instant": pa.timestamp("us", tz="UTC"),
        "date": pa.date32(),
    }
    place.mkdir()
    names = [column[0] for column in columns_of("warehouse")]
    content = dict(zip(names, ROWS["warehouse"][0], strict=True))
    (place / "warehouse.json").write_text(json.dumps(content))

    def write(path: Path, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        fields = [pa.field(name, types[kind], null) for name, kind, null in columns_of(table)]
        arrays = [
            pa.array(values, pa.int64() if field.type == types["instant"] else field.type).cast(
                field.type
            )
            for field, values in zip(fields, zip(*rows, strict=True), strict=True)
        ]
        pq.write_table(pa.Table.from_arrays(arrays, schema=pa.schema(fields)), path)

    write(place / "domains.parquet", "domains", ROWS["domains"])
    for table, stamp in (("traffic", 1), ("traffic_revisions", 2), ("load_ledger", 11)):
        by_month: dict[str, list[tuple[Any, ...]]] = {}
        for row in ROWS[table]:
            by_month.setdefault(f"{_instant(row[stamp]):%Y-%m}", []).append(row)
        for month, rows in by_month.items():
            write(place / table / f"month={month}" / "data.parquet", table, rows)


def duckdb_file(place: Path) -> None:
    """Tables without keys in one file."""
    types = {
        "text": "VARCHAR",
        "integer": "BIGINT",
        "instant": "TIMESTAMP WITH TIME ZONE",
        "date": "DATE",
    }
    place.mkdir()
    with duckdb.connect(str(place / "warehouse.duckdb")) as connection:
        for statement in _statements(types, keyed=None, but=("schema_version", "run_holder")):
            connection.execute(statement)
        for table, rows in ROWS.items():
            if table != "schema_version":
                marks = ", ".join(
                    "make_timestamptz(?)" if kind == INSTANT else "?"
                    for _, kind, _ in columns_of(table)
                )
                connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)


def sqlite(place: Path) -> None:
    """A SQLite file."""
    types = {"text": "TEXT", "integer": "INTEGER", "instant": "TEXT", "date": "TEXT"}
    place.mkdir()
    with closing(sqlite3.connect(place / "warehouse.sqlite")) as connection, connection:
        for statement in _statements(types, keyed=" WITHOUT ROWID"):
            connection.execute(statement)
        _insert(connection.executemany, "?", lambda at: f"{at:%Y-%m-%d %H:%M:%S.%f}")


def postgres(place: Path) -> None:
    """A schema of PostgreSQL."""
    types = {
        "text": 'TEXT COLLATE "C"',
        "integer": "BIGINT",
        "instant": "TIMESTAMPTZ",
        "date": "DATE",
    }
    schema = servers.postgres_place(place).rpartition("schema=")[2]
    with servers.postgres_connection(place) as connection:
        connection.execute(f'CREATE SCHEMA "{schema}"'.encode())
        for statement in _statements(types, keyed=""):
            connection.execute(statement.encode())
        with connection.cursor() as cursor:
            _insert(lambda text, rows: cursor.executemany(text.encode(), rows), "%s", lambda at: at)


def mariadb(place: Path) -> None:
    """A database of MariaDB."""
    types = {
        "text": "VARCHAR(253)",
        "integer": "BIGINT",
        "instant": "DATETIME(6)",
        "date": "DATE",
    }
    keyless = "row_id BIGINT NOT NULL AUTO_INCREMENT INVISIBLE PRIMARY KEY"
    ending = " ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin"
    servers.mariadb_place(place)
    with servers.mariadb_connection(place) as connection, connection.cursor() as cursor:
        for statement in _statements(types, keyed=ending, plain=ending, keyless=keyless):
            cursor.execute(statement)
        _insert(cursor.executemany, "%s", lambda at: at.replace(tzinfo=None))


MADE: dict[str, Callable[[Path], None]] = {
    "parquet": parquet,
    "duckdb": duckdb_file,
    "sqlite": sqlite,
    "postgres": postgres,
    "mariadb": mariadb,
}
"""By the name of the store."""


def _instant(microseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)


def _statements(
    types: dict[str, str],
    *,
    keyed: str | None,
    plain: str = "",
    keyless: str = "",
    but: Sequence[str] = (),
) -> list[str]:
    """What creates the tables and a view; ``keyed`` follows one with a key, None: there are none."""
    made = []
    for table, (_, key) in LAYOUT.items():
        parts = [
            f"{name} {types[kind]}{'' if null else ' NOT NULL'}"
            for name, kind, null in columns_of(table)
        ]
        if key and keyed is not None:
            parts.append(f"PRIMARY KEY ({key})")
        elif keyless:
            parts.append(keyless)
        ending = keyed if key and keyed is not None else plain
        if table not in but:
            made.append(f"CREATE TABLE {table} ({', '.join(parts)}){ending}")
    return [*made, _DAILY]


def _insert(
    execute: Callable[[str, list[Any]], object], mark: str, spelled: Callable[[datetime], object]
) -> None:
    for table, rows in ROWS.items():
        columns = columns_of(table)
        names, marks = ", ".join(c[0] for c in columns), ", ".join([mark] * len(columns))
        given = [
            tuple(
                spelled(_instant(value)) if kind == INSTANT and value is not None else value
                for value, (_, kind, _) in zip(row, columns, strict=True)
            )
            for row in rows
        ]
        execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", given)
