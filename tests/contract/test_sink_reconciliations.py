"""What checks against the source found is appended and comes back."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from livetraffic.errors import SinkError
from livetraffic.reconciliation import Reconciliation
from livetraffic.table import RECONCILIATIONS
from livetraffic.window import DAY
from load.arrow import schema
from load.sink import MonthTotals, Sink
from tests.contract.stores import JANUARY, RUN, Contents, Store

MICRO = 1_000_000
FEBRUARY = JANUARY + 31 * DAY
Reader = Callable[[], Contents]
Trace = Callable[[], object]


def check(domain: str, checked_at: int = FEBRUARY + 5, **changes: object) -> Reconciliation:
    """One of January that agrees."""
    made = Reconciliation(
        checked_at, RUN, "domain", domain, JANUARY, FEBRUARY, "v2", "acc", 5, 7, 2, 3, "agrees"
    )
    return made._replace(**changes)


GIVEN = [
    check("a.example"),
    check("*", kind="tenant", state="untracked", detail='"流量"; \n2,5 GB', stored_bytes=2**62),
    check("a.example", FEBRUARY - 1, difference_bytes=-(2**62), state="differs"),
    check("a.example"),
]


def test_rows_are_appended_and_come_back(sink: Sink, contents: Reader) -> None:
    """In both months, and the same row twice is two rows."""
    sink.put_reconciliations(GIVEN[:1])
    sink.put_reconciliations(GIVEN[1:])
    assert sorted(sink.reconciliations()) == sorted(GIVEN) == sorted(contents().reconciliations)
    assert {type(value) for row in sink.reconciliations() for value in row} == {int, str}


def test_rows_since_an_instant_hold_at_least_what_came_since(sink: Sink) -> None:
    given = [check("a.example", JANUARY + day * DAY) for day in range(70)]
    sink.put_reconciliations(given)
    for day in (0, 3, 31, 69, 70):
        since = JANUARY + day * DAY
        expected = {row for row in given if row.checked_at >= since}
        assert expected <= set(sink.reconciliations(since)) <= set(given)


def test_no_rows_write_nothing(sink: Sink, trace: Trace) -> None:
    before = trace()
    sink.put_reconciliations([])
    assert trace() == before
    assert sink.reconciliations() == []


@pytest.mark.parametrize(
    "bad",
    [check("a", stored_bytes=2**63), check("a", run_id=None), check("a", checked_at=None)],
    ids=["too-large", "no-run", "no-instant"],
)
def test_a_row_that_does_not_fit_is_refused_with_all_others(
    sink: Sink, trace: Trace, bad: Reconciliation
) -> None:
    before = trace()
    with pytest.raises(SinkError) as caught:
        sink.put_reconciliations([check("a.example"), bad])
    assert caught.value.remedy
    assert trace() == before


def test_without_a_warehouse_there_are_none_and_none_can_be_put(store: Store, place: Path) -> None:
    sink = store.make(place)
    assert sink.reconciliations() == []
    with pytest.raises(SinkError):
        sink.put_reconciliations(GIVEN)
    assert not place.exists()


def test_they_move_by_the_month_in_which_they_were_checked(sink: Sink, contents: Reader) -> None:
    sink.put_reconciliations(GIVEN)
    assert sink.months(RECONCILIATIONS) == {
        "2026-01": _summed(GIVEN[2:3]),
        "2026-02": _summed([*GIVEN[:2], *GIVEN[3:]]),
    }
    pieces = list(sink.read_month(RECONCILIATIONS, "2026-02"))
    assert all(piece.schema == schema(RECONCILIATIONS) for piece in pieces)
    assert sum(piece.num_rows for piece in pieces) == 3
    sink.replace_month(RECONCILIATIONS, "2026-02", iter([*pieces, *pieces[:1]]))
    assert len(contents().reconciliations) == 4 + pieces[0].num_rows
    assert set(contents().reconciliations) == set(GIVEN)


def _summed(rows: Sequence[Reconciliation]) -> MonthTotals:
    sums = tuple(sum(row[place] for row in rows) for place in (8, 9, 10, 11))
    newest = tuple(max(row[place] for row in rows) * MICRO for place in (0, 4, 5))
    return MonthTotals(len(rows), sums, newest)
