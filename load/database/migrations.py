"""The steps by which the tables of an older format move forward; none ever goes back.

MariaDB and MySQL commit each statement that changes a table, so a step may be found half done: each
looks at what is there and does the rest.
"""

from collections.abc import Callable, Mapping

from sqlalchemy import Connection, inspect, text

from livetraffic.table import RECONCILIATIONS, TABLES
from load.database import ddl
from load.database.dialect import Dialect

Migration = Callable[[Connection, Dialect], None]
"""One step forward, under the commit lock."""


def to_version_2(connection: Connection, dialect: Dialect) -> None:
    """The API of a domain and its move, the age of a replaced value, and ``reconciliations``.

    A column that is added stands last in its table, whatever its place in the definition.
    """
    inspector = inspect(connection)
    for table in TABLES:
        later = [column for column in table.columns if column.since == 2]
        there = {found["name"] for found in inspector.get_columns(table.name)} if later else set()
        for column in later:
            if column.name not in there:
                connection.exec_driver_sql(ddl.added(table, column, dialect.words))
    connection.exec_driver_sql(ddl.create(RECONCILIATIONS, dialect.words))
    connection.execute(text("UPDATE warehouse SET format_version = 2"))


MIGRATIONS: Mapping[int, Migration] = {2: to_version_2}
"""By the version that each leads to. Version 1 is what the first release made."""
