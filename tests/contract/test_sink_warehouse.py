"""What surrounds the rows: the warehouse itself, calendar, domains, ledger and run lock."""

import threading
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import pytest

from livetraffic.domain import Domain
from livetraffic.errors import ConfigError, Locked, SinkError, WarehouseMismatch
from livetraffic.window import DAY, HOUR, Window
from load.sink import Sink
from tests.contract.processes import worker
from tests.contract.stores import (
    JANUARY,
    LOADED_AT,
    RUN,
    SENT,
    SETTLE_AFTER,
    STEP,
    ZONE,
    Contents,
    Store,
    covering,
    entry,
    frame,
    prepared,
)

A, B = "a.example.com", "b.example.com"
Reader = Callable[[], Contents]
Trace = Callable[[], object]


def domain(name: str, **changes: object) -> Domain:
    made = Domain(
        name, "pull", "on", "mainland_china", "push.example", None, "acc", "proj", "r", 1, 2
    )
    return made._replace(**changes)


def points(start: str, end: str, step: int = STEP) -> list[int]:
    window = Window.between(datetime.fromisoformat(start), datetime.fromisoformat(end))
    return list(range(window.start, window.end, step))


# --------------------------------------------------------------------------------------- prepare


def test_preparing_again_writes_nothing(sink: Sink, store: Store, place: Path) -> None:
    sink.extend_calendar(JANUARY, JANUARY + DAY)
    before = store.trace(place)
    prepared(store, place)
    assert store.trace(place) == before


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ({"step": 3600}, ["300", "3600"]),
        ({"timezone": "Europe/Berlin"}, ["Asia/Shanghai", "Europe/Berlin"]),
    ],
    ids=["step", "zone"],
)
def test_another_step_or_zone_is_refused_with_both_named(
    sink: Sink, trace: Trace, asked: dict[str, object], names: list[str]
) -> None:
    before = trace()
    wanted = {"step": STEP, "timezone": ZONE, "settle_after": 1, **asked}
    with pytest.raises(WarehouseMismatch) as caught:
        sink.prepare(**wanted)  # type: ignore[arg-type]
    assert all(name in str(caught.value) for name in names)
    assert caught.value.remedy
    assert caught.value.exit_code == 2
    with pytest.raises(WarehouseMismatch):
        sink.check(step=wanted["step"], timezone=wanted["timezone"])  # type: ignore[arg-type]
    assert trace() == before


def test_a_look_creates_nothing(store: Store, place: Path) -> None:
    store.make(place).check(step=STEP, timezone=ZONE)
    assert not place.exists()
    assert store.make(place).ledger() == []
    assert store.make(place).domains() == []
    assert not place.exists()


def test_an_unknown_zone_is_refused_before_anything_is_made(store: Store, place: Path) -> None:
    with pytest.raises(ConfigError):
        store.make(place).prepare(step=STEP, timezone="Mars/Olympus", settle_after=1)
    assert not place.exists()


def test_writing_without_a_warehouse_is_refused(store: Store, place: Path) -> None:
    sink = store.make(place)
    with pytest.raises(SinkError):
        sink.upsert(frame([]), [entry(A, JANUARY, JANUARY + STEP)], loaded_at=LOADED_AT, run_id=RUN)
    with pytest.raises(SinkError):
        sink.put_domains([domain(A)])
    with pytest.raises(SinkError):
        sink.extend_calendar(JANUARY, JANUARY + 1)
    assert not place.exists()


def test_another_age_of_settling_moves_the_calendar(
    sink: Sink, store: Store, place: Path, contents: Reader
) -> None:
    sink.extend_calendar(JANUARY, JANUARY + DAY)
    before = contents().calendar
    store.make(place).prepare(step=STEP, timezone=ZONE, settle_after=3600)
    after = contents().calendar
    assert [row[:7] for row in after] == [row[:7] for row in before]
    assert [row[7] - row[0] for row in before] == [STEP + SETTLE_AFTER] * len(before)
    assert [row[7] - row[0] for row in after] == [STEP + 3600] * len(after)
    assert contents().settings == (2, STEP, ZONE, 3600)


# -------------------------------------------------------------------------------------- calendar


def test_the_calendar_holds_whole_local_months(sink: Sink, contents: Reader) -> None:
    sink.extend_calendar(JANUARY + 5 * DAY, JANUARY + 6 * DAY)
    found = contents().calendar
    expected = points("2026-01-01T00:00+08:00", "2026-02-01T00:00+08:00")
    assert [row[0] for row in found] == expected
    first, last = found[0], found[-1]
    assert first[1:] == (
        expected[0] // STEP,
        expected[0],
        date(2026, 1, 1),
        0,
        "2026-W01",
        "2026-01",
        expected[0] + STEP + SETTLE_AFTER,
    )
    assert last[1:7] == (
        expected[-1] // STEP,
        expected[-1] - 55 * 60,
        date(2026, 1, 31),
        23,
        "2026-W05",
        "2026-01",
    )


def test_the_calendar_grows_both_ways_without_gaps_or_doubles(
    store: Store, place: Path, contents: Reader
) -> None:
    sink = store.make(place)
    sink.prepare(step=HOUR, timezone=ZONE, settle_after=SETTLE_AFTER)
    sink.extend_calendar(JANUARY + 5 * DAY, JANUARY + 6 * DAY)
    sink.extend_calendar(JANUARY + 100 * DAY, JANUARY + 101 * DAY)
    sink.extend_calendar(JANUARY - 40 * DAY, JANUARY - 39 * DAY)
    expected = points("2025-11-01T00:00+08:00", "2026-05-01T00:00+08:00", HOUR)
    assert [row[0] for row in contents().calendar] == expected


def test_the_calendar_is_written_only_when_it_must_grow(sink: Sink, trace: Trace) -> None:
    sink.extend_calendar(JANUARY, JANUARY + 20 * DAY)
    before = trace()
    sink.extend_calendar(JANUARY + DAY, JANUARY + 2 * DAY)
    sink.extend_calendar(JANUARY, JANUARY + 20 * DAY)
    assert trace() == before


# --------------------------------------------------------------------------------------- domains


def test_domains_come_back_sorted_and_whole(sink: Sink, contents: Reader) -> None:
    given = [
        domain("b.example", create_time=None),
        domain("a.example", create_time=5, unlisted_since=9, region="cn-north-4"),
        domain("流量.例子", status="off"),
    ]
    sink.put_domains(given)
    assert sink.domains() == sorted(given)
    assert sorted(contents().domains) == sorted(given)


def test_domains_are_replaced_by_name_and_the_others_stay(sink: Sink, contents: Reader) -> None:
    sink.put_domains([domain(A), domain(B)])
    sink.put_domains([domain(A, status="off", last_seen=7), domain("c.example")])
    expected = [domain(A, status="off", last_seen=7), domain(B), domain("c.example")]
    assert sink.domains() == expected
    assert sorted(contents().domains) == expected


def test_domains_that_are_stored_already_write_nothing(sink: Sink, trace: Trace) -> None:
    sink.put_domains([domain(A), domain(B)])
    before = trace()
    sink.put_domains([domain(B)])
    sink.put_domains([])
    assert trace() == before


# ---------------------------------------------------------------------------------------- ledger


def test_the_ledger_comes_back_as_it_was_given(sink: Sink) -> None:
    given = [
        entry(A, JANUARY, JANUARY + STEP, fetched_at=SENT + 1, traffic_bytes=2**63 - 1),
        entry(B, JANUARY, JANUARY + STEP, "failed", traffic_bytes=None, detail="流量; \n'x'"),
        entry(A, JANUARY, JANUARY + STEP, fetched_at=SENT + 40 * DAY * 1_000_000),
        entry(A, JANUARY, JANUARY + STEP),
    ]
    sink.upsert(frame([]), given[:3], loaded_at=LOADED_AT, run_id=RUN)
    sink.upsert(frame([]), given[3:], loaded_at=LOADED_AT, run_id=RUN)
    found = sink.ledger()
    assert sorted(found, key=repr) == sorted(given, key=repr)
    assert {type(value) for row in found for value in row} == {str, int, type(None)}


def test_the_ledger_since_an_instant_holds_at_least_what_came_since(sink: Sink) -> None:
    day = DAY * 1_000_000
    given = [
        entry(A, JANUARY, JANUARY + STEP, fetched_at=SENT + offset * day) for offset in range(90)
    ]
    sink.upsert(frame([]), given, loaded_at=LOADED_AT, run_id=RUN)
    for offset in (0, 3, 4, 89, 90):
        since = SENT // 1_000_000 + offset * DAY
        expected = {row for row in given if row.fetched_at >= since * 1_000_000}
        assert expected <= set(sink.ledger(since)) <= set(given)


def test_another_sink_object_sees_the_same(sink: Sink, store: Store, place: Path) -> None:
    rows = [(A, JANUARY, 1)]
    sink.upsert(frame(rows), covering(rows), loaded_at=LOADED_AT, run_id=RUN)
    sink.put_domains([domain(A)])
    again = store.make(place)
    assert again.ledger() == sink.ledger() == covering(rows)
    assert again.domains() == sink.domains() == [domain(A)]


# -------------------------------------------------------------------------------------- run lock


def test_a_second_run_is_told_who_holds_the_warehouse(
    sink: Sink, store: Store, place: Path
) -> None:
    holder = "pid 17, host h, run abc, since noon"
    with (
        sink.run_lock(wait=0, holder=holder),
        pytest.raises(Locked, match=holder) as caught,
        store.make(place).run_lock(wait=0, holder="other"),
    ):
        pytest.fail("two runs hold the warehouse")
    assert caught.value.exit_code == 1
    assert caught.value.remedy


def test_the_lock_is_free_after_the_run_and_after_its_failure(
    sink: Sink, store: Store, place: Path
) -> None:
    with pytest.raises(ZeroDivisionError), sink.run_lock(wait=0, holder="first"):
        raise ZeroDivisionError
    with store.make(place).run_lock(wait=0, holder="second"):
        pass
    with sink.run_lock(wait=0, holder="third"):
        pass


def test_a_second_run_waits_for_the_first(sink: Sink, store: Store, place: Path) -> None:
    held, order = threading.Event(), list[str]()

    def first() -> None:
        with sink.run_lock(wait=0, holder="first"):
            held.set()
            release.wait(30)
            order.append("first")

    release = threading.Event()
    thread = threading.Thread(target=first)
    thread.start()
    assert held.wait(30)
    threading.Timer(0.2, release.set).start()
    with store.make(place).run_lock(wait=30, holder="second"):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]


def test_the_run_lock_does_not_stop_the_runs_own_writers(
    sink: Sink, store: Store, place: Path, contents: Reader
) -> None:
    rows = [(A, JANUARY, 1)]
    with sink.run_lock(wait=0, holder="run"):
        store.make(place).upsert(frame(rows), covering(rows), loaded_at=LOADED_AT, run_id=RUN)
    assert contents().values == {(A, JANUARY): 1}


def test_the_lock_of_a_killed_run_is_free(
    sink: Sink, place: Path, request: pytest.FixtureRequest
) -> None:
    with worker("hold", request.node.callspec.params["store"], place) as child:
        assert child.hear() == "held"
        with pytest.raises(Locked, match="the killed one"), sink.run_lock(wait=0, holder="x"):
            pytest.fail("two runs hold the warehouse")
        child.kill()
        with sink.run_lock(wait=10, holder="the next"):
            pass
