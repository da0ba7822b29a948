"""``docs/data-dictionary.md`` says what the tables and views are, column by column."""

import re
from pathlib import Path

import pytest

import sql
from livetraffic.table import TABLES, Kind
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


def test_nothing_else_is_documented() -> None:
    assert set(_documented()) == {table.name for table in TABLES} | set(sql.names("views"))
