"""Every view agrees with a brute-force oracle on random warehouses."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from livetraffic.domain import Domain
from livetraffic.ledger import Entry, fold
from livetraffic.route import counted
from livetraffic.window import Window, to_seconds
from tests.sql.engines import IN_BULK
from tests.sql.local_grid import calendar
from tests.sql.view_oracle import PUBLIC, Oracle

Rows = list[dict[str, Any]]

SETTLE = 6 * 3600
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
GRIDS = {
    # Zone and the stretch of UTC time that the calendar holds: a month's end, mostly with a change.
    "fall back": ("America/New_York", "2026-10-30T06:00", "2026-11-03T06:00", 300),
    "spring forward": ("America/New_York", "2026-03-07T05:00", "2026-03-10T04:00", 300),
    "Shanghai": ("Asia/Shanghai", "2026-02-26T16:00", "2026-03-02T16:00", 300),
    "half hour": ("Asia/Kolkata", "2026-04-28T18:30", "2026-05-02T18:30", 300),
    "half-hour change": ("Australia/Lord_Howe", "2026-04-02T13:00", "2026-04-06T13:30", 300),
    "hours": ("Europe/Berlin", "2026-03-26T23:00", "2026-04-03T22:00", 3600),
    "days": ("Asia/Shanghai", "2026-01-01T00:00", "2026-03-01T00:00", 86400),
}
SEEDS = [(engine, seed) for engine in IN_BULK for seed in range(4 if engine == "memory" else 1)]
BYTES = (0, 0, 0, 18, 19, 56, 57, 74, 75, 10**9, 10**9, 10**9 + 1, 2**53 + 1)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _between(rng: random.Random, first: datetime, last: datetime) -> datetime:
    return first + timedelta(seconds=rng.randint(0, int((last - first).total_seconds())))


def _entries(rng: random.Random, domain: str, points: Sequence[datetime], step: int) -> Rows:
    entries = []
    for _ in range(rng.randint(1, 9)):
        first = rng.randrange(len(points))
        last = rng.randint(first + 1, len(points))
        end = points[last - 1] + timedelta(seconds=step)
        fetched = _between(rng, points[first], points[-1] + timedelta(days=2))
        if rng.random() < 0.4:  # to the second at which some point settles, or just before
            settling = rng.choice(points) + timedelta(seconds=step + SETTLE)
            fetched = settling - timedelta(microseconds=rng.choice((0, 0, 1)))
        states = ("read", "read", "read", "read", "partial", "failed", "lost", "gone")
        entries.append(
            {
                "domain": domain,
                "window_start": points[first],
                "window_end": end,
                "state": rng.choice(states),
                "source": rng.choice(("v1", "v2")),
                "fetched_at": fetched,
            }
        )
    return entries


def _rows(rng: random.Random, domain: str, entries: Rows, points: Sequence[datetime]) -> Rows:
    kept = rng.choice((0.05, 0.5, 0.98))
    reads = [e for e in entries if e["state"] == "read"]
    stored = []
    for point in points:
        read = any(e["window_start"] <= point < e["window_end"] for e in reads)
        if read and rng.random() < kept:
            value = rng.choice(BYTES)
            loaded_at = point + timedelta(days=3)
            row = {"domain": domain, "timestamp": point, "traffic_bytes": value}
            stored.append({**row, "source": "v1", "loaded_at": loaded_at})
    return stored


def _revised(rng: random.Random, rows: Rows) -> Rows:
    """Some values were others before; now and then two followed each other at one instant."""
    revisions = []
    for row in rng.sample(rows, min(len(rows), rng.randint(0, 40))):
        written = rng.choice((None, row["loaded_at"]))
        at, value = row["loaded_at"] + timedelta(hours=rng.randint(1, 50)), rng.choice(BYTES)
        for _ in range(rng.randint(1, 3)):
            key = {"domain": row["domain"], "timestamp": row["timestamp"], "revised_at": at}
            revisions.append({**key, "old_bytes": value, "old_loaded_at": written})
            written, value = at, rng.choice(BYTES)
            at += rng.choice((timedelta(microseconds=1), timedelta(hours=9)))
        row["loaded_at"] = written
    return revisions


def _checks(rng: random.Random, points: Sequence[datetime]) -> Rows:
    """Some sums were checked again and again, each time at another instant."""
    return [
        {
            "checked_at": points[-1] + timedelta(minutes=number),
            "run_id": f"run-{number}",
            "kind": kind,
            "domain": "*" if kind == "tenant" else rng.choice(("d0.example.com", "d1.example.com")),
            "window_start": points[0],
            "window_end": rng.choice((points[2], points[-1])),
            "source": rng.choice(("v1", "v2")),
            "account": rng.choice(("acc", "acc-2")),
            "stored_bytes": rng.choice(BYTES),
            "source_bytes": rng.choice(BYTES),
            "difference_bytes": -rng.choice(BYTES),
            "tolerance_bytes": rng.choice(BYTES),
            "state": rng.choice(("agrees", "differs", "untracked")),
            "detail": rng.choice(("", "re-read")),
        }
        for number in range(rng.randint(0, 30))
        for kind in (rng.choice(("domain", "domain", "tenant")),)
    ]


def _listed(rng: random.Random, domain: str, points: Sequence[datetime]) -> Rows:
    if rng.random() < 0.3:
        return []
    first, last = points[0] - timedelta(days=1), points[-1] + timedelta(days=1)
    # The calendar reaches past last_seen by the time that a later list lacks the domain.
    seen = rng.choice((_between(rng, first, points[-1]), rng.choice(points)))
    return [
        {
            "domain": domain,
            "create_time": rng.choice((None, rng.choice(points), _between(rng, first, last))),
            "last_seen": seen,
            "unlisted_since": rng.choice((None, seen + timedelta(hours=3))),
            **_served(rng, points),
        }
    ]


def _served(rng: random.Random, points: Sequence[datetime]) -> dict[str, Any]:
    """Half of the domains as they were before it was asked which API serves them."""
    api = rng.choice(("", "", "v1", "v2"))
    moved = rng.random() < 0.5
    return {
        "api": api,
        "moved_at": rng.choice(points) if moved else None,
        "previous_api": rng.choice(("v1", "v2")) if moved else "",
        "previous_account": "before" if moved else "",
    }


def _warehouse(seed: int, grid: str) -> tuple[Oracle, dict[str, Rows]]:
    rng = random.Random(seed)
    zone, first, last, step = GRIDS[grid]
    days = list(calendar(zone, _instant(first), _instant(last), step, SETTLE))
    points: list[datetime] = [row["timestamp"] for row in days]  # type: ignore[misc]
    tables: dict[str, Rows] = {"calendar": days, "traffic": [], "load_ledger": [], "domains": []}
    for number in range(rng.randint(1, 6)):
        domain = f"d{number}.example.com"
        entries = _entries(rng, domain, points, step)
        tables["load_ledger"] += entries
        tables["traffic"] += _rows(rng, domain, entries, points)
        tables["domains"] += _listed(rng, domain, points)
    if rng.random() < 0.2:  # rows that nothing in the ledger explains
        row = {"domain": "x", "timestamp": points[5], "traffic_bytes": 75, "source": "v1"}
        tables["traffic"].append({**row, "loaded_at": points[6]})
    tables["traffic_revisions"] = _revised(rng, tables["traffic"])
    tables["reconciliations"] = _checks(rng, points)
    oracle = Oracle(
        tables["calendar"],
        tables["traffic"],
        tables["load_ledger"],
        tables["domains"],
        step,
        tables["traffic_revisions"],
        tables["reconciliations"],
    )
    tables["warehouse"] = [{"step_seconds": step, "timezone": zone, "settle_after_seconds": SETTLE}]
    return oracle, tables


def _comparable(rows: Rows) -> Rows:
    for row in rows:
        if "share" in row:
            row["share"] = round(row["share"], 12)
    return sorted(rows, key=lambda row: [str(row[name]) for name in sorted(row)])


@pytest.mark.parametrize(("engine", "seed"), SEEDS)
@pytest.mark.parametrize("grid", GRIDS)
def test_views_agree_with_the_oracle(seed: int, grid: str, engine: str, tmp_path: Path) -> None:
    """Same rows, same columns, to the last unit."""
    oracle, tables = _warehouse(1000 * seed + len(grid), grid)
    answer = IN_BULK[engine](tmp_path, tables)
    for view in PUBLIC:
        expected = getattr(oracle, view)()
        assert _comparable(answer(f"SELECT * FROM {view}")) == _comparable(expected), view


@pytest.mark.parametrize("engine", IN_BULK)
@pytest.mark.parametrize("grid", GRIDS)
def test_coverage_is_the_twin_of_the_ledgers_fold(grid: str, engine: str, tmp_path: Path) -> None:
    """As many points settled and read, domain by domain, as ``livetraffic.ledger`` folds."""
    _, tables = _warehouse(77, grid)
    step = GRIDS[grid][3]
    known = {row["domain"]: _domain(row) for row in tables["domains"]}
    speaking = counted(map(_entry, tables["load_ledger"]), known, step)
    folded = fold(speaking, settle_after=SETTLE, step=step)
    sums = IN_BULK[engine](tmp_path, tables)(
        "SELECT domain, sum(settled) AS settled, sum(settled + provisional) AS known"
        " FROM coverage_grid GROUP BY domain"
    )
    found = {row["domain"]: (int(row["settled"]), int(row["known"])) for row in sums}
    silent = {row["domain"]: (0, 0) for row in tables["load_ledger"]}
    assert found == silent | {
        domain: (_points(coverage.settled, step), _points(coverage.read, step))
        for domain, coverage in folded.items()
    }


def _entry(row: dict[str, Any]) -> Entry:
    start, end = to_seconds(row["window_start"]), to_seconds(row["window_end"])
    fetched = (row["fetched_at"] - EPOCH) // timedelta(microseconds=1)
    source = row["source"]
    return Entry(row["domain"], start, end, row["state"], 0, 0, 0, source, "", "", "", fetched, "")


def _domain(row: dict[str, Any]) -> Domain:
    moved = None if row["moved_at"] is None else to_seconds(row["moved_at"])
    known = Domain(row["domain"], "", "", "", "", None, "", "", "", 0, 0)
    return known._replace(api=row["api"], moved_at=moved, previous_api=row["previous_api"])


def _points(windows: Sequence[Window], step: int) -> int:
    return sum(window.points(step) for window in windows)
