"""docs/how-do-i-connect-a-bi-tool.md names views and fields that there are."""

import re
from pathlib import Path

import sql
from livetraffic.table import TABLES

DOCS = Path(__file__).parents[2] / "docs"


def _fields() -> dict[str, set[str]]:
    """The columns of every table and view, as the data dictionary (itself under test) lists them."""
    sections = re.split(
        r"^### `(\w+)`$", (DOCS / "data-dictionary.md").read_text(), flags=re.MULTILINE
    )
    return {
        name: set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))
        for name, text in zip(sections[1::2], sections[2::2], strict=True)
    }


def test_every_picture_has_its_view_and_fields() -> None:
    """Each row of the table: the views exist, and the fields are columns of one of them."""
    page = (DOCS / "how-do-i-connect-a-bi-tool.md").read_text()
    table = page.split("| --- | --- | --- |\n")[1].split("\n\n")[0]
    known, fields = {*sql.names("views"), *(each.name for each in TABLES)}, _fields()
    for line in table.splitlines():
        _, _, views, columns, _ = line.split("|")
        named = re.findall(r"`(\w+)`", views)
        assert named
        assert set(named) <= known
        offered = set().union(*(fields[view] for view in named))
        assert set(re.findall(r"`(\w+)`", columns)) <= offered, line


def test_other_names_on_the_page_are_views_too() -> None:
    """Nothing that looks like one of ours is misspelt."""
    page = (DOCS / "how-do-i-connect-a-bi-tool.md").read_text()
    named = re.findall(r"`(?:live_traffic\.)?((?:traffic|bandwidth|coverage|domain)_\w+)`", page)
    fields = {field for columns in _fields().values() for field in columns}
    assert set(named) <= {*sql.names("views"), *fields, *(each.name for each in TABLES)}
