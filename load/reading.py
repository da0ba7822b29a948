"""Reading a Parquet warehouse in SQL: its tables and views, in memory, and nothing else.

A statement that a user typed cannot write, nor reach another file or the network. Two belts: only what
DuckDB's own parser shows to be one reading statement is run, and the connection's file access ends at
the warehouse's directory, with its settings locked.
"""

import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from glob import escape
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import pyarrow as pa

from livetraffic.errors import ConfigError, LiveTrafficError, SinkError
from livetraffic.table import (
    LOAD_LEDGER,
    TABLES,
    TRAFFIC,
    TRAFFIC_REVISIONS,
    WAREHOUSE,
    Kind,
    Table,
)
from load import warehouse_file
from load.months import path_of, stored_months
from sql import views

_BY_MONTH = (TRAFFIC, TRAFFIC_REVISIONS, LOAD_LEDGER)
_ATTEMPTS = 3
_MEMORY = "60%"
_TYPES = {
    Kind.TEXT: "VARCHAR",
    Kind.INTEGER: "BIGINT",
    Kind.TIMESTAMP: "TIMESTAMP WITH TIME ZONE",
    Kind.DATE: "DATE",
}
_HUGEINT = pa.decimal128(38, 0)
_READING_NODES = {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"}
_READING_FUNCTIONS = {"generate_series", "json_each", "json_tree", "range", "unnest"}
_UNSPEAKABLE = re.compile("[\0\ud800-\udfff]")
_READING_REMEDY = "Give one SELECT, WITH, FROM, VALUES, DESCRIBE, SHOW, SUMMARIZE or EXPLAIN."
# Blanks only, no comments: what this does not recognise is refused as no SELECT.
_EXPLAIN = re.compile(
    r"\A\s*explain\s+(?:analyze\s+)?(?:\((?:\s*(?:analyze|format\s+\w+)\s*,?)+\)\s*)?",
    re.IGNORECASE,
)


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
    for setting in _settings(root.absolute()):
        connection.execute(setting)
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
    for name, text in views("duckdb"):
        connection.execute(f"CREATE VIEW {name} AS\n{text}")


def _settings(home: Path) -> tuple[str, ...]:
    spill = Path(tempfile.gettempdir()) / f"live-traffic-{uuid4().hex}"
    return (
        "SET TimeZone = 'UTC'",
        f"SET memory_limit = '{_MEMORY}'",
        f"SET temp_directory = {_quoted(str(spill))}",  # made when a query outgrows the memory
        "SET autoinstall_known_extensions = false",
        "SET autoload_known_extensions = false",
        "SET python_enable_replacements = false",  # else a name could mean a variable of the caller
        f"SET allowed_directories = [{_quoted(str(home))}, {_pattern(home)}]",
        "SET enable_external_access = false",
        "SET lock_configuration = true",
    )


def _source(home: Path, table: Table) -> str:
    """The SELECT that is this table: its files with the declared columns and types."""
    if table is WAREHOUSE:
        return f"SELECT {_facts(home)}"
    files = [_pattern(path) for path in _files(home, table)]
    if not files:
        empty = (f"CAST(NULL AS {_TYPES[c.kind]}) AS {_name(c.name)}" for c in table.columns)
        return f"SELECT {', '.join(empty)} WHERE false"
    cast = (f"CAST({_name(c.name)} AS {_TYPES[c.kind]}) AS {_name(c.name)}" for c in table.columns)
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
    values = (warehouse_file.FORMAT_VERSION, made.step, _quoted(made.timezone), made.settle_after)
    return ", ".join(
        f"CAST({value} AS {_TYPES[column.kind]}) AS {column.name}"
        for value, column in zip(values, WAREHOUSE.columns, strict=True)
    )


def _answered(root: Path, statement: str) -> pa.Table:
    with _confined(root) as connection:
        try:
            _check_reading(connection, statement)
            _furnish(connection, root)
            return _narrowed(connection.sql(statement).to_arrow_table())
        except duckdb.Error as error:
            raise _refusal(connection, error) from error


def _check_reading(connection: duckdb.DuckDBPyConnection, statement: str) -> None:
    """Refuse what is not one statement that only reads, by DuckDB's own parse of it.

    The kind that DuckDB gives a statement is not enough: EXPLAIN ANALYZE runs what it explains, a COPY
    can hide in a WITH, and some table functions write (``enable_logging``).
    """
    if _UNSPEAKABLE.search(statement):
        raise ConfigError("The statement holds characters that no text has.", _READING_REMEDY)
    explained = _EXPLAIN.sub("", statement, count=1)
    parsed = connection.extract_statements(explained)
    if len(parsed) != 1:
        raise ConfigError(f"One statement at a time; that is {len(parsed)}.", _READING_REMEDY)
    serialized = connection.execute("SELECT json_serialize_sql(?)", [explained]).fetchall()
    tree = json.loads(serialized[0][0])
    if tree["error"] or not all(map(_only_reads, _nodes(tree))):
        raise ConfigError(
            "That statement does more than read the warehouse's tables and views.", _READING_REMEDY
        )


def _nodes(tree: object) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
        tree = list(tree.values())
    if isinstance(tree, list):
        for branch in tree:
            yield from _nodes(branch)


def _only_reads(node: dict[str, Any]) -> bool:
    kind = str(node.get("type", ""))
    if kind == "TABLE_FUNCTION":
        return node.get("function", {}).get("function_name") in _READING_FUNCTIONS
    return not kind.endswith("_NODE") or kind in _READING_NODES


def _narrowed(table: pa.Table) -> pa.Table:
    """The table with its 128-bit integers (what DuckDB's sums are) as int64 where all of them fit."""
    for index, field in enumerate(table.schema):
        if field.type == _HUGEINT:
            with suppress(pa.ArrowInvalid):
                table = table.set_column(index, field.name, table.column(index).cast(pa.int64()))
    return table


def _refusal(connection: duckdb.DuckDBPyConnection, error: Exception) -> LiveTrafficError:
    if isinstance(error, duckdb.OutOfMemoryException):
        remedy = "Narrow it to fewer domains or days; what is stored is untouched."
    elif isinstance(error, (duckdb.CatalogException, duckdb.PermissionException)):
        names = connection.execute(
            "SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY 1"
        )
        remedy = f"There are {', '.join(name for (name,) in names.fetchall())}."
    else:
        remedy = "`DESCRIBE traffic_daily` shows a view's columns and types."
    return ConfigError(_first_line(error), remedy)


def _unreadable(home: Path, error: duckdb.Error) -> SinkError:
    return SinkError(
        f"The warehouse {home} cannot be read: {_first_line(error)}",
        "Restore it from a copy, or run `live-traffic fsck`.",
    )


def _first_line(error: Exception) -> str:
    return f"{(str(error).strip() or 'unknown').splitlines()[0].rstrip('.!')}."


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


def _pattern(path: Path) -> str:
    """The path as DuckDB reads it, which takes every path for a glob pattern."""
    return _quoted(escape(str(path)))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
