"""Reading a Parquet warehouse in SQL: its tables and views, in memory, and nothing else.

A statement that a user typed cannot write, nor reach another file or the network: ``load.statements``.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from pathlib import Path

import duckdb
import pyarrow as pa

import sql
from livetraffic.errors import ConfigError, LiveTrafficError, SinkError
from livetraffic.table import TABLES, WAREHOUSE, Column, Table
from load import warehouse_file
from load.duckdb.schema import TYPES
from load.months import STAMPS, path_of
from load.parquet.blame import damage_behind
from load.parquet.files import Directory, Files
from load.statements import (
    check_reading,
    confine,
    first_line,
    narrowed,
    pattern,
    quoted,
    refusal,
    tables_of,
)
from load.views import DUCKDB, definitions

_ATTEMPTS = 3
_EVERYTHING = frozenset({*(table.name for table in TABLES), *sql.names("views")})


def query(root: Path, statement: str) -> pa.Table:
    """What one reading statement answers on the tables and views of the warehouse at ``root``.

    Timestamps are ``timestamp[us, UTC]``; sums of integers are int64 where every value fits. A file
    that a writer replaces meanwhile is read anew.

    Raises:
        ConfigError: there is no warehouse, the statement does more than read, or DuckDB refuses it.
        SinkError: the warehouse's files cannot be read.
    """
    return answer(lambda: Directory(root), statement)


def answer(published: Callable[[], Files], statement: str) -> pa.Table:
    """As ``query``, on the files that are published when it is asked."""
    for _ in range(_ATTEMPTS - 1):
        files = published()
        before = _stamps(files)
        try:
            return _answered(files, statement)
        except (ConfigError, SinkError):
            if _stamps(published()) == before:
                raise
    return _answered(published(), statement)


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
        _furnish(connection, Directory(root), _EVERYTHING)
    except BaseException:
        connection.close()
        raise
    return connection


def _confined(root: Path) -> duckdb.DuckDBPyConnection:
    """An empty DuckDB that can reach nothing but the files under ``root``."""
    connection = duckdb.connect(":memory:")
    confine(connection, root.absolute())
    return connection


def _furnish(connection: duckdb.DuckDBPyConnection, files: Files, wanted: frozenset[str]) -> None:
    """Create the tables, as views of the warehouse's files, and the views over them.

    Args:
        connection: an empty one.
        files: of the warehouse.
        wanted: the tables and views that are asked for; those that they need come with them.
    """
    made = _existing(files)
    # warehouse.json is the last file that a move forward replaces: also when it was killed.
    older = made.version < warehouse_file.FORMAT_VERSION
    sources = [
        (table.name, _source(files, table, older=older))
        for table in TABLES
        if table is not WAREHOUSE and table.name in wanted
    ]
    sources.append((WAREHOUSE.name, f"SELECT {_facts(made)}"))
    try:
        for name, source in sources:
            connection.execute(f"CREATE VIEW {name} AS {source}")
        install_views(connection, wanted)
    except duckdb.Error as error:
        raise _damaged(files, error) or _unreadable(files, error) from error


def install_views(
    connection: duckdb.DuckDBPyConnection, wanted: Collection[str] = _EVERYTHING
) -> None:
    """Create the views of ``sql/views`` over the connection's tables."""
    for name, text in definitions(DUCKDB):
        if name in wanted:
            connection.execute(f"CREATE VIEW {name} AS\n{text}")


def _needed(connection: duckdb.DuckDBPyConnection, statement: str) -> frozenset[str]:
    """The tables and views that a statement speaks of, with all that these are made of."""
    spoken = tables_of(connection, statement)
    needs = {name: sql.references(text) for name, text in definitions(DUCKDB)}
    if spoken is None or not spoken & (needs.keys() | {table.name for table in TABLES}):
        return _EVERYTHING
    found: set[str] = set()
    left = set(spoken)
    while left:
        found |= left
        left = set().union(*(needs.get(name, set()) for name in left)) - found
    return frozenset(found)


def _source(files: Files, table: Table, *, older: bool) -> str:
    """The SELECT that is this table: its files with the declared columns and types.

    ``older``: some files may lack columns that came later (``load.parquet.migration``).
    """
    paths = [pattern(path.absolute()) for path in _files(files, table)]
    if not paths:
        empty = (f"CAST(NULL AS {TYPES[c.kind]}) AS {_name(c.name)}" for c in table.columns)
        return f"SELECT {', '.join(empty)} WHERE false"
    found = (
        f"read_parquet([{', '.join(paths)}], hive_partitioning = false, union_by_name = {older})"
    )
    later = [column for column in table.columns if column.since > 1]
    if older and later:
        nothing = ", ".join(f"CAST(NULL AS {TYPES[c.kind]}) AS {_name(c.name)}" for c in later)
        found = f"(SELECT * FROM {found} UNION ALL BY NAME SELECT {nothing} WHERE false)"  # noqa: S608 - our names, quoted paths
    return f"SELECT {', '.join(map(_cast, table.columns))} FROM {found}"  # noqa: S608 - as above


def _cast(column: Column) -> str:
    name = _name(column.name)
    value = name if column.nullable or column.since == 1 else f"COALESCE({name}, '')"
    return f"CAST({value} AS {TYPES[column.kind]}) AS {name}"


def _files(files: Files, table: Table) -> Iterator[Path]:
    relative = [f"{table.name}.parquet"]
    if table in STAMPS:
        relative = [path_of(table.name, month) for month in files.months(table.name)]
    return (path for path in map(files.path, relative) if path.is_file())


def _existing(files: Files) -> warehouse_file.Made:
    path = files.path(warehouse_file.NAME)
    made = warehouse_file.read(path) if files.distant else warehouse_file.found(files.directory)
    if made is None:
        raise ConfigError(
            f"There is no warehouse in {_absolute(files)}.",
            "Name one in LIVE_TRAFFIC_WAREHOUSE, or make one with `live-traffic backfill`.",
        )
    return made


def _facts(made: warehouse_file.Made) -> str:
    values = (made.version, made.step, quoted(made.timezone), made.settle_after)
    return ", ".join(
        f"CAST({value} AS {TYPES[column.kind]}) AS {column.name}"
        for value, column in zip(values, WAREHOUSE.columns, strict=True)
    )


def _answered(files: Files, statement: str) -> pa.Table:
    with _confined(files.directory) as connection:
        try:
            check_reading(connection, statement)
            wanted = _needed(connection, statement) if files.distant else _EVERYTHING
            _furnish(connection, files, wanted)
            return narrowed(connection.sql(statement).to_arrow_table())
        except duckdb.Error as error:
            raise _damaged(files, error) or refusal(connection, error) from error


def _absolute(files: Files) -> object:
    return files.place if files.distant else files.directory.absolute()


def _damaged(files: Files, error: duckdb.Error) -> LiveTrafficError | None:
    return damage_behind(error, (path for table in TABLES for path in _files(files, table)))


def _unreadable(files: Files, error: duckdb.Error) -> SinkError:
    return SinkError(
        f"The warehouse {_absolute(files)} cannot be read: {first_line(error)}",
        "`live-traffic fsck --repair` finds what is wrong and mends it.",
    )


def _stamps(files: Files) -> object:
    """What tells the warehouse's files from those that replace them."""
    if files.distant:
        return files  # equal where the same commit is published
    stamps: dict[Path, tuple[int, int, int]] = {}
    for table in TABLES:
        for path in _files(files, table):
            with suppress(FileNotFoundError):
                status = path.stat()
                stamps[path] = (status.st_ino, status.st_mtime_ns, status.st_size)
    return stamps


def _name(column: str) -> str:
    return f'"{column}"'
