"""What a database lacks of a warehouse's tables and views, and making it."""

from collections.abc import Iterator

from sqlalchemy import Connection, inspect, text

from livetraffic.table import TABLES
from load import views
from load.database import ddl, schema
from load.database.dialect import Dialect
from load.database.migrations import MIGRATIONS


def found(connection: Connection, dialect: Dialect) -> Iterator[str]:
    """Each table, column, key or view that is not there as this version made it."""
    if dialect.self_check:
        told = connection.exec_driver_sql(dialect.self_check).scalars().all()
        yield from (f"it says of itself: {line}" for line in told if line != "ok")
    inspector = inspect(connection)
    for table in (*TABLES, *ddl.OWN_TABLES):
        if not inspector.has_table(table.name):
            yield f"the table {table.name} is missing"
            continue
        there = {column["name"] for column in inspector.get_columns(table.name)}
        for name in sorted(set(table.column_names) - there):
            yield f"{table.name} has no column {name}"
        key = inspector.get_pk_constraint(table.name)["constrained_columns"]
        if table.key and set(key) != set(table.key):
            yield f"{table.name} has no key of {' and '.join(table.key)}"
    known = set(inspector.get_view_names())
    for name in sorted(views.digests(dialect.address.kind).keys() - known):
        yield f"the view {name} is missing"


def mend(connection: Connection, dialect: Dialect) -> None:
    """Make the tables, columns and views that are missing; the commit lock is held."""
    schema.migrate(connection, dialect)
    schema.create(connection, dialect)
    for step in sorted(MIGRATIONS):
        MIGRATIONS[step](connection, dialect)
    known = set(inspect(connection).get_view_names())
    if not known >= views.digests(dialect.address.kind).keys():
        connection.execute(text("DELETE FROM installed_views"))
    schema.install_views(connection, dialect)
