"""What is asked for again, in which pieces, and where it ends."""

import pytest

from extract.frames import Parsed
from extract.slices import gone_entry
from livetraffic.errors import (
    ClockError,
    ContractError,
    CredentialsError,
    Refused,
    Stopped,
    Throttled,
    Unavailable,
    UnknownDomain,
    Unreachable,
)
from livetraffic.ledger import Mark
from livetraffic.window import DAY, HOUR, Window
from tests.extract.sliced import (
    END,
    FULL,
    NOW,
    STAMP,
    STEP,
    WINDOW,
    Source,
    cut,
    fail,
    first,
    read,
    told,
    whole,
    without,
)


def test_a_request_that_failed_is_made_in_halves():
    """Each half once, the earlier first."""
    source = Source(FULL, [fail(Unavailable), whole])
    result = read(source)
    middle = WINDOW.start + 6 * STEP
    assert source.asked == [WINDOW, Window(WINDOW.start, middle), Window(middle, WINDOW.end)]
    assert source.single == [False, True, True]
    assert [line[:3] for line in told(result)] == [("read", 0, 6), ("read", 6, 12)]
    assert [entry.fetched_at % 60_000_000 for entry in result.entries] == [1_000_000, 2_000_000]
    assert (result.error, result.requests_extra, len(result.points)) == (None, 2, 12)


def test_what_could_be_read_beside_a_failure_is_kept():
    """The rest is one failed entry with the sentence."""

    def late_half_fails(source, window):
        if window.end > WINDOW.start + 6 * STEP:
            raise Unavailable("timed out", "wait")
        return whole(source, window)

    result = read(Source(FULL, [late_half_fails]))
    assert told(result) == [
        ("read", 0, 6, 6, 6, ""),
        ("failed", 6, 12, 0, 6, "timed out wait"),
    ]
    assert isinstance(result.error, Unavailable)
    assert len(result.points) == 6


def test_a_dead_source_is_not_asked_eight_more_times():
    """Three in a row without a new point end it."""
    source = Source(FULL, [fail(Unavailable)])
    result = read(source)
    assert told(result) == [("failed", 0, 12, 0, 12, "no answer wait")]
    assert result.requests_extra == 3
    assert len(result.points) == 0


def test_extra_requests_are_at_most_eight():
    """However much is still missing."""

    def small_only(source, window):
        if window.points(STEP) > 1:
            raise Unavailable("too slow", "wait")
        return whole(source, window)

    window = Window(END - 8 * STEP, END)
    source = Source(FULL, [small_only])
    result = read(source, window=window, expected=window)
    assert len(source.asked) == 9
    assert [line[0] for line in told(result)] == ["read"] * 4 + ["failed"]


def test_one_point_is_not_split():
    """There is nothing smaller."""
    window = Window(WINDOW.start, WINDOW.start + STEP)
    source = Source(FULL, [fail(Unavailable)])
    read(source, window=window, expected=window)
    assert len(source.asked) == 1


@pytest.mark.parametrize("kind", [Unreachable, Throttled, Refused, UnknownDomain, ContractError])
def test_other_failures_are_not_split(kind):
    """Halves would fail alike."""
    source = Source(FULL, [fail(kind)])
    result = read(source)
    assert told(result) == [("failed", 0, 12, 0, 12, "no answer wait")]
    assert type(result.error) is kind
    assert len(source.asked) == 1


@pytest.mark.parametrize("kind", [Unreachable, Throttled])
def test_no_connection_ends_the_splitting(kind):
    """What is left is not tried either."""
    source = Source(FULL, [fail(Unavailable), fail(kind)])
    result = read(source)
    assert len(source.asked) == 2
    assert told(result)[0][:3] == ("failed", 0, 12)


@pytest.mark.parametrize("kind", [CredentialsError, ClockError])
def test_what_concerns_every_request_is_raised(kind):
    """The run stops; the slice stays due."""
    with pytest.raises(kind):
        read(Source(FULL, [fail(kind)]))


def test_a_stop_is_raised():
    """What is committed stays."""

    def stop(_source, _window):
        raise Stopped

    with pytest.raises(Stopped):
        read(Source(FULL, [fail(Unavailable), stop]))


def test_an_answer_that_was_cut_is_asked_for_in_halves():
    """Its good points are kept where the halves bring none."""
    source = Source(FULL, [cut, whole])
    result = read(source)
    # The first half adds points 4 and 5, and is whole: so is the second.
    assert [line[:3] for line in told(result)] == [("read", 0, 6), ("read", 6, 12)]
    assert len(result.points) == 12
    assert result.requests_extra == 2


def test_a_half_that_is_complete_already_is_not_asked_for():
    """Only what is missing costs a request."""
    source = Source(FULL, [lambda s, w: cut(s, w, keep=7), whole])
    read(source)
    assert source.asked[1:] == [Window(WINDOW.start + 6 * STEP, WINDOW.end)]


def test_the_rest_of_a_cut_answer_is_partial_and_not_absent():
    """It was not said that the points are not there."""
    source = Source(FULL, [lambda s, w: cut(s, w, keep=2)])
    result = read(source)
    assert told(result)[0][:2] == ("read", 0)
    rest = [entry for entry in result.entries if entry.state == "partial"]
    assert rest
    assert not any(entry.marked(Mark.ABSENT) for entry in rest)
    assert "total" in rest[0].detail
    assert result.error is None


def test_a_wrong_total_over_all_points_costs_nothing():
    """There is nothing to ask for."""
    source = Source(FULL, [lambda s, w: whole(s, w, total=15)])
    result = read(source)
    assert told(result) == [("read", 0, 12, 12, 12, "total 15 but 12 listed")]
    assert len(source.asked) == 1


def test_a_missing_tail_is_asked_for_once():
    """A source that caps its answers looks just so."""
    source = Source(FULL, [lambda s, w: whole(Source(without(*range(8, 12))), w), whole])
    result = read(source)
    assert source.asked == [WINDOW, Window(WINDOW.start + 8 * STEP, WINDOW.end)]
    assert [line[:3] for line in told(result)] == [("read", 0, 8), ("read", 8, 12)]


def test_a_tail_that_comes_back_empty_is_absence():
    """Of one request more, not of a second day."""
    source = Source(dict.fromkeys(range(8), 1))
    assert told(read(source)) == [
        ("read", 0, 8, 8, 8, ""),
        ("partial", 8, 12, 0, 4, "absent"),
    ]
    assert len(source.asked) == 2


@pytest.mark.parametrize(
    ("points", "changes"),
    [
        ({}, {}),
        (without(2, 10, 11), {}),
        (without(0, 10, 11), {}),
        (without(10, 11), {"settle_after": 3 * DAY}),
        (without(10, 11), {"absent": (WINDOW,)}),
        (without(10, 11), {"idle": "omit"}),
        (without(10, 11), {"expected": Window(WINDOW.start, WINDOW.end - 2 * STEP)}),
    ],
    ids=["nothing at all", "holes before", "no beginning", "young", "known", "omit", "not owed"],
)
def test_no_tail_is_asked_for_without_its_signs(points, changes):
    """Absence alone is never a reason."""
    source = Source(points)
    read(source, **changes)
    assert len(source.asked) == 1


def test_a_tail_that_is_capped_again_is_followed_while_it_brings_points():
    """Three points an answer: three more requests for nine."""

    def capped(source, window):
        points = whole(source, window).points
        return Parsed(first(points, 3), total=min(3, len(points)), listed=3)

    source = Source(FULL, [capped])
    result = read(source)
    assert len(result.points) == 12
    assert len(source.asked) == 4


def test_a_later_answer_wins_where_two_give_the_point():
    """And the read names the request that it is of."""
    newer = Source(dict.fromkeys(FULL, 100))
    source = Source(FULL, [cut, lambda s, w: whole(newer, w)])
    result = read(source)
    assert result.points.traffic.tolist() == [100] * 12


def test_the_values_of_a_month_may_exceed_64_bits_in_sum():
    """The sum is held at the largest that a column holds."""
    result = read(Source(dict.fromkeys(FULL, 2**63 - 1)))
    assert result.entries[0].traffic_bytes == 2**63 - 1


def test_a_gone_domain_has_one_entry():
    """Nothing was expected, nothing failed."""
    result = read(Source(FULL, [fail(UnknownDomain)]))
    entry = gone_entry(result, STAMP)
    assert (entry.state, entry.window, entry.points, entry.expected_points) == (
        "gone",
        WINDOW,
        0,
        0,
    )
    assert entry.fetched_at == int(NOW.timestamp()) * 1_000_000
    assert "no answer" in entry.detail


def test_a_piece_that_expires_while_it_waits_does_not_end_the_run():
    """The client refuses it; the rest goes on."""

    def expired(_source, _window):
        raise ValueError("starts before the source's retention")

    source = Source(FULL, [fail(Unavailable), expired, whole])
    result = read(source)
    assert [line[:3] for line in told(result)] == [("failed", 0, 6), ("read", 6, 12)]


def test_a_window_that_must_not_be_asked_for_is_the_callers_mistake():
    """It is not turned into a failed slice."""

    def refused(_source, _window):
        raise ValueError("off the grid")

    with pytest.raises(ValueError, match="grid"):
        read(Source(FULL, [refused]))


def test_an_hour_in_a_longer_step_is_one_point():
    """The grid is that of the step."""
    window = Window(END - 3 * HOUR, END)
    source = Source({})
    result = read(source, window=window, expected=window, step=HOUR)
    assert result.entries[0].expected_points == 3
