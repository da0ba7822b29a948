"""Guards over ``sql/database``: each is used, says what it does, and is plain SQL."""

import re
from importlib.resources import files
from pathlib import Path

import pytest

import sql

FOLDER = Path(str(files("sql"))) / "database"
FILES = sorted(FOLDER.glob("*.sql"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_statement_says_what_it_is_for_and_has_no_template(path: Path) -> None:
    content = path.read_text(encoding="utf-8")
    lines = content.splitlines()
    assert lines[0].startswith("-- ")
    assert max(map(len, lines)) <= 100
    assert "{" not in content
    assert ";" not in re.sub(r"--[^\n]*", "", content)
    assert ("Differs for" in content) == (path.name.count(".") == 2)


def test_every_statement_is_used() -> None:
    folder = Path(__file__).parents[3] / "load" / "database"
    source = "".join((folder / name).read_text("utf-8") for name in ("upsert.py", "totals.py"))
    for name in sql.names("database"):
        assert f'"{name}"' in source, name
