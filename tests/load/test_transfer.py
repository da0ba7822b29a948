"""A warehouse moved between any two sinks is the same warehouse, however often the move is killed."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from livetraffic.domain import Domain
from livetraffic.errors import ConfigError, SinkError, Stopped, WarehouseMismatch
from livetraffic.ledger import Entry
from livetraffic.table import LOAD_LEDGER, TRAFFIC, Table
from livetraffic.window import DAY
from load.sink import Sink
from load.transfer import Difference, Moved, Place, Transfer, transfer
from tests.contract.stores import (
    JANUARY,
    LOADED_AT,
    MICRO,
    SENT,
    SETTLE_AFTER,
    STORES,
    ZONE,
    Contents,
    Store,
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
    sink.put_domains(
        Domain(name, "pull", "on", "", "", None, "acc", "proj", "r", 1, 2) for name in NAMES
    )
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


@pytest.fixture(params=PAIRS, ids="-to-".join)
def pair(request: pytest.FixtureRequest) -> tuple[Store, Store]:
    for name in request.param:
        STORES[name].find()
    return STORES[request.param[0]], STORES[request.param[1]]


@pytest.fixture
def source_store(pair: tuple[Store, Store]) -> Store:
    return pair[0]


@pytest.fixture
def target_store(pair: tuple[Store, Store]) -> Store:
    return pair[1]


@pytest.fixture
def old(tmp_path: Path, source_store: Store) -> Iterator[Path]:
    yield tmp_path / "old"
    source_store.drop(tmp_path / "old")


@pytest.fixture
def new(tmp_path: Path, target_store: Store) -> Iterator[Path]:
    yield tmp_path / "new"
    target_store.drop(tmp_path / "new")


@pytest.fixture
def source(source_store: Store, old: Path) -> Place:
    sink: Any = source_store.make(old)
    fill(sink)
    return Place(sink, "the old one")


@pytest.fixture
def target(target_store: Store, new: Path) -> Place:
    sink: Any = target_store.make(new)
    return Place(sink, "the new one")


@pytest.fixture
def before(source_store: Store, old: Path, source: Place) -> Callable[[], Contents]:
    return lambda: comparable(source_store.read(old))


@pytest.fixture
def after(target_store: Store, new: Path) -> Callable[[], Contents]:
    return lambda: comparable(target_store.read(new))


parquet_only = pytest.mark.parametrize(
    "pair", [("parquet", "parquet")], ids="-to-".join, indirect=True
)


def comparable(contents: Contents) -> Contents:
    return replace(contents, ledger=sorted(contents.ledger, key=str))


def counted(copied_traffic: int) -> dict[str, Moved]:
    return {
        "traffic": Moved(TRAFFIC_ROWS, 3, copied_traffic),
        "traffic_revisions": Moved(6, 2, min(2, copied_traffic)),
        "load_ledger": Moved(14, 3, copied_traffic),
        "domains": Moved(3),
        "calendar": Moved(31),
    }


def test_the_whole_warehouse_arrives_and_the_source_is_as_it_was(
    source: Place, target: Place, before: Any, after: Any, source_store: Store, old: Path
) -> None:
    wanted, trace = before(), source_store.trace(old)
    watcher = Noted()
    assert transfer(source, target, watcher) == Transfer(counted(3), ())
    assert after() == wanted
    assert watcher.done[:3] == [("traffic", f"2026-0{month}", 3 * POINTS) for month in (1, 2, 3)]
    assert source_store.trace(old) == trace


def test_a_second_copy_copies_nothing_and_the_next_run_goes_on(
    source: Place, target: Place, target_store: Store, new: Path, after: Any
) -> None:
    transfer(source, target, Noted())
    trace = target_store.trace(new)
    assert transfer(source, target, Noted()) == Transfer(counted(0), ())
    assert target_store.trace(new) == trace
    rows = [(NAMES[0], JANUARY, 77), (NAMES[0], JANUARY + 25 * STEP, 1)]
    entries = covering(rows, fetched_at=SENT + 100 * DAY * MICRO)
    target.sink.upsert(
        frame(rows), entries, loaded_at=LOADED_AT + timedelta(days=90), run_id="next"
    )
    assert after().values[NAMES[0], JANUARY] == 77
    assert [row[3:] for row in after().revisions if row[5] == "next"] == [(5, 77, "next")]


def test_a_stopped_copy_is_finished_by_the_next(
    source: Place, target: Place, before: Any, after: Any
) -> None:
    """Stopped inside each month there is: what was copied is whole, the rest is not there."""
    for stopped in range(7):
        watcher = Noted(stop_after=1 if stopped else 0)
        with pytest.raises(Stopped):
            transfer(source, target, watcher)
        found = after()
        assert set(found.traffic.items()) <= set(before().traffic.items())
        assert len(found.traffic) == 3 * POINTS * min(stopped, 3)
        assert not found.ledger or len(found.traffic) == TRAFFIC_ROWS
    assert transfer(source, target, Noted()).differences == ()
    assert after() == before()


# ------------------------------------------------------------------------- what a target may hold


def other_step(sink: Sink) -> None:
    sink.prepare(step=3600, timezone=ZONE, settle_after=SETTLE_AFTER)


def other_zone(sink: Sink) -> None:
    sink.prepare(step=STEP, timezone="UTC", settle_after=SETTLE_AFTER)


def a_changed_value(sink: Sink) -> None:
    fill(sink)
    rows = [(NAMES[0], JANUARY + 3 * STEP, 1), (NAMES[0], JANUARY + 4 * STEP, 2**63 - 1)]
    sent = SENT + 100 * DAY * MICRO
    sink.upsert(frame(rows), covering(rows, fetched_at=sent), loaded_at=LOADED_AT, run_id="own")


def another_month(sink: Sink) -> None:
    sink.prepare(step=STEP, timezone=ZONE, settle_after=SETTLE_AFTER)
    rows = [(NAMES[0], JANUARY - DAY, 1)]
    sink.upsert(frame(rows), covering(rows), loaded_at=LOADED_AT, run_id="own")


def another_note(sink: Sink) -> None:
    sink.prepare(step=STEP, timezone=ZONE, settle_after=SETTLE_AFTER)
    note = entry(NAMES[0], JANUARY, JANUARY + DAY, "lost")
    sink.upsert(frame([]), [note], loaded_at=LOADED_AT, run_id="own")


def another_domain(sink: Sink) -> None:
    sink.prepare(step=STEP, timezone=ZONE, settle_after=SETTLE_AFTER)
    sink.put_domains([Domain("z.example", "pull", "on", "", "", None, "a", "p", "r", 1, 2)])


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (other_step, WarehouseMismatch),
        (other_zone, WarehouseMismatch),
        (a_changed_value, ConfigError),
        (another_month, ConfigError),
        (another_note, ConfigError),
        (another_domain, ConfigError),
    ],
)
@parquet_only
def test_a_target_that_holds_something_else_is_refused_and_left_alone(
    source: Place, target: Place, target_store: Store, new: Path,
    make: Callable[[Sink], None], error: type[ConfigError],
) -> None:  # fmt: skip
    make(target.sink)
    trace = target_store.trace(new)
    with pytest.raises(error) as caught:
        transfer(source, target, Noted())
    assert caught.value.exit_code == 2
    assert "the new one" in caught.value.message
    assert "empty or holds a part" in caught.value.remedy
    assert target_store.trace(new) == trace


@parquet_only
def test_a_source_that_went_on_after_a_stopped_copy_is_told(source: Place, target: Place) -> None:
    with pytest.raises(Stopped):
        transfer(source, target, Noted(stop_after=2))
    rows = [(NAMES[0], MONTHS[0] + 9 * STEP, 1)]
    sent = SENT + 100 * DAY * MICRO
    source.sink.upsert(
        frame(rows), covering(rows, fetched_at=sent), loaded_at=LOADED_AT, run_id="n"
    )
    with pytest.raises(ConfigError, match=r"traffic for 2026-01, other than the source"):
        transfer(source, target, Noted())


@parquet_only
def test_a_prepared_target_with_a_longer_calendar_will_do(
    source: Place, target: Place, before: Any, after: Any
) -> None:
    target.sink.prepare(step=STEP, timezone=ZONE, settle_after=2 * SETTLE_AFTER)
    target.sink.extend_calendar(JANUARY - 100 * DAY, JANUARY + 200 * DAY)
    assert transfer(source, target, Noted()).differences == ()
    assert after().settings == before().settings
    assert set(before().calendar) < set(after().calendar)


@parquet_only
def test_an_empty_warehouse_can_be_moved(tmp_path: Path, target: Place, after: Any) -> None:
    sink: Any = STORES["parquet"].make(tmp_path / "empty")
    sink.prepare(step=STEP, timezone=ZONE, settle_after=5)
    done = transfer(Place(sink, "empty"), target, Noted())
    assert done.differences == ()
    assert {moved.rows for moved in done.tables.values()} == {0}
    assert after().settings[1:] == (STEP, ZONE, 5)


@parquet_only
def test_nothing_cannot_be_moved(tmp_path: Path, target: Place, new: Path) -> None:
    sink: Any = STORES["parquet"].make(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="no warehouse in nowhere"):
        transfer(Place(sink, "nowhere"), target, Noted())
    assert not new.exists()


# ------------------------------------------------------------------------------- what is verified


class Lossy:
    """A sink that is not what it says: it bends the rows of one table on their way in."""

    def __init__(self, sink: Any, table: Table, bend: Callable[[pa.RecordBatch], Any]) -> None:
        self._sink, self._table, self._bend = sink, table, bend

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sink, name)

    def replace_month(self, table: Table, month: str, batches: Iterator[pa.RecordBatch]) -> None:
        bent = map(self._bend, batches) if table is self._table and month.endswith("2") else batches
        self._sink.replace_month(table, month, bent)


def set_column(batch: pa.RecordBatch, name: str, values: Any) -> pa.RecordBatch:
    place = batch.schema.get_field_index(name)
    arrays = [values if i == place else column for i, column in enumerate(batch.columns)]
    return pa.RecordBatch.from_arrays(arrays, schema=batch.schema)


@pytest.mark.parametrize(
    ("table", "bend"),
    [
        (TRAFFIC, lambda batch: batch.slice(1)),
        (LOAD_LEDGER, lambda batch: batch.slice(0, batch.num_rows - 1)),
        (TRAFFIC, lambda b: set_column(b, "traffic_bytes", pa.array([1] * b.num_rows))),
        (
            TRAFFIC,
            lambda b: set_column(
                b, "loaded_at", pa.array([1] * b.num_rows).cast(pa.timestamp("us", "UTC"))
            ),
        ),
    ],
    ids=["a row less", "an entry less", "other values", "other instants"],
)
@parquet_only
def test_a_store_that_loses_something_is_found_out(
    source: Place, target: Place, table: Table, bend: Any
) -> None:
    lossy: Any = Lossy(target.sink, table, bend)
    (difference,) = transfer(source, Place(lossy, "lossy"), Noted()).differences
    assert isinstance(difference, Difference)
    assert (difference.table, difference.month) == (table.name, "2026-02")
    assert difference.source != difference.target


@parquet_only
def test_a_damaged_source_file_is_named_and_its_month_does_not_arrive(
    source: Place, target: Place, old: Path, new: Path
) -> None:
    held = source.sink.months(TRAFFIC)
    path = old / "traffic/month=2026-02/data.parquet"
    content = bytearray(path.read_bytes())
    content[4:400] = bytes(396)
    path.write_bytes(content)
    with pytest.raises(SinkError, match="month=2026-02"):
        transfer(Place(_Blind(source.sink, held), "old"), target, Noted())
    assert [p.parent.name for p in new.glob("traffic/*/*")] == ["month=2026-01"]


class _Blind(Lossy):
    """Says what its months held before the damage."""

    def __init__(self, sink: Any, held: Any) -> None:
        super().__init__(sink, TRAFFIC, lambda batch: batch)
        self._held = held

    def months(self, table: Table) -> Any:
        return self._held if table is TRAFFIC else self._sink.months(table)


@pytest.mark.parametrize("pair", [("parquet", "postgres")], ids="-to-".join, indirect=True)
def test_two_copies_at_once_are_kept_apart_by_the_run_lock(
    source: Place, target: Place, before: Any, after: Any
) -> None:
    """As the command does it: whoever comes second finds everything there."""
    done: list[Transfer] = []

    def copy() -> None:
        with (
            source.sink.run_lock(wait=60, holder="copy"),
            target.sink.run_lock(wait=60, holder="copy"),
        ):
            done.append(transfer(source, target, Noted()))

    threads = [threading.Thread(target=copy) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [moved.tables["traffic"].copied_months for moved in done] == [3, 0]
    assert after() == before()
