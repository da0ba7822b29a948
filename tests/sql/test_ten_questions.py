"""docs/ten-questions.md: each question asked on every engine, and its answer as it is printed there."""

import re
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.sql.engines import ENGINES
from tests.sql.sample import tables
from tests.sql.warehouses import Answer

PAGE = Path(__file__).parents[2] / "docs/ten-questions.md"
QUESTION = re.compile(
    r"^## (\d+)\. (.+?)\n.*?```sql\n(.*?)```\n\n((?:\|[^\n]*\n)+)", re.DOTALL | re.MULTILINE
)
QUESTIONS = QUESTION.findall(PAGE.read_text(encoding="utf-8"))

_asked: dict[str, Answer] = {}


@pytest.fixture
def ask(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Answer:
    """The sample warehouse in this engine, filled once a process."""
    if engine not in _asked:
        _asked[engine] = ENGINES[engine](tmp_path_factory.mktemp("sample"), tables())
    return _asked[engine]


def printed(value: Any, like: str) -> str:
    """A value as the page prints it; numbers with as many places as the page gives."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    if isinstance(value, date | str):
        return str(value)
    places = len(like.partition(".")[2])
    return f"{Decimal(str(value)):,.{places}f}"


def test_there_are_ten() -> None:
    """Numbered in order, each with its answer."""
    assert [int(number) for number, *_ in QUESTIONS] == list(range(1, 11))


@pytest.mark.parametrize("engine", ENGINES)
def test_the_answers_are_those_of_the_page(ask: Answer, engine: str) -> None:
    """Columns, rows and their order."""
    for number, title, statement, table in QUESTIONS:
        header, _, *lines = [
            [cell.strip() for cell in line.strip("|\n").split("|")] for line in table.splitlines()
        ]
        found = ask(statement)
        assert found, title
        assert list(found[0]) == header, f"{engine}, {number}"
        shown = [
            [printed(value, cell) for value, cell in zip(row.values(), line, strict=True)]
            for row, line in zip(found, lines, strict=True)
        ]
        assert shown == lines, f"{engine}, {number}. {title}"


def test_the_answers_are_right() -> None:
    """Three of them once more, point by point from the sample's rows."""
    rows, grid = tables()["traffic"], {row["timestamp"]: row for row in tables()["calendar"]}
    february = [row for row in rows if grid[row["timestamp"]]["local_month"] == "2026-02"]
    answers = {int(number): table for number, _, _, table in QUESTIONS}

    live = sum(int(str(r["traffic_bytes"])) for r in february if r["domain"] == "live.example.com")
    assert f"| live.example.com | {live:,} |" in answers[1]

    for without, what in (("", "all domains"), ("vod.example.com", "without vod.example.com")):
        points: dict[object, int] = {}
        for row in february:
            if row["domain"] != without:
                points[row["timestamp"]] = points.get(row["timestamp"], 0) + int(
                    str(row["traffic_bytes"])
                )
        kept = sorted(points.values(), reverse=True)[28 * 288 * 5 // 100]
        assert f"| {what} | {(kept * 16 + 300) // 600:,} |" in answers[4]

    weekend = [r for r in february if grid[r["timestamp"]]["local_date"].weekday() > 4]  # type: ignore[attr-defined]
    total = sum(int(str(row["traffic_bytes"])) for row in weekend)
    assert f"| weekend | 8 | {total // 8:,} |" in answers[8]
