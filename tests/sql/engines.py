"""The engines on which the views must give the same answers, each with one warehouse a process.

A test's rows replace those of the test before: tables, views and indexes are made once, by the sink
itself, and answers come through its ``query``, as those of the ``sql`` command do.
"""

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import duckdb

from livetraffic.table import TABLES
from load.database.address import parse
from load.database.choice import dialect_of
from load.database.sink import DatabaseSink
from load.duckdb.sink import DuckDbSink
from load.duckdb.tables import insert
from load.sink import Sink
from tests import servers
from tests.sql.warehouses import Answer, Tables, arrow, duckdb_in_memory, duckdb_over_parquet

MADE_WITH = {"step": 300, "timezone": "UTC", "settle_after": 0}


def sqlite(_: Path, tables: Tables) -> Answer:
    """A SQLite file."""
    return _in_database(f"sqlite:///{sqlite_path()}", tables)


def sqlite_path() -> Path:
    """The file of ``sqlite``."""
    return _home() / "warehouse.sqlite"


def postgresql(_: Path, tables: Tables) -> Answer:
    """A schema of PostgreSQL."""
    return _in_database(postgresql_url(), tables)


def mariadb(_: Path, tables: Tables) -> Answer:
    """A database of MariaDB."""
    return _in_database(mariadb_url(), tables)


def duckdb_file(_: Path, tables: Tables) -> Answer:
    """A DuckDB file with tables and views."""
    path = duckdb_path()
    sink = _prepared(path)
    with duckdb.connect(str(path)) as connection:
        connection.begin()
        for table in TABLES:
            connection.execute(f"DELETE FROM {table.name}")
            insert(connection, table, arrow(table, tables.get(table.name, ())))
        connection.commit()
    return lambda statement: sink.query(statement).to_pylist()


def duckdb_path() -> Path:
    """The file of ``duckdb_file``."""
    return _home() / "warehouse.duckdb"


ENGINES: dict[str, Callable[[Path, Tables], Answer]] = {
    "parquet": duckdb_over_parquet,
    "duckdb": duckdb_file,
    "sqlite": sqlite,
    "postgresql": postgresql,
    "mariadb": mariadb,
}
"""One line for each engine on which the views must give the same answers."""

IN_BULK: dict[str, Callable[[Path, Tables], Answer]] = {
    **{name: engine for name, engine in ENGINES.items() if name not in {"parquet", "duckdb"}},
    "memory": duckdb_in_memory,
}
"""The same engines for many questions: DuckDB without a file to open for each."""


def _in_database(url: str, tables: Tables) -> Answer:
    sink = _prepared(url)
    dialect = dialect_of(parse(url))
    with dialect.writer.begin() as connection:
        for table in TABLES:
            connection.exec_driver_sql(f"DELETE FROM {table.name}")
            rows = arrow(table, tables.get(table.name, ()))
            if rows.num_rows:
                dialect.insert(connection, table.name, rows)
    return lambda statement: sink.query(statement).to_pylist()


@cache
def _prepared(place: str | Path) -> Sink:
    sink: Sink = DatabaseSink(place) if isinstance(place, str) else DuckDbSink(place)
    sink.prepare(**MADE_WITH)  # type: ignore[arg-type]
    return sink


@cache
def _home() -> Path:
    directory = Path(tempfile.mkdtemp(prefix="live-traffic-views-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return directory


def _mark() -> Path:
    return Path(f"views of process {os.getpid()}")


@cache
def postgresql_url() -> str:
    """The URL of ``postgresql``."""
    url = servers.postgres_place(_mark())
    atexit.register(servers.drop_postgres_place, _mark())
    return url


@cache
def mariadb_url() -> str:
    """The URL of ``mariadb``."""
    url = servers.mariadb_place(_mark())
    atexit.register(servers.drop_mariadb_place, _mark())
    return url
