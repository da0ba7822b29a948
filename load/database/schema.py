"""The tables and views of a warehouse in a database: made on first use, then moved forward.

A new database gets the tables as they are defined today; an older one gets the migrations that it
lacks, in order. ``schema_version`` says which were applied. Everything happens under the commit lock,
so that two runs that start at once make it once.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, inspect, text

from livetraffic.errors import ConfigError
from livetraffic.table import TABLES, WAREHOUSE, Table
from load import views, warehouse_file
from load.database import ddl
from load.database.dialect import Dialect
from load.database.migrations import MIGRATIONS
from load.warehouse_file import FORMAT_VERSION, Made

VERSION = 2

_VERSIONS = text("SELECT MAX(version) FROM schema_version")
_FACTS = text("SELECT format_version, step_seconds, timezone, settle_after_seconds FROM warehouse")


def version(connection: Connection) -> int | None:
    """The version of the tables; None where there are none. Nothing may be read before.

    Raises:
        ConfigError: a newer live-traffic made them.
    """
    if not inspect(connection).has_table(ddl.SCHEMA_VERSION.name):
        return None
    found = connection.execute(_VERSIONS).scalar_one() or 0
    if found > VERSION:
        raise ConfigError(
            f"The warehouse has schema version {found}; this live-traffic knows {VERSION}.",
            "Use the version of live-traffic that made it, or a newer one.",
        )
    return int(found)


def migrate(connection: Connection, dialect: Dialect) -> None:
    """Bring the tables to this version. The commit lock is held.

    Raises:
        ConfigError: a newer live-traffic made them, or tables of these names are someone else's.
    """
    found = version(connection)
    if found == VERSION:
        return
    if found is None:
        _check_free(connection, dialect)
        connection.exec_driver_sql(ddl.create(ddl.SCHEMA_VERSION, dialect.words))
    if not found:
        # What an older version left of a creation that was killed has its columns.
        create(connection, dialect)
        for step in range(2, VERSION + 1):
            MIGRATIONS[step](connection, dialect)
        _applied(connection, VERSION)
        return
    for step in range(found + 1, VERSION + 1):
        _check_ours(connection, dialect, step)
        MIGRATIONS[step](connection, dialect)
        _applied(connection, step)


def _applied(connection: Connection, step: int) -> None:
    connection.execute(
        text("INSERT INTO schema_version (version) VALUES (:version)"), {"version": step}
    )


def _check_free(connection: Connection, dialect: Dialect) -> None:
    inspector = inspect(connection)
    for table in TABLES:
        if inspector.has_table(table.name):
            raise _taken(dialect, table)


def _check_ours(connection: Connection, dialect: Dialect, step: int) -> None:
    """A table that the step brings may be there half done, but not be someone else's."""
    inspector = inspect(connection)
    for table in TABLES:
        if table.since == step and inspector.has_table(table.name):
            there = {column["name"] for column in inspector.get_columns(table.name)}
            if not there.issuperset(table.column_names):
                raise _taken(dialect, table)


def _taken(dialect: Dialect, table: Table) -> ConfigError:
    return ConfigError(
        f"{dialect.address} already has a table {table.name}, which live-traffic did not make.",
        "Name a database of its own in LIVE_TRAFFIC_WAREHOUSE, or on PostgreSQL ?schema=name.",
    )


def create(connection: Connection, dialect: Dialect) -> None:
    """Make the tables and indexes that are not there."""
    for statement in ddl.tables(dialect.words):
        connection.exec_driver_sql(statement)
    for table, columns in (*ddl.INDEXES, *views.INDEXES):
        name = ddl.index_name(table, columns)
        if name not in {index["name"] for index in inspect(connection).get_indexes(table)}:
            connection.exec_driver_sql(f"CREATE INDEX {name} ON {table} ({', '.join(columns)})")


def install_views(connection: Connection, dialect: Dialect) -> None:
    """Create the views that are missing or whose text changed, and note what is there now."""
    found: Sequence[Any] = connection.execute(
        text("SELECT name, digest FROM installed_views")
    ).all()
    before: dict[str, str] = dict(found)

    def execute(statement: str) -> None:
        connection.exec_driver_sql(statement, execution_options={"no_parameters": True})

    after = views.install(execute, dialect.address.kind, before)
    if after != before:
        connection.execute(text("DELETE FROM installed_views"))
        connection.execute(
            text("INSERT INTO installed_views (name, digest) VALUES (:name, :digest)"),
            [{"name": name, "digest": digest} for name, digest in after.items()],
        )


def made(connection: Connection, place: object) -> Made | None:
    """What the warehouse was made with; None where there is none, and no table need be there.

    MariaDB and MySQL commit each CREATE TABLE, so another run may just be making it: before the
    version is noted, no other table is looked into.

    Raises:
        ConfigError: a newer live-traffic made it.
    """
    layout = version(connection)
    if not layout:
        return None
    row = connection.execute(_FACTS).first()
    if row is None:
        return None
    if row[0] > FORMAT_VERSION:
        raise ConfigError(
            f"{place} has format version {row[0]}; this live-traffic knows {FORMAT_VERSION}.",
            "Use the version of live-traffic that made the warehouse, or a newer one.",
        )
    return replace(warehouse_file.asked(row[1], row[2], row[3]), version=layout)


def put_made(connection: Connection, wanted: Made) -> None:
    """Store what the warehouse is made with."""
    names = WAREHOUSE.column_names
    values = (FORMAT_VERSION, wanted.step, wanted.timezone, wanted.settle_after)
    marks = ", ".join(f":{name}" for name in names)
    connection.execute(text("DELETE FROM warehouse"))
    connection.execute(
        text(f"INSERT INTO warehouse ({', '.join(names)}) VALUES ({marks})"),  # noqa: S608 - ours
        dict(zip(names, values, strict=True)),
    )
