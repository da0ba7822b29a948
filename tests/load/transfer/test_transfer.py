"""A warehouse moved between any two sinks is the same warehouse, however often the move is killed."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from livetraffic.domain import Domain
from livetraffic.errors import ConfigError, Stopped, WarehouseMismatch
from livetraffic.window import DAY
from load.sink import Sink
from load.transfer import Place, Transfer, transfer
from tests.contract.stores import (
    JANUARY,
    LOADED_AT,
    MICRO,
    SENT,
    SETTLE_AFTER,
    STORES,
    ZONE,
    Store,
    entry,
    frame,
)
from tests.load.transfer.moving import (
    MONTHS,
    NAMES,
    POINTS,
    STEP,
    TRAFFIC_ROWS,
    Noted,
    counted,
    covering,
    fill,
    parquet_only,
)


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
    assert [(*row[3:5], row[6]) for row in after().revisions if row[6] == "next"] == [
        (5, 77, "next")
    ]


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
