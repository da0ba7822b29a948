"""Sums over a window of some domains, in every store."""

import random
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from livetraffic.window import DAY, Window
from load.sink import Sink, Total
from tests.contract.stores import JANUARY, LOADED_AT, RUN, STEP, Store, covering, frame

A, B, C = "a.example.com", "b.example.com", "流量.例子"
BIG = 2**63 - 1
Rows = list[tuple[str, int, int, str]]


def at(point: int) -> int:
    return JANUARY + point * STEP


def window(first: int, after: int) -> Window:
    return Window(at(first), at(after))


def put(sink: Sink, rows: Rows) -> None:
    sink.upsert(frame(rows), covering(rows), loaded_at=LOADED_AT, run_id=RUN)


def test_totals_are_by_domain_and_source(sink: Sink, trace: Callable[[], object]) -> None:
    put(
        sink,
        [
            (A, at(0), 1, "v1"),
            (A, at(1), 2, "v1"),
            (A, at(2), 0, "v1"),
            (A, at(3), 4, "v2"),
            (B, at(1), 0, "v1"),
            (C, at(1), 9, "v2"),
        ],
    )
    before = trace()
    assert sink.totals(window(0, 4), [C, A, B, A, "nobody.example"]) == [
        Total(A, "v1", 3, 3, at(1)),
        Total(A, "v2", 1, 4, at(3)),
        Total(B, "v1", 1, 0, None),
        Total(C, "v2", 1, 9, at(1)),
    ]
    assert sink.point_totals(window(0, 4), [B, A, C, A]) == {
        at(0): 1,
        at(1): 11,
        at(2): 0,
        at(3): 4,
    }
    assert trace() == before


@pytest.mark.parametrize(("first", "after"), [(1, 3), (2, 3), (-5, 0), (9, 12)])
def test_a_window_is_half_open(sink: Sink, first: int, after: int) -> None:
    rows: Rows = [(A, at(point), 10 + point, "v1") for point in range(4)]
    put(sink, rows)
    inside = [row for row in rows if at(first) <= row[1] < at(after)]
    assert sink.point_totals(window(first, after), [A]) == {row[1]: row[2] for row in inside}
    assert sink.totals(window(first, after), [A]) == (
        [Total(A, "v1", len(inside), sum(row[2] for row in inside), inside[-1][1])]
        if inside
        else []
    )


def test_sums_of_more_than_64_bits_are_exact(sink: Sink) -> None:
    put(sink, [(name, at(point), BIG, "v1") for name in (A, B, C) for point in range(3)])
    assert sink.totals(window(0, 3), [A])[0].traffic_bytes == 3 * BIG
    assert sink.point_totals(window(0, 3), [A, B, C]) == {at(point): 3 * BIG for point in range(3)}


def test_more_domains_than_one_statement_takes_over_the_end_of_a_month(sink: Sink) -> None:
    rng = random.Random(7)
    names = [f"d{number:04}.example" for number in range(1100)]
    end = JANUARY + 31 * DAY
    rows: Rows = [
        (name, end + point * STEP, rng.choice((0, 1, BIG)), rng.choice(("v1", "v2")))
        for name in names
        for point in range(-2, 2)
    ]
    put(sink, rows)
    asked, chosen = Window(end - STEP, end + STEP), [*names[50:], *names[100:200]]
    inside = [row for row in rows if asked.start <= row[1] < asked.end and row[0] in names[50:]]
    by_source: defaultdict[tuple[str, str], Rows] = defaultdict(list)
    by_point: defaultdict[int, int] = defaultdict(int)
    for row in inside:
        by_source[row[0], row[3]].append(row)
        by_point[row[1]] += row[2]
    assert sink.point_totals(asked, chosen) == by_point
    assert sink.totals(asked, chosen) == [
        Total(
            *key,
            len(found),
            sum(row[2] for row in found),
            max((row[1] for row in found if row[2]), default=None),
        )
        for key, found in sorted(by_source.items())
    ]


def test_without_domains_or_a_warehouse_there_is_nothing(store: Store, place: Path) -> None:
    sink = store.make(place)
    assert sink.totals(window(0, 1), [A]) == []
    assert sink.point_totals(window(0, 1), [A]) == {}
    assert not place.exists()
    sink.prepare(step=STEP, timezone="UTC", settle_after=0)
    put(sink, [(A, at(0), 1, "v1")])
    assert sink.totals(window(0, 1), []) == []
    assert sink.point_totals(window(0, 1), []) == {}
