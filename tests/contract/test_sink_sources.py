"""Two APIs may answer for one domain: the zero of one says nothing against the value of the other."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from load.batch import microseconds
from load.sink import Receipt, Sink
from tests.contract.stores import (
    JANUARY,
    LOADED_AT,
    RUN,
    SENT,
    STEP,
    Contents,
    covering,
    frame,
)

A, B = "a.example.com", "b.example.com"
LATER = LOADED_AT + timedelta(hours=1)
Reader = Callable[[], Contents]
Rows = list[tuple[str, int, int, str]]


def at(point: int) -> int:
    return JANUARY + point * STEP


def put(sink: Sink, rows: Rows, load: int) -> Receipt:
    """The load with this number, an hour after the one before."""
    entries = covering(rows, fetched_at=SENT + load)
    loaded_at = LOADED_AT + timedelta(hours=load)
    return sink.upsert(frame(rows), entries, loaded_at=loaded_at, run_id=RUN)


@pytest.mark.parametrize(
    ("stored", "given", "changes"),
    [
        ((5, "v1"), (0, "v2"), False),
        ((5, "v2"), (0, "v1"), False),
        ((5, "v1"), (0, "v1"), True),
        ((5, "v1"), (6, "v2"), True),
        ((5, "v1"), (5, "v2"), False),
        ((0, "v1"), (5, "v2"), True),
        ((0, "v1"), (0, "v2"), False),
    ],
    ids=[
        "v2-says-0",
        "v1-says-0",
        "the-same-says-0",
        "the-other-says-6",
        "the-other-agrees",
        "the-other-knows-more",
        "both-say-0",
    ],
)
def test_a_foreign_zero_alone_is_left_out(
    sink: Sink,
    contents: Reader,
    stored: tuple[int, str],
    given: tuple[int, str],
    changes: bool,
) -> None:
    put(sink, [(A, at(0), *stored)], 0)
    receipt = put(sink, [(A, at(0), *given)], 1)
    found = contents()
    if changes:
        assert receipt == Receipt(updated=1)
        assert found.traffic[A, at(0)][:2] == given
        assert [row[3:5] for row in found.revisions] == [(stored[0], given[0])]
    else:
        assert receipt == Receipt(unchanged=1)
        assert found.traffic == {(A, at(0)): (*stored, microseconds(LOADED_AT))}
        assert found.revisions == []


@pytest.mark.parametrize(("settled", "young"), [("v1", "v2"), ("v2", "v1")])
def test_a_provisional_value_never_replaces_a_settled_one(
    sink: Sink, contents: Reader, settled: str, young: str
) -> None:
    """A point's age only grows, so what had not settled was sent before; whichever API said it."""
    put(sink, [(A, at(0), 5, settled)], 9)
    late = [(A, at(0), 4, young), (A, at(1), 4, young)]
    entries = covering(late, fetched_at=SENT)
    loaded_at = LOADED_AT + timedelta(hours=20)
    receipt = sink.upsert(frame(late), entries, loaded_at=loaded_at, run_id=RUN)
    assert receipt == Receipt(inserted=1, superseded=1)
    found = contents()
    assert {key: row[:2] for key, row in found.traffic.items()} == {
        (A, at(0)): (5, settled),
        (A, at(1)): (4, young),
    }
    assert found.revisions == []


def test_in_one_batch_each_row_is_judged_by_its_own_source(sink: Sink, contents: Reader) -> None:
    put(
        sink,
        [(A, at(0), 1, "v1"), (A, at(1), 2, "v2"), (A, at(2), 0, "v1"), (B, at(0), 3, "v1")],
        0,
    )
    again = [
        (A, at(0), 0, "v2"),
        (A, at(1), 0, "v2"),
        (A, at(2), 4, "v2"),
        (A, at(3), 0, "v2"),
        (B, at(0), 0, "v2"),
        (B, at(1), 0, "v2"),
    ]
    assert put(sink, again, 1) == Receipt(inserted=2, updated=2, unchanged=2)
    assert {key: row[:2] for key, row in contents().traffic.items()} == {
        (A, at(0)): (1, "v1"),
        (A, at(1)): (0, "v2"),
        (A, at(2)): (4, "v2"),
        (A, at(3)): (0, "v2"),
        (B, at(0)): (3, "v1"),
        (B, at(1)): (0, "v2"),
    }


def test_a_zero_of_the_same_source_counts_again_after_the_other_gave_way(
    sink: Sink, contents: Reader
) -> None:
    for load, given in enumerate([(5, "v1"), (6, "v2"), (0, "v1"), (0, "v2"), (0, "v1")]):
        put(sink, [(A, at(0), *given)], load)
    found = contents()
    assert [row[3:5] for row in found.revisions] == [(5, 6), (6, 0)]
    assert found.traffic[A, at(0)][:2] == (0, "v2")


def test_a_revision_knows_when_the_old_value_was_written(sink: Sink, contents: Reader) -> None:
    for load, value in enumerate([1, 1, 2, 3]):
        put(sink, [(A, at(0), value, "v1"), (B, at(0), 7, "v1")], load)
    hours = [microseconds(LOADED_AT + timedelta(hours=hour)) for hour in range(4)]
    assert [(row[2], row[5]) for row in contents().revisions] == [
        (hours[2], hours[0]),
        (hours[3], hours[2]),
    ]
