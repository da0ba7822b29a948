"""The fold, sentence by sentence."""

import random
import time

import pytest

from livetraffic.ledger import (
    NOTHING,
    Entry,
    Mark,
    State,
    complete_until,
    fold,
    zero_filling_sources,
)
from livetraffic.window import DAY, HOUR, Window

STEP = 300


def entry(start: int, end: int, state: str = State.READ, *, at: int, detail: str = "") -> Entry:
    return Entry(
        "a.example.com",
        start,
        end,
        state,
        0,
        0,
        None,
        "v1",
        "me",
        "p",
        "r",
        at * 1_000_000,
        "run",
        detail,
    )


def folded(*entries: Entry):
    return fold(entries, settle_after=DAY, step=STEP).get("a.example.com", NOTHING)


def test_a_read_settles_the_points_that_were_old_enough_when_it_was_sent():
    """The boundary is the point's end plus the settle age, to the second."""
    read = entry(0, 2 * DAY, at=2 * DAY)
    assert folded(read).settled == (Window(0, DAY),)
    assert folded(read).read == (Window(0, 2 * DAY),)
    assert folded(read._replace(fetched_at=(2 * DAY - 1) * 1_000_000)).settled == (
        Window(0, DAY - STEP),
    )


def test_a_later_failure_or_short_answer_never_lowers_settled_time():
    """It is shown as an anomaly instead."""
    read = entry(0, DAY, at=3 * DAY)
    short = entry(0, HOUR, State.PARTIAL, at=4 * DAY)
    failed = entry(0, DAY, State.FAILED, at=5 * DAY, detail="504")
    result = folded(failed, read, short)
    assert result.settled == (Window(0, DAY),)
    assert result.partial == result.failed == ()
    assert result.anomalies == (short, failed)
    assert result.last_error == "504"


def test_a_failure_that_a_read_healed_is_no_anomaly():
    """Order is by the time of sending, not of the rows."""
    assert (
        folded(entry(0, DAY, at=5 * DAY), entry(0, DAY, State.FAILED, at=4 * DAY)).anomalies == ()
    )


@pytest.mark.parametrize("seed", range(40))
def test_anomalies_are_the_doubts_over_what_had_settled_before(seed):
    """Point by point, in random ledgers."""
    rng = random.Random(seed)
    entries = []
    for _ in range(rng.randrange(2, 40)):
        start = rng.randrange(0, 40) * STEP
        end = start + rng.randrange(1, 12) * STEP
        state = rng.choice([State.READ, State.READ, State.PARTIAL, State.FAILED])
        entries.append(entry(start, end, state, at=rng.randrange(20 * STEP, DAY + 50 * STEP)))
    doubts = [e for e in entries if e.state != State.READ]
    expected = [
        doubt
        for doubt in sorted(doubts, key=lambda e: (e.fetched_at, e.window_start))
        if any(
            point + STEP + DAY <= read.fetched_at // 1_000_000
            for read in entries
            if read.state == State.READ and read.fetched_at < doubt.fetched_at
            for point in range(read.window_start, read.window_end, STEP)
            if doubt.window_start <= point < doubt.window_end
        )
    ]
    assert folded(*entries).anomalies == tuple(expected)


def test_the_fold_takes_time_in_proportion_to_the_ledger():
    """Three years of a source that leaves idle periods out: sixteen stretches and holes a night."""
    nights = range(1, 3 * 365)
    entries = [
        entry(day * DAY + n * HOUR, day * DAY + (n + 1) * HOUR, state, at=(day + 1 + age) * DAY)
        for day in nights
        for age in (1, 2)
        for n in range(16)
        for state in (State.READ if n % 2 else State.PARTIAL,)
    ]
    began = time.process_time()
    result = folded(*entries)
    assert len(result.read) == 8 * len(nights)
    assert time.process_time() - began < 5


def test_lost_is_a_note_and_never_a_bar():
    """Time that was noted as lost and is read after all is read."""
    lost = entry(0, DAY, State.LOST, at=95 * DAY)
    assert folded(lost).lost == (Window(0, DAY),)
    healed = folded(lost, entry(0, HOUR, at=96 * DAY))
    assert healed.lost == (Window(HOUR, DAY),)
    assert healed.settled == (Window(0, HOUR),)


def test_absence_counts_towards_idle_only_when_the_answer_was_whole_and_old_enough():
    """Marked partial entries, and only the part old enough to settle."""
    absent = entry(0, 2 * DAY, State.PARTIAL, at=2 * DAY, detail=f"{Mark.ABSENT}; total=3")
    assert folded(absent).absent == (Window(0, DAY),)
    assert folded(absent._replace(detail="total=3")).absent == ()


def test_an_explicit_zero_proves_that_the_source_fills():
    """The proof is per source."""
    read = entry(0, DAY, at=3 * DAY, detail=Mark.EXPLICIT_ZERO.value)
    assert zero_filling_sources([read]) == {"v1"}
    assert zero_filling_sources([read._replace(detail="")]) == frozenset()


def test_gone_is_the_newest_time_the_source_denied_the_domain():
    """Several denials: the last counts."""
    assert (
        folded(entry(0, DAY, State.GONE, at=9 * DAY), entry(0, DAY, State.GONE, at=7 * DAY)).gone_at
        == 9 * DAY
    )


def test_the_mark_is_the_first_wanted_point_that_is_not_settled():
    """Null where the first wanted point is open; the window's end where nothing is."""
    wanted = {name: [Window(0, DAY)] for name in "abc"}
    coverage = {
        "a": folded(entry(0, HOUR, at=9 * DAY), entry(2 * HOUR, DAY, at=9 * DAY)),
        "b": folded(entry(0, DAY, at=9 * DAY)),
    }
    assert complete_until(wanted, coverage) == {"a": HOUR, "b": DAY, "c": None}


def test_a_state_of_a_newer_version_is_not_guessed_at():
    """An unknown state stops the fold instead of being read as missing."""
    with pytest.raises(ValueError, match="does not know"):
        folded(entry(0, DAY, "half-read", at=DAY))
