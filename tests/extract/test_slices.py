"""What a slice's entries tell of every point."""

import pytest

from livetraffic.errors import Unavailable
from livetraffic.ledger import Mark
from livetraffic.window import DAY, Window
from tests.extract.sliced import (
    DOMAIN,
    END,
    FULL,
    NOW,
    STEP,
    WINDOW,
    Source,
    fail,
    read,
    told,
    whole,
    without,
)


def test_a_full_answer_is_one_read():
    """With the stamp, the sum, and the instant of sending in microseconds."""
    source = Source(FULL)
    result = read(source)
    (entry,) = result.entries
    assert entry == (
        *(DOMAIN, WINDOW.start, WINDOW.end, "read", 12, 12, 78, "v1", "acme", "p-1", "cn-north-4"),
        *(int(NOW.timestamp()) * 1_000_000, "run-1", ""),
    )
    assert len(result.points) == 12
    assert (result.error, result.requests_extra, source.asked) == (None, 0, [WINDOW])


def test_a_zero_in_the_answer_is_marked():
    """It proves that the source fills idle points."""
    assert read(Source(FULL | {3: 0})).entries[0].marked(Mark.EXPLICIT_ZERO)


def test_a_short_answer_is_a_read_for_each_run_and_a_partial_for_each_hole():
    """And nothing is asked again: absence alone is no fault."""
    source = Source(without(3, 7, 8))
    assert told(read(source)) == [
        ("read", 0, 3, 3, 3, ""),
        ("partial", 3, 4, 0, 1, "absent"),
        ("read", 4, 7, 3, 3, ""),
        ("partial", 7, 9, 0, 2, "absent"),
        ("read", 9, 12, 3, 3, ""),
    ]
    assert len(source.asked) == 1


def test_rejected_points_are_holes_but_not_absent():
    """Something was said about them, only not what."""
    source = Source(
        without(3, 5),
        [
            lambda s, w: whole(
                s,
                w,
                doubtful=(WINDOW.start + 3 * STEP,),
                rejected=("traffic is null",),
                rejected_points=1,
            )
        ],
    )
    holes = [line for line in told(read(source)) if line[0] == "partial"]
    assert holes == [
        ("partial", 3, 4, 0, 1, "1 rejected (traffic is null)"),
        ("partial", 5, 6, 0, 1, "absent; 1 rejected (traffic is null)"),
    ]


def test_a_rejected_point_of_unknown_time_may_be_any_hole():
    """So none of them is absent."""
    source = Source(without(3, 5), [lambda s, w: whole(s, w, untimed=1)])
    assert [entry.marked(Mark.ABSENT) for entry in read(source).entries] == [False] * 5


def test_a_point_absent_twice_and_old_enough_is_idle():
    """It is settled, and no row is invented."""
    absent = (Window(WINDOW.start + 3 * STEP, WINDOW.start + 4 * STEP),)
    result = read(Source(without(3, 7)), absent=absent)
    assert told(result)[1] == ("read", 3, 4, 0, 1, "idle_omitted")
    assert told(result)[3] == ("partial", 7, 8, 0, 1, "absent")
    assert len(result.points) == 10


@pytest.mark.parametrize(
    "changes",
    [{"zero_filling": True}, {"idle": "zero"}, {"settle_after": 3 * DAY}],
    ids=["zero-filling", "by setting", "too young"],
)
def test_absence_twice_is_not_always_idleness(changes):
    """Not where zeros are filled in, not by setting, and not while the point may still come."""
    result = read(Source(without(3)), absent=(WINDOW,), **changes)
    assert told(result)[1] == ("partial", 3, 4, 0, 1, "absent")


def test_a_zero_in_this_very_answer_forbids_idleness():
    """The source has just proved that it fills."""
    result = read(Source(without(3) | {0: 0}), absent=(WINDOW,))
    assert told(result)[1][0] == "partial"


def test_idleness_is_settled_point_by_point():
    """The young end of a hole stays open."""
    young = Window(WINDOW.start, WINDOW.end)
    age = int(NOW.timestamp()) - (WINDOW.start + 5 * STEP)
    result = read(Source({0: 1}), absent=(young,), settle_after=age)
    assert told(result) == [
        ("read", 0, 1, 1, 1, ""),
        ("read", 1, 5, 0, 4, "idle_omitted"),
        ("partial", 5, 12, 0, 7, "absent"),
    ]


def test_the_setting_omit_settles_the_first_absence():
    """The user knows the source; no tail is asked for either."""
    source = Source({0: 1, 1: 2})
    assert told(read(source, idle="omit")) == [
        ("read", 0, 2, 2, 2, ""),
        ("read", 2, 12, 0, 10, "idle_omitted"),
    ]
    assert len(source.asked) == 1


def test_nothing_is_owed_outside_the_expected_part():
    """Before creation and after unlisting an absence is no hole."""
    expected = Window(WINDOW.start + 4 * STEP, WINDOW.end - 2 * STEP)
    source = Source(dict.fromkeys(range(4, 10), 1))
    assert told(read(source, expected=expected)) == [
        ("read", 0, 4, 0, 0, "not expected"),
        ("read", 4, 10, 6, 6, ""),
        ("read", 10, 12, 0, 0, "not expected"),
    ]


def test_points_outside_the_expected_part_are_stored_all_the_same():
    """A domain that was created anew still has its past."""
    result = read(Source({2: 5, 4: 6}), expected=None)
    assert len(result.points) == 2
    assert [line[:5] for line in told(result)] == [
        ("read", 0, 2, 0, 0),
        ("read", 2, 3, 1, 0),
        ("read", 3, 4, 0, 0),
        ("read", 4, 5, 1, 0),
        ("read", 5, 12, 0, 0),
    ]


@pytest.mark.parametrize("spared", [64, 65])
def test_many_holes_are_one_partial_for_the_window(spared):
    """Every row still lies in a read; the note comes last."""
    window = Window(END - 200 * STEP, END)
    gaps = set(range(1, 2 * spared, 2))
    shift = (WINDOW.start - window.start) // STEP
    source = Source({place - shift: 1 for place in range(200) if place not in gaps})
    result = read(source, window=window, expected=window)
    partials = [entry for entry in result.entries if entry.state == "partial"]
    reads = [entry for entry in result.entries if entry.state == "read"]
    assert sum(entry.points for entry in reads) == len(result.points) == 200 - spared
    assert all(entry.points == entry.expected_points for entry in reads)
    if spared == 64:
        assert len(partials) == 64
    else:
        (partial,) = partials
        assert partial is result.entries[-1]
        assert partial.window == window
        assert (partial.points, partial.expected_points) == (200 - 65, 200)
        assert partial.marked(Mark.ABSENT)


def test_beside_many_holes_a_read_is_of_one_request():
    """Where reads are joined to be few, each keeps the instant its own request was sent."""
    window = Window(END - 400 * STEP, END)
    seam = window.start + 200 * STEP
    shift = (WINDOW.start - window.start) // STEP
    held = {place - shift: 1 for place in range(400) if place % 4 != 1}
    result = read(Source(held, [fail(Unavailable), whole]), window=window, expected=window)
    sent = int(NOW.timestamp()) * 1_000_000
    reads = [entry for entry in result.entries if entry.state == "read"]
    assert sum(entry.points for entry in reads) == len(result.points) == 300
    for entry in reads:
        assert entry.window_end <= seam or entry.window_start >= seam
        assert entry.fetched_at == sent + (1_000_000 if entry.window_end <= seam else 2_000_000)


def test_many_idle_points_are_told_in_few_entries():
    """A source that omits idle periods must not fill the ledger."""
    window = Window(END - 2000 * STEP, END)
    shift = (WINDOW.start - window.start) // STEP
    source = Source({place - shift: 1 for place in range(0, 2000, 2)})
    result = read(source, window=window, expected=window, absent=(window,))
    (entry,) = result.entries
    assert (entry.state, entry.window) == ("read", window)
    assert (entry.points, entry.expected_points, entry.detail) == (1000, 2000, "idle_omitted")
