"""What a run does to a warehouse, as functions of a path: small, but through every file there is.

Each begins where the one before it ended, and each does only what the warehouse still lacks, as a
resumed run does: what the ledger holds already is not written again.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from livetraffic.domain import Domain
from livetraffic.ledger import Entry
from livetraffic.reconciliation import Reconciliation
from livetraffic.table import LOAD_LEDGER
from livetraffic.window import DAY
from load.parquet.sink import ParquetSink
from tests.contract.stores import LOADED_AT, SENT, SETTLE_AFTER, STORES, ZONE, entry, frame

opened: Callable[[Path], Any] = ParquetSink
"""The kind of store; ``using`` changes it."""
STEP = DAY
# Around the end of January 2026: every batch touches two months.
FIRST = 1_769_904_000 - 8 * STEP
DOMAINS = [f"{letter}.example" for letter in "abc"]
Rows = list[tuple[str, int, int]]


def rows(first: int, last: int, value: int) -> Rows:
    """Rows of all domains for the points ``[first, last)``."""
    return [
        (name, FIRST + point * STEP, value + point)
        for name in DOMAINS
        for point in range(first, last)
    ]


@contextmanager
def using(store: str) -> Iterator[None]:
    """The scenarios in another kind of store."""
    global opened
    before, opened = opened, STORES[store].make
    try:
        yield
    finally:
        opened = before


def create(root: Path) -> None:
    """A new warehouse with its calendar."""
    sink = opened(root)
    sink.prepare(step=STEP, timezone=ZONE, settle_after=SETTLE_AFTER)
    sink.extend_calendar(FIRST, FIRST + 1)


def name_domains(root: Path) -> None:
    """The domain list."""
    opened(root).put_domains(
        Domain(name, "pull", "on", "", "", None, "acc", "proj", "r", 1, 2) for name in DOMAINS
    )


def first_load(root: Path) -> None:
    """The first batch: two months, ledger."""
    _upsert(root, rows(0, 12, 100), 1)


def overlap(root: Path) -> None:
    """A batch over half of the first: inserted, unchanged."""
    _upsert(root, rows(6, 16, 100), 2)


def revise(root: Path) -> None:
    """Values change in both months: traffic twice, revisions, ledger."""
    _upsert(root, rows(4, 12, 500), 3)


def note(root: Path) -> None:
    """Entries of another month, without rows."""
    at = SENT + 40 * DAY * 1_000_000
    given = [entry(name, FIRST, FIRST + STEP, "failed", fetched_at=at) for name in DOMAINS]
    _upsert(root, [], 4, given)


def check(root: Path) -> None:
    """What checks against the source found, in two months."""
    sink = opened(root)
    if not sink.reconciliations():
        sink.put_reconciliations(
            [
                Reconciliation(
                    at, "run-5", "domain", DOMAINS[0], FIRST, at, "v1", "acc", 5, 7, 2, 0, "differs"
                )
                for at in (FIRST + DAY, FIRST + 30 * DAY)
            ]
        )


def settle_later(root: Path) -> None:
    """Another age of settling: warehouse.json and calendar in one commit."""
    opened(root).prepare(step=STEP, timezone=ZONE, settle_after=2 * SETTLE_AFTER)


def take_out(root: Path) -> None:
    """Entries of another month, and their file is removed again, as a repair may do it."""
    note(root)
    opened(root).remove_month(LOAD_LEDGER, "2026-04")


def move_forward(root: Path) -> None:
    """A warehouse of format version 1 (``tests.contract.version_1``) becomes one of today."""
    opened(root).prepare(step=300, timezone=ZONE, settle_after=SETTLE_AFTER)


SCENARIOS: dict[str, Callable[[Path], None]] = {
    "create": create,
    "name_domains": name_domains,
    "first_load": first_load,
    "overlap": overlap,
    "check": check,
    "revise": revise,
    "note": note,
    "settle_later": settle_later,
}


def before(name: str, root: Path) -> None:
    """Bring a warehouse to where the scenario begins."""
    for earlier, scenario in SCENARIOS.items():
        if earlier == name:
            return
        scenario(root)


def _upsert(root: Path, given: Rows, number: int, entries: list[Entry] | None = None) -> None:
    sent = SENT + number * 1_000_000
    wanted = _covering(given, fetched_at=sent, run_id=f"run-{number}")
    sink = opened(root)
    held = set(sink.ledger())
    missing = [row for row in (wanted if entries is None else entries) if row not in held]
    domains = {row.domain for row in missing}
    left = [row for row in given if row[0] in domains]
    loaded_at = LOADED_AT + timedelta(hours=number)
    sink.upsert(frame(left), missing, loaded_at=loaded_at, run_id=f"run-{number}")


def _covering(given: Rows, **changes: Any) -> list[Entry]:
    times = [time for _, time, _ in given]
    return [entry(name, min(times), max(times) + STEP, **changes) for name in DOMAINS if times]


def endless(root: Path) -> Iterator[Any]:
    """Batch after batch, for a process that will be killed; each says what it has committed."""
    number = len({row.run_id for row in opened(root).ledger()}) + 10
    while True:
        _upsert(root, rows(number % 5, number % 5 + 8, number // 3), number)
        yield number
        number += 1
