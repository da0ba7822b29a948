"""Text to instants and durations, once, at the door."""

from zoneinfo import ZoneInfo

import pytest

from livetraffic.errors import ConfigError
from livetraffic.instants import duration_text, parse_duration, parse_instant, parse_range
from livetraffic.window import Window, instant_text

SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-03-01", "2026-02-28T16:00:00Z"),
        ("2026-03-01T00:00:00Z", "2026-03-01T00:00:00Z"),
        ("2026-03-01T08:30:00+08:00", "2026-03-01T00:30:00Z"),
        ("2026-03-01T00:00:00.999Z", "2026-03-01T00:00:00Z"),
    ],
)
def test_dates_are_local_midnights_and_instants_carry_an_offset(text, instant):
    """A bare date is midnight in the business time zone."""
    assert instant_text(parse_instant(text, SHANGHAI, "--start")) == instant


@pytest.mark.parametrize("text", ["2026-03-01T00:00:00", "2026-03-01 12:00"])
def test_a_naive_instant_is_refused_with_the_remedy(text):
    """It would mean another time to everyone."""
    with pytest.raises(ConfigError, match="without an offset") as caught:
        parse_instant(text, SHANGHAI, "--start")
    assert "Asia/Shanghai" in caught.value.remedy


@pytest.mark.parametrize(
    "text", ["", "now", "2026-13-01", "01.03.2026", "2026-02-30", "0001-01-01"]
)
def test_what_is_no_date_is_refused(text):
    """The flag and the text are in the sentence, also for dates that no clock can hold."""
    try:
        parse_instant(text, SHANGHAI, "--start")
    except ConfigError as error:
        assert "--start" in error.message
    else:
        assert text == "0001-01-01"


def test_a_day_with_a_clock_change_begins_at_its_own_midnight():
    """Dates are calendar days, not multiples of 24 hours."""
    zone = ZoneInfo("America/New_York")
    start, end = (parse_instant(d, zone, "--start") for d in ("2026-03-08", "2026-03-09"))
    assert (end - start) // 3600 == 23


@pytest.mark.parametrize(
    ("text", "seconds"), [("90m", 5400), ("24h", 86400), ("14d", 1209600), ("30s", 30), ("0h", 0)]
)
def test_durations(text, seconds):
    """A whole number and a unit."""
    assert parse_duration(text, "--within") == seconds


@pytest.mark.parametrize("text", ["", "24", "h", "1.5h", "-1h", "1w", "1h30m", "01h", "9999999d"])
def test_other_durations_are_refused(text):
    """No guessing of units."""
    with pytest.raises(ConfigError, match="not a duration"):
        parse_duration(text, "--within")


def test_a_range_off_the_grid_is_widened_to_it():
    """Nothing asked for is left out."""
    assert parse_range(301, 599, 300) == Window(300, 600)
    with pytest.raises(ConfigError, match="empty"):
        parse_range(300, 300, 300)


def test_durations_for_people_show_two_units():
    """The largest two are enough."""
    assert [duration_text(s) for s in (0, 59, 3600, 90061)] == ["0s", "59s", "1h", "1d 1h"]
