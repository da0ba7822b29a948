"""Reading a Parquet warehouse in SQL: its tables and views, in memory, and nothing else.

A statement that a user typed cannot write, nor reach another file or the network: ``load.statements``.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import duckdb
import pyarrow as pa

from livetraffic.errors import ConfigError, SinkError
from livetraffic.table import (
    LOAD_LEDGER,
    TABLES,
    TRAFFIC,
    TRAFFIC_REVISIONS,
    WAREHOUSE,
    Table,
)
from load import warehouse_file
from load.duckdb_schema import TYPES
from load.months import path_of, stored_months
from load.statements import check_reading, confine, first_line, narrowed, pattern, quoted, refusal
from load.views import DUCKDB, definitions

_BY_MONTH = (TRAFFIC, TRAFFIC_REVISIONS, LOAD_LEDGER)
_ATTEMPTS = 3


def query(root: Path, statement: str) -> pa.Table:
    """What one reading statement answers on the tables and views of the warehouse at ``root``.

    Timestamps are ``timestamp[us, UTC]``; sums of integers are int64 where every value fits. A file
    that a writer replaces meanwhile is read anew.

    Raises:
        ConfigError: there is no warehouse, the statement does more than read, or DuckDB refuses it.
        SinkError: the warehouse's files cannot be read.
    """
    for _ in range(_ATTEMPTS - 1):
        before = _stamps(root)
        try:
            return _answered(root, statement)
        except (ConfigError, SinkError):
            if _stamps(root) == before:
                raise
    return _answered(root, statement)


def connect(root: Path) -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB, in UTC, with the tables and views of the warehouse at ``root``.

    Its file access ends at ``root`` and its settings are locked. It is for statements of the program:
    what a user typed goes through ``query``.

    Raises:
        ConfigError: there is no warehouse at ``root``.
        SinkError: its files cannot be read.
    """
    connection = _confined(root)
    try:
        _furnish(connection, root)
    except BaseException:
        connection.close()
        raise
    return connection


def _confined(root: Path) -> duckdb.DuckDBPyConnection:
    """An empty DuckDB that can reach nothing but the files under ``root``."""
    connection = duckdb.connect(":memory:")
    confine(connection, root.absolute())
    return connection


def _furnish(connection: duckdb.DuckDBPyConnection, root: Path) -> None:
    """Create the tables, as views of the warehouse's files, and the views over them."""
    home = root.absolute()
    sources = [(table.name, _source(home, table)) for table in TABLES]
    try:
        for name, source in sources:
            connection.execute(f"CREATE VIEW {name} AS {source}")
        install_views(connection)
    except duckdb.Error as error:
        raise _unreadable(home, error) from error


def install_views(connection: duckdb.DuckDBPyConnection) -> None:
    """Create every view of ``sql/views`` over the connection's tables."""
    for name, text in definitions(DUCKDB):
        connection.execute(f"CREATE VIEW {name} AS\n{text}")


def _source(home: Path, table: Table) -> str:
    """The SELECT that is this table: its files with the declared columns and types."""
    if table is WAREHOUSE:
        return f"SELECT {_facts(home)}"
    files = [pattern(path) for path in _files(home, table)]
    if not files:
        empty = (f"CAST(NULL AS {TYPES[c.kind]}) AS {_name(c.name)}" for c in table.columns)
        return f"SELECT {', '.join(empty)} WHERE false"
    cast = (f"CAST({_name(c.name)} AS {TYPES[c.kind]}) AS {_name(c.name)}" for c in table.columns)
    source = f"read_parquet([{', '.join(files)}], hive_partitioning = false)"
    return f"SELECT {', '.join(cast)} FROM {source}"  # noqa: S608 - our names, quoted paths


def _files(home: Path, table: Table) -> Iterator[Path]:
    relative = [f"{table.name}.parquet"]
    if table in _BY_MONTH:
        relative = [path_of(table.name, month) for month in stored_months(home, table.name)]
    return (path for path in map(home.joinpath, relative) if path.is_file())


def _facts(home: Path) -> str:
    made = warehouse_file.found(home)
    if made is None:
        raise ConfigError(
            f"There is no warehouse in {home}.",
            "Name one in LIVE_TRAFFIC_WAREHOUSE, or make one with `live-traffic backfill`.",
        )
    values = (warehouse_file.FORMAT_VERSION, made.step, quoted(made.timezone), made.settle_after)
    return ", ".join(
        f"CAST({value} AS {TYPES[column.kind]}) AS {column.name}"
        for value, column in zip(values, WAREHOUSE.columns, strict=True)
    )


def _answered(root: Path, statement: str) -> pa.Table:
    with _confined(root) as connection:
        try:
            check_reading(connection, statement)
            _furnish(connection, root)
            return narrowed(connection.sql(statement).to_arrow_table())
        except duckdb.Error as error:
            raise refusal(connection, error) from error


def _unreadable(home: Path, error: duckdb.Error) -> SinkError:
    return SinkError(
        f"The warehouse {home} cannot be read: {first_line(error)}",
        "Restore it from a copy, or move it away and run `live-traffic backfill --force`.",
    )


def _stamps(root: Path) -> dict[Path, tuple[int, int, int]]:
    """What tells the warehouse's files from those that replace them."""
    stamps: dict[Path, tuple[int, int, int]] = {}
    for table in TABLES:
        for path in _files(root, table):
            with suppress(FileNotFoundError):
                status = path.stat()
                stamps[path] = (status.st_ino, status.st_mtime_ns, status.st_size)
    return stamps


def _name(column: str) -> str:
    return f'"{column}"'
