"""Tables as months: their totals, reading them, and making one exactly what was given."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from livetraffic.errors import SinkError
from livetraffic.ledger import Entry
from livetraffic.table import LOAD_LEDGER, TRAFFIC, TRAFFIC_REVISIONS, Table
from livetraffic.window import Window
from load.arrow import schema
from load.months import STAMPS
from load.sink import MonthTotals, Sink
from load.warehouse_file import Made
from tests.contract.stores import (
    JANUARY,
    LOADED_AT,
    MICRO,
    RUN,
    SENT,
    SETTLE_AFTER,
    STEP,
    ZONE,
    Contents,
    Store,
    at,
    covering,
    entry,
    frame,
    put,
)

A, B, Z = "a.example.com", "b.example.com", "例.example.com"
LATER = LOADED_AT + timedelta(hours=1)
BIG = 2**63 - 1
FEBRUARY = JANUARY + 31 * 86_400
Reader = Callable[[], Contents]
Trace = Callable[[], object]


def stamp(instant: datetime) -> int:
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def batch(table: Table, rows: list[tuple[Any, ...]]) -> pa.RecordBatch:
    """Rows of a table, instants in microseconds."""
    layout = schema(table)
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(layout)
    arrays = [
        pa.array(values, pa.int64()).cast(kind)
        if pa.types.is_timestamp(kind)
        else pa.array(values, kind)
        for values, kind in zip(columns, layout.types, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=layout)


def listed(batches: Iterator[pa.RecordBatch]) -> list[tuple[Any, ...]]:
    """Rows of batches, instants in microseconds."""
    found: list[tuple[Any, ...]] = []
    for piece in batches:
        columns = [
            column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
            for column in piece.columns
        ]
        found += list(zip(*(column.to_pylist() for column in columns), strict=True))
    return found


def traffic(
    domain: str, second: int, value: int, source: str = "v1", at: int = 7
) -> tuple[Any, ...]:
    return (domain, second * MICRO, value, source, at)


def in_micros(given: Entry) -> tuple[Any, ...]:
    return (given[0], given[1] * MICRO, given[2] * MICRO, *given[3:])


def filled(sink: Any) -> None:
    """Two months of two domains, one value revised."""
    rows = [(A, FEBRUARY - STEP, BIG), (A, FEBRUARY, 5), (B, FEBRUARY - STEP, BIG), (Z, JANUARY, 0)]
    sink.upsert(frame(rows), covering(rows), loaded_at=LOADED_AT, run_id=RUN)
    changed = [(A, FEBRUARY, 9)]
    sent = SENT + 86_400 * 10 * MICRO
    sink.upsert(frame(changed), covering(changed, fetched_at=sent), loaded_at=LATER, run_id="run-2")


def test_what_a_warehouse_was_made_with(store: Store, place: Path) -> None:
    sink = store.make(place)
    assert sink.made() is None
    assert {table.name: sink.months(table) for table in STAMPS} == {
        table.name: {} for table in STAMPS
    }
    sink.prepare(step=STEP, timezone=ZONE, settle_after=SETTLE_AFTER)
    assert sink.made() == Made(STEP, ZONE, SETTLE_AFTER)
    assert store.make(place).made() == Made(STEP, ZONE, SETTLE_AFTER)


def test_looking_for_a_warehouse_makes_none(store: Store, place: Path) -> None:
    sink = store.make(place)
    assert sink.made() is None
    assert sink.calendar() is None
    assert sink.months(TRAFFIC) == {}
    assert list(sink.read_month(TRAFFIC, "2026-01")) == []
    assert sink.made() is None
    assert not place.exists()


def test_the_calendar_says_how_far_it_reaches(store: Store, place: Path, contents: Reader) -> None:
    sink = store.make(place)
    assert sink.calendar() is None
    sink.prepare(step=STEP, timezone=ZONE, settle_after=SETTLE_AFTER)
    assert sink.calendar() is None
    sink.extend_calendar(JANUARY + 40 * 86_400, JANUARY + 41 * 86_400)
    start = JANUARY + 31 * 86_400 - 8 * 3600
    assert sink.calendar() == Window(start, start + 28 * 86_400)
    assert len(contents().calendar) == 28 * 288


def test_a_new_warehouse_has_no_months(sink: Any) -> None:
    for table in STAMPS:
        assert sink.months(table) == {}
        assert listed(sink.read_month(table, "2026-01")) == []


def test_months_are_counted_summed_and_dated_exactly(sink: Any, trace: Trace) -> None:
    filled(sink)
    before = trace()
    last = (FEBRUARY - STEP) * MICRO
    assert sink.months(TRAFFIC) == {
        "2026-01": MonthTotals(3, (2 * BIG,), (last, stamp(LOADED_AT))),
        "2026-02": MonthTotals(1, (9,), (FEBRUARY * MICRO, stamp(LATER))),
    }
    assert list(sink.months(TRAFFIC)) == ["2026-01", "2026-02"]
    assert sink.months(TRAFFIC_REVISIONS) == {
        "2026-03": MonthTotals(1, (5, 9), (FEBRUARY * MICRO, stamp(LATER), stamp(LOADED_AT)))
    }
    ledger = sink.months(LOAD_LEDGER)
    assert {month: totals.rows for month, totals in ledger.items()} == {"2026-02": 3, "2026-03": 1}
    assert trace() == before


def test_a_null_counts_nothing(sink: Any) -> None:
    given = [
        entry(A, JANUARY, JANUARY + STEP, "failed", points=0, traffic_bytes=None),
        entry(B, JANUARY, JANUARY + STEP, "failed", points=0, traffic_bytes=None),
    ]
    sink.upsert(frame([]), given, loaded_at=LOADED_AT, run_id=RUN)
    (totals,) = sink.months(LOAD_LEDGER).values()
    assert totals.sums == (0, 2, 0)


def test_a_month_of_traffic_is_read_in_order_of_its_keys(sink: Any) -> None:
    filled(sink)
    batches = list(sink.read_month(TRAFFIC, "2026-01"))
    assert all(piece.schema == schema(TRAFFIC) for piece in batches)
    last, at = FEBRUARY - STEP, stamp(LOADED_AT)
    assert listed(iter(batches)) == [
        traffic(A, last, BIG, at=at),
        traffic(B, last, BIG, at=at),
        traffic(Z, JANUARY, 0, at=at),
    ]


def test_revisions_and_entries_are_read_as_they_are_stored(sink: Any, contents: Reader) -> None:
    filled(sink)
    rows = covering([(A, JANUARY, 1)], traffic_bytes=None, detail='"odd, text";\nline')
    for _ in range(2):  # the same entry twice is two rows
        sink.upsert(frame([]), rows, loaded_at=LOADED_AT, run_id=RUN)
    for table in (TRAFFIC_REVISIONS, LOAD_LEDGER):
        for month in sink.months(table):
            assert all(piece.schema == schema(table) for piece in sink.read_month(table, month))
    assert sorted(map(str, listed(sink.read_month(LOAD_LEDGER, "2026-02")))) == sorted(
        str(in_micros(row)) for row in contents().ledger if row.fetched_at < SENT + MICRO
    )
    (revision,) = contents().revisions
    assert listed(sink.read_month(TRAFFIC_REVISIONS, "2026-03")) == [
        (revision[0], revision[1] * MICRO, *revision[2:])
    ]


def test_a_month_becomes_exactly_what_was_given(sink: Any, contents: Reader) -> None:
    filled(sink)
    before = contents()
    rows = [
        traffic(A, JANUARY, 1, "v2", 1_700_000_000_000_001),
        traffic(A, JANUARY + STEP, BIG, "v1", 1_800_000_000_000_000),
        traffic("例子.example", JANUARY, 3),
    ]
    pieces = [batch(TRAFFIC, rows[:1]), batch(TRAFFIC, []), batch(TRAFFIC, rows[1:])]
    sink.replace_month(TRAFFIC, "2026-01", iter(pieces))
    after = contents()
    assert after.traffic == {
        (A, FEBRUARY): before.traffic[A, FEBRUARY],
        **{(row[0], row[1] // MICRO): row[2:] for row in rows},
    }
    assert (after.revisions, sorted(after.ledger)) == (before.revisions, sorted(before.ledger))
    assert listed(sink.read_month(TRAFFIC, "2026-01")) == rows


def test_entries_that_are_equal_stay_as_many_as_they_are(sink: Any, contents: Reader) -> None:
    odd = entry(A, JANUARY, JANUARY + STEP, "failed", traffic_bytes=None, detail='time-out, "3";\n')
    other = entry(Z, JANUARY, JANUARY + STEP)
    filled(sink)
    rows = [in_micros(odd), in_micros(other), in_micros(odd)]
    sink.replace_month(LOAD_LEDGER, "2026-02", iter([batch(LOAD_LEDGER, rows)]))
    kept = [row for row in contents().ledger if row.fetched_at == SENT]
    assert sorted(kept, key=str) == sorted([odd, other, odd], key=str)
    assert len(contents().ledger) == 4


def test_a_month_of_revisions_is_replaced(sink: Any, contents: Reader) -> None:
    filled(sink)
    old = (None, 7, None)  # null where an older version wrote the row
    rows = [(A, JANUARY * MICRO, stamp(LATER) + n, 1, 2, old[n], "run") for n in range(3)]
    sink.replace_month(TRAFFIC_REVISIONS, "2026-03", iter([batch(TRAFFIC_REVISIONS, rows)]))
    assert contents().revisions == [(A, JANUARY, *row[2:]) for row in rows]
    assert listed(sink.read_month(TRAFFIC_REVISIONS, "2026-03")) == rows
    assert sink.months(TRAFFIC_REVISIONS)["2026-03"].newest[2] == 7


def test_a_month_cannot_be_emptied(sink: Any, contents: Reader) -> None:
    filled(sink)
    before = contents()
    for nothing in ([], [batch(TRAFFIC, [])]):
        with pytest.raises(SinkError, match="without a row"):
            sink.replace_month(TRAFFIC, "2026-01", iter(nothing))
    assert contents() == before


def test_what_was_moved_in_can_be_loaded_over(sink: Any, contents: Reader) -> None:
    """The copied ledger bars late writers, copied values become revisions."""
    rows = [traffic(A, JANUARY, 1), traffic(B, JANUARY, 2)]
    sink.replace_month(TRAFFIC, "2026-01", iter([batch(TRAFFIC, rows)]))
    known = in_micros(entry(A, JANUARY, JANUARY + STEP, fetched_at=SENT + 1))
    sink.replace_month(LOAD_LEDGER, "2026-02", iter([batch(LOAD_LEDGER, [known])]))
    given = [(A, JANUARY, 7), (B, JANUARY, 8)]
    sink.upsert(frame(given), covering(given), loaded_at=LATER, run_id=RUN)
    assert contents().values == {(A, JANUARY): 1, (B, JANUARY): 8}
    assert [row[3:5] for row in contents().revisions] == [(2, 8)]


@pytest.mark.parametrize(
    ("table", "rows"),
    [
        (TRAFFIC, [traffic(A, FEBRUARY, 1)]),
        (TRAFFIC, [traffic(A, JANUARY - STEP, 1), traffic(A, JANUARY, 1)]),
        (TRAFFIC, [traffic(A, JANUARY, 1), traffic(A, JANUARY, 1)]),
        (TRAFFIC, [traffic(B, JANUARY, 1), traffic(A, JANUARY, 1)]),
        (TRAFFIC, [traffic(A, JANUARY + STEP, 1), traffic(A, JANUARY, 1)]),
        (LOAD_LEDGER, [in_micros(entry(A, JANUARY, FEBRUARY))]),
        (TRAFFIC_REVISIONS, [(A, JANUARY * MICRO, FEBRUARY * MICRO, 1, 2, None, "run")]),
    ],
    ids=["later", "earlier", "twice", "domains", "times", "entry", "revision"],
)
@pytest.mark.parametrize("apart", [False, True], ids=["together", "apart"])
def test_rows_that_do_not_belong_are_refused(
    sink: Any, contents: Reader, table: Table, rows: list[tuple[Any, ...]], apart: bool
) -> None:
    filled(sink)
    before = contents()
    pieces = [batch(table, [row]) for row in rows] if apart else [batch(table, rows)]
    with pytest.raises(SinkError, match="refused"):
        sink.replace_month(table, "2026-01", iter(pieces))
    assert contents() == before


def test_batches_of_another_shape_are_refused(sink: Any, contents: Reader) -> None:
    before = contents()
    good = batch(TRAFFIC, [traffic(A, JANUARY, 1)])
    null = batch(TRAFFIC, [(A, JANUARY * MICRO, None, "v1", 1)])
    for bad in (good.select(good.schema.names[:-1]), good.select(good.schema.names[::-1]), null):
        with pytest.raises(SinkError, match="refused"):
            sink.replace_month(TRAFFIC, "2026-01", iter([bad]))
    assert contents() == before


def test_what_the_batches_raise_passes_through_and_nothing_is_written(
    sink: Any, contents: Reader
) -> None:
    filled(sink)
    before = contents()

    def broken() -> Iterator[pa.RecordBatch]:
        yield batch(TRAFFIC, [traffic(A, JANUARY, 1)])
        raise KeyError("the source broke")

    with pytest.raises(KeyError, match="the source broke"):
        sink.replace_month(TRAFFIC, "2026-01", broken())
    assert contents() == before
    assert list(sink.months(TRAFFIC)) == ["2026-01", "2026-02"]


def test_a_month_needs_a_warehouse(store: Store, place: Path) -> None:
    given = iter([batch(TRAFFIC, [traffic(A, JANUARY, 1)])])
    with pytest.raises(SinkError, match="no warehouse"):
        store.make(place).replace_month(TRAFFIC, "2026-01", given)


def test_a_large_month_comes_in_pieces(sink: Any) -> None:
    """Pieces of any size go in; what comes out is in order whatever the pieces were."""
    names = [f"d{number:03}.example" for number in range(60)]
    rows = [
        traffic(name, JANUARY + point * STEP, point) for name in names for point in range(3_000)
    ]
    cuts = [0, 1, 777, 131_072, len(rows)]
    pieces = (batch(TRAFFIC, rows[a:b]) for a, b in zip(cuts, cuts[1:], strict=False))
    sink.replace_month(TRAFFIC, "2026-01", pieces)
    batches = list(sink.read_month(TRAFFIC, "2026-01"))
    assert len(batches) > 1
    assert max(piece.num_rows for piece in batches) <= 131_072
    assert pa.Table.from_batches(batches).equals(pa.Table.from_batches([batch(TRAFFIC, rows)]))
    assert sink.months(TRAFFIC)["2026-01"].rows == len(rows)


def test_a_month_that_is_removed_leaves_the_others(sink: Sink, contents: Reader) -> None:
    put(sink, [(A, at(0), 1), (A, at(32 * 288), 2)])
    sink.remove_month(TRAFFIC, "2026-01")
    assert contents().values == {(A, at(32 * 288)): 2}
    sink.remove_month(TRAFFIC, "2026-02")
    assert contents().values == {}
    assert sink.months(TRAFFIC) == {}
