"""Guards over ``sql/``: found, ordered, headed, plain."""

import re
from importlib.resources import files
from itertools import takewhile
from pathlib import Path

import duckdb
import pytest

import sql
from load import views
from tests.sql.warehouses import duckdb_in_memory

DIALECTS = (None, *views.DIALECTS)
FILES = sorted(Path(str(files("sql"))).joinpath("views").rglob("*.sql"))


def _id(path: Path) -> str:
    return path.name


def test_every_file_is_a_statement_or_a_sibling_of_one() -> None:
    stems = {path.name.split(".")[0] for path in FILES if path.parent.name == "views"}
    assert stems == set(sql.names("views"))
    assert len(FILES) >= len(stems) > 15


@pytest.mark.parametrize("path", FILES, ids=_id)
def test_a_file_opens_with_what_it_is_for(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    head = list(takewhile(lambda line: line.startswith("--"), lines))
    words = " ".join(head)
    assert len(head) >= 3
    assert all(word in words for word in ("Grain: ", "Unit", "one:", "Rule: "))
    assert ("Differs for" in words) == (path.name.count(".") == 2)
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize("path", FILES, ids=_id)
def test_a_file_is_one_bare_select_without_templates(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "{" not in text
    assert ";" not in re.sub(r"--[^\n]*", "", text)
    (parsed,) = duckdb.connect(":memory:").extract_statements(text)
    assert parsed.type == duckdb.StatementType.SELECT


@pytest.mark.parametrize("path", [p for p in FILES if p.name.count(".") == 1], ids=_id)
def test_a_portable_file_uses_no_dialect(path: Path) -> None:
    text = re.sub(r"--[^\n]*", "", path.read_text(encoding="utf-8")).lower()
    text = text.replace("extract(epoch from", "")  # the one that load.views spells for each engine
    words = r"::|//|\b(greatest|least|date_trunc|extract|interval|qualify|filter|asof|strftime)\b"
    assert re.findall(words, text) == []


@pytest.mark.parametrize("dialect", DIALECTS)
def test_views_come_after_what_they_refer_to(dialect: str | None) -> None:
    seen: set[str] = set()
    for name, text in sql.views(dialect):
        code = re.sub(r"--[^\n]*", "", text)
        others = set(sql.names("views")) - seen - {name}
        assert not others & set(re.findall(r"(?:FROM|JOIN)\s+(\w+)", code)), name
        seen.add(name)
    assert seen == set(sql.names("views"))


def test_a_dialects_sibling_wins() -> None:
    assert "//" in sql.statement("views/bandwidth", "duckdb")
    assert sql.statement("views/bandwidth", "sqlite") == sql.statement("views/bandwidth")
    assert sql.statement("views/traffic_daily", "mysql") != sql.statement("views/traffic_daily")
    assert sql.statement("views/traffic_daily", "duckdb") == sql.statement("views/traffic_daily")


@pytest.mark.parametrize(
    "name", ["views/nope", "nope/traffic_daily", "traffic_daily", "views/../x"]
)
def test_an_unknown_statement_is_a_key_error(name: str) -> None:
    with pytest.raises(KeyError):
        sql.statement(name)


def test_all_views_are_installed(tmp_path: Path) -> None:
    answer = duckdb_in_memory(tmp_path, {})
    found = {row["name"] for row in answer("SHOW TABLES")}
    assert found >= set(sql.names("views"))
