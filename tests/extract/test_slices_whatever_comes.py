"""Whatever the source answers: the entries cover the window, and every row lies in one read."""

from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from extract.frames import Parsed, Points
from extract.live_api import Answer
from extract.slices import Stamp, read_slice
from livetraffic.errors import ContractError, Refused, Throttled, Unavailable, Unreachable
from livetraffic.ledger import fold
from livetraffic.window import DAY, Window, merge, subtract

STEP = 300
POINTS = 24
END = 1_780_000_200
WINDOW = Window(END - POINTS * STEP, END)
STAMP = Stamp("v1", "acme", "p-1", "", "run-1")
FAULTS = [Unavailable, Unavailable, Unreachable, Throttled, Refused, ContractError]


class Dice:
    """A source whose every answer is drawn."""

    def __init__(self, draw, age):
        self.draw = draw
        self.at = datetime.fromtimestamp(END, UTC) + timedelta(seconds=age)
        self.asked = []

    def now(self):
        return self.at

    def traffic(self, domain, window, *, single_attempt=False):
        assert single_attempt == bool(self.asked)
        assert WINDOW.start <= window.start < window.end <= WINDOW.end
        assert window.start % STEP == window.end % STEP == 0
        self.asked.append(window)
        self.at += timedelta(seconds=1)
        if self.draw(st.integers(0, 2)) == 0:
            raise self.draw(st.sampled_from(FAULTS))("no", "wait")
        grid = list(range(window.start, window.end, STEP))
        fate = self.draw(
            st.lists(st.sampled_from("ppppa?"), min_size=len(grid), max_size=len(grid))
        )
        present = [at for at, what in zip(grid, fate, strict=True) if what == "p"]
        doubtful = tuple(at for at, what in zip(grid, fate, strict=True) if what == "?")
        seconds = np.array(present, dtype=np.int64)
        values = self.draw(
            st.lists(st.integers(0, 9), min_size=len(present), max_size=len(present))
        )
        parsed = Parsed(
            Points(domain, "v1", seconds, np.array(values, dtype=np.int64)),
            total=len(present) + self.draw(st.sampled_from([0, 0, 1])),
            listed=len(present),
            has_zero=0 in values,
            doubtful=doubtful,
            untimed=self.draw(st.sampled_from([0, 0, 0, 1])),
        )
        return Answer(parsed, self.at, None)


@st.composite
def parts(draw):
    start = draw(st.integers(0, POINTS - 1))
    end = draw(st.integers(start + 1, POINTS))
    return Window(WINDOW.start + start * STEP, WINDOW.start + end * STEP)


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_the_entries_tell_the_whole_window_once(data):
    """Cover it, stay inside it, and hold every row in exactly one read of their own request."""
    age = data.draw(st.sampled_from([0, DAY - 6 * STEP, 3 * DAY]))
    source = Dice(data.draw, age)
    result = read_slice(
        source,
        "a.example.com",
        WINDOW,
        expected=data.draw(st.one_of(st.just(WINDOW), st.none(), parts())),
        absent=merge(data.draw(st.lists(parts(), max_size=3))),
        zero_filling=data.draw(st.booleans()),
        idle=data.draw(st.sampled_from(["auto", "zero", "omit"])),
        settle_after=DAY,
        step=STEP,
        stamp=STAMP,
    )
    windows = [entry.window for entry in result.entries]
    assert merge(windows) == (WINDOW,)
    assert sum(window.seconds for window in windows) == WINDOW.seconds
    assert [window.start for window in windows] == sorted(window.start for window in windows)

    stamps = result.points.seconds
    assert (np.diff(stamps) > 0).all()
    values = dict(zip(stamps.tolist(), result.points.traffic.tolist(), strict=True))
    for entry in result.entries:
        inside = [at for at in values if entry.window_start <= at < entry.window_end]
        assert entry.points == len(inside)
        assert 0 <= entry.expected_points <= entry.window.points(STEP)
        if entry.state == "read":
            assert entry.traffic_bytes == sum(values[at] for at in inside)
        else:
            assert inside == []
        assert entry.fetched_at <= result.fetched_at

    assert len(source.asked) <= 9
    assert result.requests_extra == len(source.asked) - 1
    assert (result.error is not None) == any(e.state == "failed" for e in result.entries)
    coverage = fold(result.entries, settle_after=DAY, step=STEP)["a.example.com"]
    told = merge((*coverage.read, *coverage.partial, *coverage.failed))
    assert subtract((WINDOW,), told) == ()
