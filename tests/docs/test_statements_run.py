"""Every SQL statement and every Python block in the docs is run on a warehouse."""

import re

import pytest

from docs.blocks import Block, blocks
from flows.cli import main

ASKED_ELSEWHERE = {"docs/ten-questions.md"}
"""With their answers, in tests/sql/test_ten_questions.py; grants in test_documented_rights.py."""
ENGINES = ("parquet", "sqlite", "postgresql", "mariadb")
_SPECIAL = re.compile(r"-- (\w+)(?:: (loader|reader))?")
_OFFSET = re.compile(r"'(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\+00'")


def _questions() -> list[tuple[Block, str]]:
    """Each block with each engine that it is for; grants have a test of their own."""
    found = []
    for block in blocks("sql"):
        first = block.text.splitlines()[0]
        special = _SPECIAL.fullmatch(first)
        if block.page in ASKED_ELSEWHERE or (special and special[2]):
            continue
        found += [(block, engine) for engine in ([special[1]] if special else ENGINES)]
    return found


def _spelt(statement: str, engine: str) -> str:
    """Instants as the engine writes them: the one thing that the pages say differs."""
    form = {"sqlite": r"'\1.000000'", "mariadb": r"'\1'"}.get(engine, r"'\1+00'")
    return _OFFSET.sub(form, statement)


@pytest.mark.parametrize(
    ("block", "engine"),
    _questions(),
    ids=str,
)
def test_the_statement_is_answered(block, engine, at_home, copied, capsys, monkeypatch):
    """Every statement of the block, read-only, by the documented way."""
    monkeypatch.setenv("LIVE_TRAFFIC_WAREHOUSE", copied(engine))
    for statement in filter(str.strip, block.text.split(";\n")):
        code = main(["sql", _spelt(statement.strip().removesuffix(";"), engine), "--csv"])
        said = capsys.readouterr()
        assert code == 0, said.err
        assert said.out.count("\n") >= 1


@pytest.mark.parametrize(
    "block", [b for b in blocks("python") if "…" not in b.text and "boto3" not in b.text], ids=str
)
def test_the_python_block_runs(block, at_home):
    """Beside ``./warehouse``, as the pages say; a month in it takes the place of theirs."""
    month = min(at_home.home.glob("warehouse/traffic/month=*")).name
    text = re.sub(r"month=\d{4}-\d\d", month, block.text)
    exec(compile(text, str(block), "exec"), {})  # noqa: S102 - our own page
