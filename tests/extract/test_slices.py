"""One slice: what the entries say of every point, and when something is asked for again."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from extract.frames import Parsed, frame_of
from extract.live_api import Answer
from extract.slices import Stamp, gone_entry, read_slice
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

STEP = 300
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
END = int(NOW.timestamp()) - 2 * DAY
"""Everything before it is older than a day."""
WINDOW = Window(END - 12 * STEP, END)
STAMP = Stamp("v1", "acme", "p-1", "cn-north-4", "run-1")
DOMAIN = "play.example.com"


@dataclass
class Source:
    """A source that holds ``points`` (place on the window's grid -> bytes) and fails as told.

    ``answers`` is one function a request, the last for ever: from (source, window) to an answer.
    """

    points: dict
    answers: list = field(default_factory=list)
    asked: list = field(default_factory=list)
    single: list = field(default_factory=list)

    def now(self):
        return NOW + timedelta(seconds=len(self.asked))

    def traffic(self, domain, window, *, single_attempt=False):
        assert domain == DOMAIN
        sent_at = self.now()
        self.asked.append(window)
        self.single.append(single_attempt)
        number = min(len(self.asked), len(self.answers)) - 1
        made = self.answers[number](self, window) if self.answers else whole(self, window)
        return Answer(made, sent_at, "r-1")


def whole(source, window, **changes):
    """Everything the source holds in the window."""
    held = {
        WINDOW.start + place * STEP: value
        for place, value in source.points.items()
        if window.start <= WINDOW.start + place * STEP < window.end
    }
    seconds = np.array(sorted(held), dtype=np.int64)
    values = np.array([held[at] for at in sorted(held)], dtype=np.int64)
    facts = {"total": len(held), "listed": len(held), "has_zero": 0 in held.values()}
    return Parsed(frame_of(DOMAIN, seconds, values, "v1"), **(facts | changes))


def cut(source, window, *, keep=4):
    """The first few points, with the whole number as the total."""
    found = whole(source, window)
    kept = found.frame.iloc[:keep]
    return Parsed(kept, total=len(found.frame), listed=len(kept))


def fail(kind):
    def answer(_source, _window):
        raise kind("no answer", "wait")

    return answer


def read(source, **changes):
    settings = {
        "expected": WINDOW,
        "absent": (),
        "zero_filling": False,
        "idle": "auto",
        "settle_after": DAY,
        "step": STEP,
        "stamp": STAMP,
    } | changes
    return read_slice(source, DOMAIN, settings.pop("window", WINDOW), **settings)


def places(window):
    """A window as places on the grid."""
    return (window.start - WINDOW.start) // STEP, (window.end - WINDOW.start) // STEP


def told(result):
    """The entries as (state, first place, end place, points, expected, detail)."""
    return [
        (
            entry.state.value,
            *places(entry.window),
            entry.points,
            entry.expected_points,
            entry.detail,
        )
        for entry in result.entries
    ]


FULL = {place: place + 1 for place in range(12)}


def without(*missing):
    return {place: value for place, value in FULL.items() if place not in missing}


def test_a_full_answer_is_one_read():
    """With the stamp, the sum, and the instant of sending in microseconds."""
    source = Source(FULL)
    result = read(source)
    (entry,) = result.entries
    assert entry == (
        *(DOMAIN, WINDOW.start, WINDOW.end, "read", 12, 12, 78, "v1", "acme", "p-1", "cn-north-4"),
        *(int(NOW.timestamp()) * 1_000_000, "run-1", ""),
    )
    assert len(result.frame) == 12
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
    assert len(result.frame) == 10


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
    assert len(result.frame) == 2
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
    assert sum(entry.points for entry in reads) == len(result.frame) == 200 - spared
    assert all(entry.points == entry.expected_points for entry in reads)
    if spared == 64:
        assert len(partials) == 64
    else:
        (partial,) = partials
        assert partial is result.entries[-1]
        assert partial.window == window
        assert (partial.points, partial.expected_points) == (200 - 65, 200)
        assert partial.marked(Mark.ABSENT)


def test_many_idle_points_are_told_in_few_entries():
    """A source that omits idle periods must not fill the ledger."""
    window = Window(END - 2000 * STEP, END)
    shift = (WINDOW.start - window.start) // STEP
    source = Source({place - shift: 1 for place in range(0, 2000, 2)})
    result = read(source, window=window, expected=window, absent=(window,))
    (entry,) = result.entries
    assert (entry.state, entry.window) == ("read", window)
    assert (entry.points, entry.expected_points, entry.detail) == (1000, 2000, "idle_omitted")


def test_a_request_that_failed_is_made_in_halves():
    """Each half once, the earlier first."""
    source = Source(FULL, [fail(Unavailable), whole])
    result = read(source)
    middle = WINDOW.start + 6 * STEP
    assert source.asked == [WINDOW, Window(WINDOW.start, middle), Window(middle, WINDOW.end)]
    assert source.single == [False, True, True]
    assert [line[:3] for line in told(result)] == [("read", 0, 6), ("read", 6, 12)]
    assert [entry.fetched_at % 60_000_000 for entry in result.entries] == [1_000_000, 2_000_000]
    assert (result.error, result.requests_extra, len(result.frame)) == (None, 2, 12)


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
    assert len(result.frame) == 6


def test_a_dead_source_is_not_asked_eight_more_times():
    """Three in a row without a new point end it."""
    source = Source(FULL, [fail(Unavailable)])
    result = read(source)
    assert told(result) == [("failed", 0, 12, 0, 12, "no answer wait")]
    assert result.requests_extra == 3
    assert len(result.frame) == 0


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
    assert len(result.frame) == 12
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
        found = whole(source, window)
        return Parsed(found.frame.iloc[:3], total=min(3, len(found.frame)), listed=3)

    source = Source(FULL, [capped])
    result = read(source)
    assert len(result.frame) == 12
    assert len(source.asked) == 4


def test_a_later_answer_wins_where_two_give_the_point():
    """And the read names the request that it is of."""
    newer = Source(dict.fromkeys(FULL, 100))
    source = Source(FULL, [cut, lambda s, w: whole(newer, w)])
    result = read(source)
    assert result.frame["traffic_bytes"].tolist() == [100] * 12


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
