"""The tables of a warehouse in DuckDB's words."""

from livetraffic.table import TABLES, Kind, Table

TYPES = {
    Kind.TEXT: "VARCHAR",
    Kind.INTEGER: "BIGINT",
    Kind.TIMESTAMP: "TIMESTAMP WITH TIME ZONE",
    Kind.DATE: "DATE",
}
INSTALLED_VIEWS = "CREATE TABLE IF NOT EXISTS installed_views (name VARCHAR, digest VARCHAR)"


def statements() -> list[str]:
    """What creates the tables that are not there.

    Without primary keys: only this program writes, one commit at a time, with keys that it checked;
    DuckDB's index for them would make a first load five times slower and the file five times larger.
    """
    return [*map(_creation, TABLES), INSTALLED_VIEWS]


def _creation(table: Table) -> str:
    columns = (
        f'"{column.name}" {TYPES[column.kind]}{"" if column.nullable else " NOT NULL"}'
        for column in table.columns
    )
    return f"CREATE TABLE IF NOT EXISTS {table.name} ({', '.join(columns)})"
