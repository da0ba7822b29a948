"""A small warehouse to move, and what a copy of it must come to."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from livetraffic.domain import Domain
from livetraffic.errors import Stopped
from livetraffic.ledger import Entry
from livetraffic.reconciliation import Reconciliation
from livetraffic.window import DAY
from load.sink import Sink
from load.transfer import Moved
from tests.contract.stores import (
    JANUARY,
    LOADED_AT,
    MICRO,
    SENT,
    SETTLE_AFTER,
    STORES,
    ZONE,
    Contents,
    entry,
    frame,
)

NAMES = ("a.example", "b.example", "例子.example")
MONTHS = [JANUARY + 31 * DAY * number for number in range(3)]
STEP = DAY
POINTS = 20
TRAFFIC_ROWS = 3 * 3 * POINTS


class Noted:
    """Keeps what a copy says, and may stop it."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.done: list[tuple[str, str, int]] = []
        self._stop_after = stop_after

    def planned(self, table: str, months: int, missing: int) -> None:
        pass

    def rows(self, count: int) -> None:
        if self._stop_after is not None and len(self.done) >= self._stop_after:
            raise Stopped

    def month_done(self, table: str, month: str, rows: int) -> None:
        self.done.append((table, month, rows))


def covering(rows: list[Any], **changes: Any) -> list[Entry]:
    times: dict[str, list[int]] = {}
    for name, second, *_ in rows:
        times.setdefault(name, []).append(second)
    return [entry(name, min(found), max(found) + STEP, **changes) for name, found in times.items()]


def fill(sink: Sink) -> None:
    """Three months, revisions, notes that are equal, domains, a calendar."""
    sink.prepare(step=STEP, timezone=ZONE, settle_after=SETTLE_AFTER)
    sink.extend_calendar(JANUARY, JANUARY + 1)
    listed = Domain(NAMES[0], "pull", "on", "", "", None, "acc", "proj", "r", 1, 2)
    moved = listed._replace(api="v2", moved_at=JANUARY, previous_api="v1", previous_account="old")
    sink.put_domains([moved, *(listed._replace(domain=name) for name in NAMES[1:])])
    checked = Reconciliation(
        JANUARY, "run", "domain", NAMES[0], 0, STEP, "v2", "acc", 7, 5, -2, 3, "agrees", "x; 'y'"
    )
    sink.put_reconciliations([checked, checked, checked._replace(checked_at=MONTHS[1])])
    for number, first in enumerate(MONTHS):
        rows = [
            (name, first + point * STEP, 2**62 + point) for name in NAMES for point in range(POINTS)
        ]
        sent = SENT + number * 20 * DAY * MICRO
        loaded_at = LOADED_AT + timedelta(days=20 * number)
        entries = covering(rows, fetched_at=sent, run_id=f"run-{number}")
        sink.upsert(frame(rows), entries, loaded_at=loaded_at, run_id=f"run-{number}")
        changed = [(NAMES[number], first, 5, "v2"), (NAMES[number], first + STEP, 6, "v2")]
        entries = covering(changed, fetched_at=sent + 1)
        sink.upsert(
            frame(changed), entries, loaded_at=loaded_at + timedelta(hours=1), run_id="again"
        )
    twice = entry(NAMES[0], JANUARY, JANUARY + DAY, "failed", traffic_bytes=None, detail="x; 'y'")
    sink.upsert(frame([]), [twice, twice], loaded_at=LOADED_AT, run_id="notes")


PAIRS = [
    *(("parquet", name) for name in STORES),
    *((name, "parquet") for name in STORES if name != "parquet"),
    ("postgres", "mariadb"),
    ("sqlite", "duckdb"),
]
"""Every store gives and takes."""

parquet_only = pytest.mark.parametrize(
    "pair", [("parquet", "parquet")], ids="-to-".join, indirect=True
)


def comparable(contents: Contents) -> Contents:
    return replace(contents, ledger=sorted(contents.ledger, key=str))


def counted(copied_traffic: int) -> dict[str, Moved]:
    return {
        "traffic": Moved(TRAFFIC_ROWS, 3, copied_traffic),
        "traffic_revisions": Moved(6, 2, min(2, copied_traffic)),
        "reconciliations": Moved(3, 2, min(2, copied_traffic)),
        "load_ledger": Moved(14, 3, copied_traffic),
        "domains": Moved(3),
        "calendar": Moved(31),
    }
