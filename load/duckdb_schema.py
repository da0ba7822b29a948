"""The tables and views of a warehouse in a DuckDB file, and what the warehouse was made with."""

from pathlib import Path

import duckdb

from livetraffic.table import TABLES, WAREHOUSE, Kind, Table
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


def has_views(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the views are those of this version."""
    return _installed(connection) == views.digests(views.DUCKDB)


def create(connection: duckdb.DuckDBPyConnection, made: Made) -> None:
    """Make what is not there: tables, views, the warehouse's one row.

    Without primary keys: only this program writes, one commit at a time, with keys that it checked.
    DuckDB's index for them makes a first load five times slower and the file five times larger.
    """
    for table in TABLES:
        connection.execute(_creation(table))
    connection.execute(_INSTALLED)
    _install_views(connection)
    connection.execute("DELETE FROM warehouse")
    values = [FORMAT_VERSION, made.step, made.timezone, made.settle_after]
    connection.execute("INSERT INTO warehouse VALUES (?, ?, ?, ?)", values)


def _install_views(connection: duckdb.DuckDBPyConnection) -> None:
    before = _installed(connection)
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
