"""Windows: half-open, never empty, and set arithmetic equal to sets of points."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livetraffic import window as w
from livetraffic.window import Window

pairs = st.tuples(st.integers(0, 60), st.integers(1, 20)).map(lambda p: Window(p[0], p[0] + p[1]))
sets = st.lists(pairs, max_size=8)


def points(windows) -> set[int]:
    return {point for window in windows for point in range(window.start, window.end)}


def is_merged(windows) -> bool:
    return all(a.end < b.start for a, b in zip(windows, windows[1:], strict=False))


@pytest.mark.parametrize(("start", "end"), [(5, 5), (6, 5)])
def test_an_empty_or_backward_window_is_refused(start, end):
    """A window is never empty, so no request for nothing can be made from one."""
    with pytest.raises(ValueError, match="must end after"):
        Window(start, end)


def test_a_window_is_made_from_zoned_datetimes_only():
    """Naive datetimes are refused; any zone arrives in UTC."""
    east = timezone(timedelta(hours=8))
    made = Window.between(datetime(2026, 1, 1, tzinfo=east), datetime(2025, 12, 31, 17, tzinfo=UTC))
    assert str(made) == "2025-12-31T16:00:00Z/2025-12-31T17:00:00Z"
    assert made.points(300) == 12
    with pytest.raises(ValueError, match="no time zone"):
        Window.between(datetime(2026, 1, 1), datetime(2026, 1, 2, tzinfo=UTC))  # noqa: DTZ001


@given(sets)
def test_merge_keeps_the_time_and_joins_what_touches(windows):
    """Merged windows hold the same points, sorted, and no two touch."""
    merged = w.merge(windows)
    assert points(merged) == points(windows)
    assert is_merged(merged)


@given(sets, sets)
def test_subtract_and_intersect_equal_the_sets_of_points(windows, others):
    """Set arithmetic on windows is set arithmetic on their points."""
    difference, common = w.subtract(windows, others), w.intersect(windows, others)
    assert points(difference) == points(windows) - points(others)
    assert points(common) == points(windows) & points(others)
    assert is_merged(difference)
    assert is_merged(common)


@given(pairs, st.integers(1, 25))
def test_cut_then_merge_is_the_identity(window, span):
    """Pieces follow each other without gap or overlap and none is longer than the span."""
    pieces = list(w.cut(window, span))
    assert all(piece.seconds <= span for piece in pieces)
    assert all(a.end == b.start for a, b in zip(pieces, pieces[1:], strict=False))
    assert w.merge(pieces) == (window,)


@given(st.integers(-(10**6), 10**12), st.sampled_from([300, 3600, 86400]))
def test_floor_and_ceil_are_the_nearest_grid_points(instant, step):
    """The grid is the multiples of the step, also before 1970."""
    below, above = w.floor(instant, step), w.ceil(instant, step)
    assert below % step == above % step == 0
    assert below <= instant <= above
    assert above - below == (0 if instant % step == 0 else step)


@given(pairs, st.integers(1, 7))
def test_widening_holds_the_window_and_stays_on_the_grid(window, step):
    """A window off the grid grows to it, by less than a step at each end."""
    wide = w.widen(window, step)
    assert wide.start <= window.start < wide.start + step
    assert wide.end - step < window.end <= wide.end


def test_an_instant_is_written_in_one_way():
    """The wire format of the source is the format of every output."""
    assert (
        w.instant_text(w.to_seconds(datetime(2026, 1, 31, 16, tzinfo=UTC)))
        == "2026-01-31T16:00:00Z"
    )
