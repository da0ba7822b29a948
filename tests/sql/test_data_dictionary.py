"""``docs/data-dictionary.md`` says what the tables and views are, column by column."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import sql
from livetraffic.table import TABLES, Kind
from tests.sql.engines import ENGINES, sqlite_path
from tests.sql.warehouses import duckdb_in_memory

PAGE = Path(__file__).parents[2] / "docs" / "data-dictionary.md"
KINDS = {
    Kind.TEXT: "TEXT",
    Kind.INTEGER: "BIGINT",
    Kind.TIMESTAMP: "TIMESTAMP",
    Kind.DATE: "DATE",
}
DUCKDB = {
    "VARCHAR": "TEXT",
    "BIGINT": "BIGINT",
    "INTEGER": "INTEGER",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMP",
    "DATE": "DATE",
    "BOOLEAN": "BOOLEAN",
    "DOUBLE": "DOUBLE",
}
ASKED = {
    "duckdb": "SELECT column_name AS c, column_type AS t FROM (DESCRIBE {name})",
    "postgresql": "SELECT column_name AS c, data_type AS t FROM information_schema.columns"
    " WHERE table_schema = current_schema() AND table_name = '{name}' ORDER BY ordinal_position",
    "mariadb": "SELECT column_name AS c, data_type AS t FROM information_schema.columns"
    " WHERE table_schema = database() AND table_name = '{name}' ORDER BY ordinal_position",
}
SPELLED = {
    "duckdb": DUCKDB,
    "postgresql": {
        "text": "TEXT",
        "bigint": "BIGINT",
        "integer": "INTEGER",
        "timestamp with time zone": "TIMESTAMP",
        "date": "DATE",
        "boolean": "BOOLEAN",
        "double precision": "DOUBLE",
    },
    "mariadb": {
        "varchar": "TEXT",
        "text": "TEXT",
        "mediumtext": "TEXT",
        "bigint": "BIGINT",
        "int": "INTEGER",
        "datetime": "TIMESTAMP",
        "date": "DATE",
        "double": "DOUBLE",
    },
}
Columns = list[tuple[str, str]]


def _documented() -> dict[str, Columns]:
    found: dict[str, Columns] = {}
    for section in re.split(r"^### ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        title = section.split("`")[1]
        found[title] = re.findall(r"^\| `(\w+)` \| ([A-Za-z ]+?) \|", section, flags=re.MULTILINE)
    return found


def _plain(columns: Columns) -> Columns:
    return [(name, kind.removesuffix(" or null")) for name, kind in columns]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_tables_columns_are_documented(table: object) -> None:
    definition = next(known for known in TABLES if known is table)
    declared = [
        (column.name, KINDS[column.kind] + (" or null" if column.nullable else ""))
        for column in definition.columns
    ]
    assert _documented()[definition.name] == declared


@pytest.mark.parametrize("view", sql.names("views"))
def test_a_views_columns_are_documented(view: str, tmp_path: Path) -> None:
    rows = duckdb_in_memory(tmp_path, {})(f"DESCRIBE {view}")
    found = [(str(row["column_name"]), DUCKDB[str(row["column_type"])]) for row in rows]
    assert _plain(_documented()[view]) == found


@pytest.mark.parametrize("name", [*(table.name for table in TABLES), *sql.names("views")])
@pytest.mark.parametrize("engine", ASKED)
def test_the_installed_columns_are_those_documented(engine: str, name: str, tmp_path: Path) -> None:
    """MariaDB has no BOOLEAN of its own, and numbers the rows of tables without a key."""
    made_with = {"step_seconds": 300, "timezone": "UTC", "format_version": 2}
    rows = ENGINES[engine](tmp_path, {"warehouse": [made_with]})(ASKED[engine].format(name=name))
    found = [(str(row["c"]), str(row["t"])) for row in rows]
    wanted = _plain(_documented()[name])
    spelled = [(column, SPELLED[engine][kind]) for column, kind in found if column != "row_id"]
    if engine == "mariadb":
        flags = ("complete", "agrees")
        zero_or_one = {(name, kind) for name in flags for kind in ("INTEGER", "BIGINT")}
        spelled = [(c, "BOOLEAN") if (c, k) in zero_or_one else (c, k) for c, k in spelled]
    assert spelled == wanted


@pytest.mark.parametrize("name", [*(table.name for table in TABLES), *sql.names("views")])
def test_the_columns_in_sqlite_are_those_documented(name: str, tmp_path: Path) -> None:
    """Their names: SQLite has no types for the columns of views."""
    ENGINES["sqlite"](tmp_path, {})
    with closing(sqlite3.connect(sqlite_path())) as connection:
        found = connection.execute(f"SELECT * FROM {name}").description
    assert [column[0] for column in found] == [column for column, _ in _documented()[name]]


def test_nothing_else_is_documented() -> None:
    assert set(_documented()) == {table.name for table in TABLES} | set(sql.names("views"))
