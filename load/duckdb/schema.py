"""The tables and views of a warehouse in a DuckDB file, and what the warehouse was made with."""

from collections.abc import Iterator
from pathlib import Path

import duckdb

from livetraffic.table import TABLES, WAREHOUSE, Column, Kind, Table
from load import views
from load.failure import damaged
from load.warehouse_file import FORMAT_VERSION, Made, checked_facts

TYPES = {
    Kind.TEXT: "VARCHAR",
    Kind.INTEGER: "BIGINT",
    Kind.TIMESTAMP: "TIMESTAMP WITH TIME ZONE",
    Kind.DATE: "DATE",
}
_NAMES = "SELECT table_name FROM duckdb_tables() WHERE NOT internal"
_VIEWS = "SELECT view_name FROM duckdb_views() WHERE NOT internal"
_INSTALLED = "CREATE TABLE IF NOT EXISTS installed_views (name VARCHAR, digest VARCHAR)"


def found(connection: duckdb.DuckDBPyConnection, path: Path) -> Made | None:
    """What the warehouse was made with; None where there is none in the database.

    Raises:
        ConfigError: a newer version made it.
        SinkError: it is damaged.
    """
    tables = {name for (name,) in connection.execute(_NAMES).fetchall()}
    if WAREHOUSE.name not in tables:
        if {"traffic", "load_ledger"} & tables:
            raise damaged(path, "it has tables of a warehouse, but no table warehouse")
        return None
    facts = connection.table(WAREHOUSE.name).select(*WAREHOUSE.column_names).fetchall()
    if len(facts) != 1:
        raise damaged(path, f"its table warehouse has {len(facts)} rows")
    return checked_facts(path, *facts[0])


def has(connection: duckdb.DuckDBPyConnection, table: Table) -> bool:
    """Whether the table is there; one that came with a later version may not be."""
    return (table.name,) in connection.execute(_NAMES).fetchall()


def has_views(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the views are those of this version."""
    return _installed(connection) == views.digests(views.DUCKDB)


def faults(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """Each table, column or view that is not there as this version made it."""
    tables = {name for (name,) in connection.execute(_NAMES).fetchall()}
    for table in TABLES:
        if table.name not in tables:
            yield f"the table {table.name} is missing"
            continue
        there = set(connection.table(table.name).columns)
        for name in sorted(set(table.column_names) - there):
            yield f"{table.name} has no column {name}"
    known = {name for (name,) in connection.execute(_VIEWS).fetchall()}
    for name in sorted(views.digests(views.DUCKDB).keys() - known):
        yield f"the view {name} is missing"


def create(connection: duckdb.DuckDBPyConnection, made: Made) -> None:
    """Make what is not there: tables, views, the warehouse's one row.

    Without primary keys: only this program writes, one commit at a time, with keys that it checked.
    DuckDB's index for them makes a first load five times slower and the file five times larger.
    """
    for table in TABLES:
        connection.execute(_creation(table))
        _move_forward(connection, table)
    connection.execute(_INSTALLED)
    _install_views(connection)
    connection.execute("DELETE FROM warehouse")
    values = [FORMAT_VERSION, made.step, made.timezone, made.settle_after]
    connection.execute("INSERT INTO warehouse VALUES (?, ?, ?, ?)", values)


def _move_forward(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Give a table of an older format today's columns, in their order, by writing it anew.

    DuckDB cannot add a column that must not be null. Only small tables have newer columns.
    """
    there = connection.table(table.name).columns
    later = [column for column in table.columns if column.name not in there]
    if not later:
        return
    added = ", ".join(f"{_absent(column)} AS {column.name}" for column in later)
    connection.execute(f"CREATE TEMP TABLE kept AS SELECT * FROM {table.name}")  # noqa: S608 - ours
    connection.execute(f"DROP TABLE {table.name}")
    connection.execute(_creation(table))
    connection.execute(f"INSERT INTO {table.name} BY NAME SELECT *, {added} FROM kept")  # noqa: S608 - ours
    connection.execute("DROP TABLE kept")


def _absent(column: Column) -> str:
    return f"CAST({'NULL' if column.nullable else chr(39) * 2} AS {TYPES[column.kind]})"


def _install_views(connection: duckdb.DuckDBPyConnection) -> None:
    known = {name for (name,) in connection.execute(_VIEWS).fetchall()}
    before = {name: text for name, text in _installed(connection).items() if name in known}
    now = views.install(connection.execute, views.DUCKDB, before)
    if now != before:
        connection.execute("DELETE FROM installed_views")
        connection.executemany("INSERT INTO installed_views VALUES (?, ?)", sorted(now.items()))


def _installed(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    return dict(connection.execute("SELECT name, digest FROM installed_views").fetchall())


def _creation(table: Table) -> str:
    columns = (
        f'"{column.name}" {TYPES[column.kind]}{"" if column.nullable else " NOT NULL"}'
        for column in table.columns
    )
    return f"CREATE TABLE IF NOT EXISTS {table.name} ({', '.join(columns)})"
