"""Every view on small given tables, with the answer written beside them by hand."""

import csv
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import sql
from tests.sql.engines import ENGINES
from tests.sql.local_grid import calendar, months

HERE = Path(__file__).parent
CASES = sorted(path.parent for path in HERE.glob("*/*/expect.csv"))
Rows = list[dict[str, Any]]


def _read(path: Path) -> Rows:
    """Typed by the look of each value; empty is null."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as lines:
        return [{name: _typed(text) for name, text in row.items()} for row in csv.DictReader(lines)]


def _typed(text: str) -> object:
    if text in ("", "true", "false"):
        return {"": None, "true": True, "false": False}[text]
    if text.endswith("Z"):
        return datetime.fromisoformat(text).astimezone(UTC)
    for kind in (int, float, date.fromisoformat):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _calendar(facts: dict[str, Any]) -> Rows:
    first, last = facts.pop("calendar_from"), facts.pop("calendar_until")
    fill = calendar if isinstance(first, datetime) else months
    settle_after = facts["settle_after_seconds"]
    return list(fill(facts["timezone"], first, last, facts["step_seconds"], settle_after))


def _points(rows: Rows, step: int) -> Iterator[dict[str, Any]]:
    """One row for each point of ``[timestamp, until)``; without ``until`` for the one."""
    for row in rows:
        until = row.pop("until") or row["timestamp"] + timedelta(seconds=step)
        for number in range((until - row["timestamp"]) // timedelta(seconds=step)):
            yield {**row, "timestamp": row["timestamp"] + timedelta(seconds=step * number)}


def _given(case: Path) -> dict[str, Rows]:
    tables = {path.name.split(".")[1]: _read(path) for path in case.glob("given.*.csv")}
    facts = tables["warehouse"][0]
    tables["calendar"] = _calendar(facts)
    facts["format_version"] = 2
    tables["traffic"] = list(_points(tables.get("traffic", []), facts["step_seconds"]))
    return tables


def _sorted(rows: Rows) -> Rows:
    return sorted(rows, key=lambda row: [str(value) for value in row.values()])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}-{case.name}")
def test_the_view_answers_as_expected(case: Path, engine: str, tmp_path: Path) -> None:
    """Same rows and columns as ``expect.csv``, in any order of rows."""
    answer = ENGINES[engine](tmp_path, _given(case))
    found = answer(f"SELECT * FROM {case.parent.name}")
    assert _sorted(found) == _sorted(_read(case / "expect.csv"))


def test_every_view_has_a_case() -> None:
    """And every case has a view."""
    assert {case.parent.name for case in CASES} == set(sql.names("views"))
