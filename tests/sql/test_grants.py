"""``sql/grants``: the loader's rights are enough to load, the reader's to read everything and no more."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import psycopg
import pymysql
import pytest
from sqlalchemy import make_url

import sql
from livetraffic.table import TABLES
from load.database.sink import DatabaseSink
from load.sink import Receipt
from tests import servers
from tests.contract.stores import JANUARY, SETTLE_AFTER, STEP, ZONE, covering, frame

Execute = Callable[[str], object]
NAMES = [*(table.name for table in TABLES), *sql.names("views")]
WRITING = [
    "INSERT INTO traffic SELECT * FROM traffic",
    "UPDATE traffic SET traffic_bytes = 0",
    "DELETE FROM load_ledger",
    "DROP VIEW traffic_daily",
    "DROP TABLE traffic",
    "TRUNCATE TABLE traffic",
    "CREATE TABLE mine (a INT)",
    "CREATE VIEW mine AS SELECT 1 AS a",
    "CREATE INDEX mine ON traffic (source)",
]


def _statements(name: str, mark: str, database: str) -> list[str]:
    """The script's statements for names of their own."""
    text = (Path(sql.__file__).parent / "grants" / name).read_text(encoding="utf-8")
    text = re.sub(r"--[^\n]*", "", text).replace("DATABASE live_traffic", f"DATABASE {database}")
    text = re.sub(r"\blive_traffic", mark, text)
    return [statement.strip() for statement in text.split(";") if statement.strip()]


def _load_and_look(url: str) -> None:
    sink = DatabaseSink(url)
    sink.prepare(step=STEP, timezone=ZONE, settle_after=SETTLE_AFTER)
    sink.extend_calendar(JANUARY, JANUARY + STEP)
    loaded_at = datetime(2026, 2, 1, tzinfo=UTC)
    for value in (1, 2):
        rows = [("a.example", JANUARY, value)]
        with sink.run_lock(wait=0, holder="test"):
            done = sink.upsert(frame(rows), covering(rows), loaded_at=loaded_at, run_id="r")
    assert done == Receipt(updated=1)
    DatabaseSink(url).prepare(step=STEP, timezone=ZONE, settle_after=0)


def _check_reader(execute: Execute, refused: type[Exception]) -> None:
    for name in NAMES:
        execute(f"SELECT * FROM {name}")
    for statement in WRITING:
        with pytest.raises(refused):
            execute(statement)


@pytest.fixture
def mark() -> str:
    return f"lt_{uuid4().hex[:12]}"


@pytest.fixture
def in_postgresql(mark: str) -> Iterator[Callable[[str], str]]:
    """The roles of the script; a role's URL."""
    url = make_url(servers.postgres())
    assert url.database
    with servers.postgres_connection() as connection:
        for statement in _statements("postgresql.sql", mark, url.database):
            connection.execute(statement)
    yield lambda role: url.set(
        username=f"{mark}_{role}", password="change-me", drivername="postgresql"
    ).render_as_string(hide_password=False)
    with servers.postgres_connection() as connection:
        connection.execute(f"DROP SCHEMA {mark} CASCADE")
        for role in ("reader", "loader"):
            connection.execute(f"DROP OWNED BY {mark}_{role}")
            connection.execute(f"DROP ROLE {mark}_{role}")


def test_the_rights_in_postgresql(in_postgresql: Callable[[str], str], mark: str) -> None:
    loader = in_postgresql("loader")
    separator = "&" if "?" in loader else "?"
    _load_and_look(f"{loader}{separator}schema={mark}")
    with psycopg.connect(in_postgresql("reader"), autocommit=True) as connection:
        _check_reader(connection.execute, psycopg.Error)
        connection.execute("SET default_transaction_read_only = off")
        _check_reader(connection.execute, psycopg.errors.InsufficientPrivilege)


@pytest.fixture
def in_mariadb(mark: str) -> Iterator[str]:
    """The users of the script; the loader's URL."""
    with servers.mariadb_connection() as connection, connection.cursor() as cursor:
        for statement in _statements("mysql.sql", mark, mark):
            cursor.execute(statement)
        url = make_url(servers.mariadb()).set(
            username=f"{mark}_loader", password="change-me", database=mark
        )
        yield url.render_as_string(hide_password=False)
        cursor.execute(f"DROP DATABASE {mark}")
        for role in ("loader", "reader"):
            cursor.execute(f"DROP USER IF EXISTS '{mark}_{role}'@'%'")


def test_the_rights_in_mariadb(in_mariadb: str, mark: str) -> None:
    _load_and_look(in_mariadb)
    url = make_url(in_mariadb)
    with (
        pymysql.connect(
            host=url.host or "127.0.0.1",
            port=url.port or 3306,
            unix_socket=url.query.get("unix_socket"),
            user=f"{mark}_reader",
            password="change-me",
            database=mark,
        ) as connection,
        connection.cursor() as cursor,
    ):
        _check_reader(cursor.execute, pymysql.Error)
        with servers.mariadb_connection() as root, root.cursor() as dropping:
            dropping.execute(f"DROP USER '{mark}_loader'@'%'")
        # Views run with the rights of who asks: they outlive the user that made them.
        cursor.execute("SELECT COUNT(*) FROM traffic_daily")
