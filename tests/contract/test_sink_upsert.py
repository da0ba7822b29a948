"""What an upsert leaves behind, in every store."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from livetraffic.ledger import Entry
from livetraffic.window import DAY
from load.sink import Receipt, Sink
from tests.contract.stores import (
    LOADED_AT,
    RUN,
    SENT,
    STEP,
    Contents,
    at,
    covering,
    entry,
    put,
)

A, B = "a.example.com", "b.example.com"
LATER = LOADED_AT + timedelta(hours=1)
Reader = Callable[[], Contents]
Trace = Callable[[], object]


def microseconds(instant: datetime) -> int:
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def test_rows_and_entries_are_stored_as_given(sink: Sink, contents: Reader) -> None:
    rows = [(A, at(0), 1), (A, at(1), 0), (B, at(0), 2**53 + 1)]
    assert put(sink, rows) == Receipt(inserted=3)
    found = contents()
    stamp = microseconds(LOADED_AT)
    assert found.traffic == {row[:2]: (row[2], "v1", stamp) for row in rows}
    assert sorted(found.ledger) == sorted(covering(rows))
    assert found.revisions == []


def test_rows_may_come_in_any_order(sink: Sink, contents: Reader) -> None:
    rows = [(B, at(2), 5), (A, at(7), 4), (B, at(0), 3), (A, at(1), 2)]
    put(sink, rows)
    assert contents().values == {row[:2]: row[2] for row in rows}


@pytest.mark.parametrize("value", [0, 1, 2**31, 2**53 + 1, 2**63 - 1])
def test_values_of_63_bits_come_back(sink: Sink, contents: Reader, value: int) -> None:
    put(sink, [(A, at(0), value)])
    assert contents().values == {(A, at(0)): value}


@pytest.mark.parametrize(
    "domain",
    ["流量.例子", "ä.example", "x" * 253, "a'b;--", "with space", "\U0001f600.example", "A"],
)
def test_any_domain_name_comes_back(sink: Sink, contents: Reader, domain: str) -> None:
    put(sink, [(A, at(0), 1), (domain, at(0), 2), (B, at(0), 3)])
    assert contents().values == {(A, at(0)): 1, (domain, at(0)): 2, (B, at(0)): 3}
    put(sink, [(domain, at(0), 4)], loaded_at=LATER)
    assert contents().values == {(A, at(0)): 1, (domain, at(0)): 4, (B, at(0)): 3}


def test_instants_keep_their_microseconds_and_are_utc(sink: Sink, contents: Reader) -> None:
    loaded_at = datetime(2026, 3, 1, 12, 0, 0, 1, tzinfo=UTC)
    given = entry(A, at(0), at(1), fetched_at=SENT + 1)
    put(sink, [(A, at(0), 1)], [given], loaded_at=loaded_at)
    found = contents()
    assert found.traffic[A, at(0)][2] == microseconds(loaded_at)
    assert found.ledger == [given]


def test_twice_is_once(sink: Sink, contents: Reader) -> None:
    rows = [(A, at(0), 1), (B, at(5), 2)]
    put(sink, rows)
    before = contents()
    assert put(sink, rows, loaded_at=LATER, run_id="run-2") == Receipt(unchanged=2)
    after = contents()
    assert (after.traffic, after.revisions) == (before.traffic, before.revisions)
    assert sorted(after.ledger) == sorted(before.ledger * 2)


def test_neighbours_are_left_alone(sink: Sink, contents: Reader) -> None:
    put(sink, [(A, at(0), 1), (A, at(3), 4), (B, at(1), 9)])
    before = contents().traffic
    assert put(sink, [(A, at(1), 2), (A, at(2), 3)], loaded_at=LATER) == Receipt(inserted=2)
    after = contents().traffic
    assert {key: after[key] for key in before} == before
    assert len(after) == 5


def test_points_that_vanish_upstream_stay_here(sink: Sink, contents: Reader) -> None:
    put(sink, [(A, at(0), 1), (A, at(1), 2)])
    again = [
        entry(A, at(0), at(1), fetched_at=SENT + 1),
        entry(A, at(1), at(2), "partial", fetched_at=SENT + 1, points=0),
    ]
    assert put(sink, [(A, at(0), 1)], again) == Receipt(unchanged=1)
    assert contents().values == {(A, at(0)): 1, (A, at(1)): 2}


def test_an_empty_frame_changes_no_row_and_records_its_entries(
    sink: Sink, contents: Reader
) -> None:
    put(sink, [(A, at(0), 1)])
    before = contents()
    notes = [
        entry(A, at(0), at(9), "failed", points=0, traffic_bytes=None, detail="time-out; 3 tries"),
        entry(B, at(0), at(9), "lost", points=0, traffic_bytes=None),
        entry(B, at(0), at(9), "gone", points=0, traffic_bytes=None),
    ]
    assert put(sink, [], notes) == Receipt()
    after = contents()
    assert after.traffic == before.traffic
    assert sorted(after.ledger, key=str) == sorted([*before.ledger, *notes], key=str)


def test_an_untyped_empty_frame_is_an_empty_frame(sink: Sink, contents: Reader) -> None:
    note = entry(A, at(0), at(9), "failed", points=0, traffic_bytes=None)
    columns = ["domain", "timestamp", "traffic_bytes", "source"]
    empty = pd.DataFrame({name: [] for name in columns})
    assert sink.upsert(empty, [note], loaded_at=LOADED_AT, run_id=RUN) == Receipt()
    assert contents().ledger == [note]


def test_nothing_given_writes_nothing(sink: Sink, trace: Trace) -> None:
    put(sink, [(A, at(0), 1)])
    before = trace()
    assert put(sink, [], []) == Receipt()
    assert trace() == before


def test_a_changed_value_is_kept_as_a_revision(sink: Sink, contents: Reader) -> None:
    put(sink, [(A, at(0), 1), (A, at(1), 2)])
    assert put(sink, [(A, at(0), 1), (A, at(1), 5)], loaded_at=LATER, run_id="run-2") == Receipt(
        updated=1, unchanged=1
    )
    found = contents()
    assert found.revisions == [
        (A, at(1), microseconds(LATER), 2, 5, microseconds(LOADED_AT), "run-2")
    ]
    assert found.traffic == {
        (A, at(0)): (1, "v1", microseconds(LOADED_AT)),
        (A, at(1)): (5, "v1", microseconds(LATER)),
    }


def test_an_equal_value_of_another_source_is_unchanged(sink: Sink, contents: Reader) -> None:
    put(sink, [(A, at(0), 1)])
    before = contents()
    assert put(sink, [(A, at(0), 1, "v2")], loaded_at=LATER) == Receipt(unchanged=1)
    assert contents().traffic == before.traffic
    assert contents().revisions == []


def test_a_changed_value_takes_its_new_source(sink: Sink, contents: Reader) -> None:
    put(sink, [(A, at(0), 1), (B, at(0), 1)])
    put(sink, [(A, at(0), 2, "v2")], loaded_at=LATER)
    assert contents().traffic == {
        (A, at(0)): (2, "v2", microseconds(LATER)),
        (B, at(0)): (1, "v1", microseconds(LOADED_AT)),
    }


def test_every_change_has_its_revision(sink: Sink, contents: Reader) -> None:
    for hour, value in enumerate([1, 2, 1, 1, 3]):
        put(sink, [(A, at(0), value)], loaded_at=LOADED_AT + timedelta(hours=hour))
    assert [row[3:5] for row in contents().revisions] == [(1, 2), (2, 1), (1, 3)]


def test_changes_at_one_instant_keep_distinct_keys_in_order(sink: Sink, contents: Reader) -> None:
    for value in [1, 2, 3, 1]:
        put(sink, [(A, at(0), value), (B, at(0), 7)])
    found = contents().revisions
    assert [row[3:5] for row in found] == [(1, 2), (2, 3), (3, 1)]
    assert [row[2] - microseconds(LOADED_AT) for row in found] == [0, 1, 2]


def test_one_batch_may_insert_change_and_repeat(sink: Sink, contents: Reader) -> None:
    put(sink, [(A, at(0), 1), (A, at(2), 3), (B, at(2), 3)])
    rows = [(A, at(0), 1), (A, at(1), 2), (A, at(2), 4), (B, at(1), 2), (B, at(2), 3)]
    assert put(sink, rows) == Receipt(inserted=2, updated=1, unchanged=2)
    assert contents().values == {row[:2]: row[2] for row in rows}


def test_months_are_cut_where_they_end_in_utc(sink: Sink, contents: Reader) -> None:
    ends = [datetime(2026, month, 1, tzinfo=UTC) for month in range(1, 13)]
    points = [int(end.timestamp()) + offset for end in ends for offset in (-STEP, 0)]
    rows = [(A, point, index) for index, point in enumerate(points)]
    assert put(sink, rows) == Receipt(inserted=24)
    assert contents().values == {row[:2]: row[2] for row in rows}
    changed = [(A, point, value + 1) for _, point, value in rows]
    assert put(sink, changed, loaded_at=LATER) == Receipt(updated=24)
    assert contents().values == {row[:2]: row[2] for row in changed}


def test_a_month_of_31_days_is_kept_whole(sink: Sink, contents: Reader) -> None:
    rows = [(A, at(point), point) for point in range(31 * DAY // STEP)]
    assert put(sink, rows) == Receipt(inserted=31 * 288)
    assert contents().values == {row[:2]: row[2] for row in rows}


def test_entries_of_several_months_are_stored(sink: Sink, contents: Reader) -> None:
    given = [
        entry(A, at(0), at(1), "failed", fetched_at=SENT + month * 31 * DAY * 1_000_000)
        for month in range(4)
    ]
    put(sink, [], given)
    assert sorted(contents().ledger) == sorted(given)


# ---------------------------------------------------------------------------------- late writers


def test_a_late_writer_does_not_overwrite_what_was_read_later(sink: Sink, contents: Reader) -> None:
    put(sink, [(A, at(0), 2), (A, at(1), 2)], [entry(A, at(0), at(2), fetched_at=SENT + 1)])
    late = [(A, at(0), 1), (A, at(1), 1), (A, at(2), 1)]
    given = entry(A, at(0), at(3))
    assert put(sink, late, [given], loaded_at=LATER) == Receipt(inserted=1, superseded=2)
    found = contents()
    assert found.values == {(A, at(0)): 2, (A, at(1)): 2, (A, at(2)): 1}
    assert found.revisions == []
    assert given in found.ledger


def test_a_late_writer_is_left_out_by_its_own_entry(sink: Sink, contents: Reader) -> None:
    """Each row counts as sent when the entry that covers it was, not when the batch's first was."""
    put(sink, [(A, at(0), 5), (A, at(1), 5)], [entry(A, at(0), at(2), fetched_at=SENT + 5)])
    entries = [
        entry(A, at(0), at(1), fetched_at=SENT + 4),
        entry(A, at(1), at(2), fetched_at=SENT + 6),
    ]
    assert put(sink, [(A, at(0), 6), (A, at(1), 6)], entries) == Receipt(updated=1, superseded=1)
    assert contents().values == {(A, at(0)): 5, (A, at(1)): 6}


def test_a_late_writer_is_stopped_where_the_later_read_had_no_row(
    sink: Sink, contents: Reader
) -> None:
    """A settled idle point must not come back from an older answer."""
    put(sink, [], [entry(A, at(0), at(1), fetched_at=SENT + 1, detail="idle_omitted")])
    assert put(sink, [(A, at(0), 1)]) == Receipt(superseded=1)
    assert contents().traffic == {}


@pytest.mark.parametrize(
    "stored",
    [
        entry(A, at(0), at(1), fetched_at=SENT),
        entry(A, at(0), at(1), fetched_at=SENT - 1),
        entry(B, at(0), at(1), fetched_at=SENT + 1),
        entry(A, at(1), at(2), fetched_at=SENT + 1),
        entry(A, at(-1), at(0), fetched_at=SENT + 1),
        entry(A, at(0), at(1), "partial", fetched_at=SENT + 1),
        entry(A, at(0), at(1), "failed", fetched_at=SENT + 1),
        entry(A, at(0), at(1), "lost", fetched_at=SENT + 1),
        entry(A, at(0), at(1), "gone", fetched_at=SENT + 1),
    ],
    ids=[
        "same-instant",
        "earlier",
        "other-domain",
        "after",
        "before",
        "partial",
        "failed",
        "lost",
        "gone",
    ],
)
def test_only_a_later_read_of_the_same_time_stops_a_writer(
    sink: Sink, contents: Reader, stored: Entry
) -> None:
    put(sink, [], [stored])
    assert put(sink, [(A, at(0), 1)]) == Receipt(inserted=1)
    assert contents().values == {(A, at(0)): 1}


def test_beside_a_row_that_is_left_out_only_later_reads_count(sink: Sink, contents: Reader) -> None:
    """What did not read a point says nothing of it, also where something else did read another."""
    stored = [
        entry(A, at(0), at(1), fetched_at=SENT + 1),
        entry(A, at(1), at(2), "partial", fetched_at=SENT + 1),
        entry(A, at(2), at(3), "failed", fetched_at=SENT + 1),
    ]
    put(sink, [(A, at(0), 2)], stored)
    late = [(A, at(point), 1) for point in range(3)]
    assert put(sink, late) == Receipt(inserted=2, superseded=1)
    assert contents().values == {(A, at(0)): 2, (A, at(1)): 1, (A, at(2)): 1}


def test_a_late_writer_is_stopped_across_months_of_the_ledger(sink: Sink, contents: Reader) -> None:
    month = 31 * DAY * 1_000_000
    put(sink, [(A, at(0), 2)], [entry(A, at(0), at(1), fetched_at=SENT + 3 * month)])
    put(sink, [], [entry(B, at(0), at(1), fetched_at=SENT + 9 * month)])
    assert put(sink, [(A, at(0), 1)]) == Receipt(superseded=1)
    assert contents().values == {(A, at(0)): 2}


def test_overlapping_entries_of_one_domain_cover_together(sink: Sink, contents: Reader) -> None:
    rows = [(A, at(point), point) for point in range(6)]
    entries = [entry(A, at(0), at(6)), entry(A, at(1), at(2)), entry(A, at(4), at(6))]
    assert put(sink, rows, entries) == Receipt(inserted=6)
    assert len(contents().traffic) == 6
