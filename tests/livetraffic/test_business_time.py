"""The calendar's rows, held against datetime itself, point by point."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from livetraffic.business_time import CalendarColumns, calendar_rows, whole_months
from livetraffic.table import CALENDAR
from livetraffic.window import DAY, HOUR, Window, from_seconds, to_seconds

STEP = 300
SETTLE = DAY
SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")
ZONES = [
    "Asia/Shanghai",
    "Asia/Kolkata",  # half an hour
    "Asia/Kathmandu",  # three quarters
    "Europe/Berlin",
    "America/Sao_Paulo",  # set its clock at midnight
    "Australia/Lord_Howe",  # sets its clock by half an hour
    "America/St_Johns",
    "Pacific/Apia",  # left out the whole of 2011-12-30
    "UTC",
]


def window(start: str, end: str) -> Window:
    return Window.between(datetime.fromisoformat(start), datetime.fromisoformat(end))


def rows_of(columns: CalendarColumns) -> list[tuple[object, ...]]:
    return list(zip(*(getattr(columns, name) for name in CALENDAR.column_names), strict=True))


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-01-31T00:00+00:00", "2026-02-02T00:00+00:00"),
        ("2026-03-28T00:00+00:00", "2026-03-30T00:00+00:00"),
        ("2026-04-04T00:00+00:00", "2026-04-06T00:00+00:00"),
        ("2026-10-03T00:00+00:00", "2026-10-05T00:00+00:00"),
        ("2026-10-24T00:00+00:00", "2026-10-26T00:00+00:00"),
        ("2026-11-01T00:00+00:00", "2026-11-02T00:00+00:00"),
        ("2018-11-03T00:00+00:00", "2018-11-05T00:00+00:00"),
        ("2011-12-29T00:00+00:00", "2012-01-01T00:00+00:00"),
    ],
)
def test_every_point_has_the_local_time_that_datetime_gives_it(
    zone: str, start: str, end: str
) -> None:
    local_zone = ZoneInfo(zone)
    span = window(start, end)
    columns = calendar_rows(span, STEP, local_zone, SETTLE)
    assert columns.timestamp == list(range(span.start, span.end, STEP))
    for row in rows_of(columns):
        point, ordinal, hour_start, local_date, local_hour, week, month, settles_at = row
        local = from_seconds(int(str(point))).astimezone(local_zone)
        assert (local_date, local_hour) == (local.date(), local.hour)
        assert week == local.strftime("%G-W%V")
        assert month == local.strftime("%Y-%m")
        assert ordinal == int(str(point)) // STEP
        assert settles_at == int(str(point)) + STEP + SETTLE
        begun = from_seconds(int(str(hour_start))).astimezone(local_zone)
        assert (begun.date(), begun.hour) == (local.date(), local.hour)
        assert begun.utcoffset() == local.utcoffset()
        before = from_seconds(int(str(hour_start)) - 1).astimezone(local_zone)
        assert (before.date(), before.hour, before.utcoffset()) != (
            begun.date(),
            begun.hour,
            begun.utcoffset(),
        )


def test_columns_are_those_of_the_table() -> None:
    columns = calendar_rows(Window(0, HOUR), STEP, SHANGHAI, SETTLE)
    assert tuple(CalendarColumns.__dataclass_fields__) == CALENDAR.column_names
    assert {len(getattr(columns, name)) for name in CALENDAR.column_names} == {12}
    assert len(columns) == 12


def test_a_repeated_hour_keeps_two_starts() -> None:
    columns = calendar_rows(
        window("2026-10-24T22:00+00:00", "2026-10-25T23:00+00:00"), STEP, BERLIN, SETTLE
    )
    two = [
        (start, day)
        for start, day, hour in zip(
            columns.hour_start, columns.local_date, columns.local_hour, strict=True
        )
        if hour == 2
    ]
    assert sorted(set(two)) == [
        (to_seconds(datetime.fromisoformat("2026-10-25T00:00+00:00")), date(2026, 10, 25)),
        (to_seconds(datetime.fromisoformat("2026-10-25T01:00+00:00")), date(2026, 10, 25)),
    ]
    assert len(two) == 24
    assert len(columns) == 25 * 12


def test_a_skipped_hour_does_not_exist() -> None:
    columns = calendar_rows(
        window("2026-03-28T23:00+00:00", "2026-03-29T22:00+00:00"), STEP, BERLIN, SETTLE
    )
    assert set(columns.local_date) == {date(2026, 3, 29)}
    assert set(columns.local_hour) == set(range(24)) - {2}
    assert len(columns) == 23 * 12


@pytest.mark.parametrize(
    ("instant", "week"),
    [
        ("2026-01-01T00:00+08:00", "2026-W01"),
        ("2024-12-30T00:00+08:00", "2025-W01"),
        ("2027-01-03T23:55+08:00", "2026-W53"),
        ("2026-02-01T00:00+08:00", "2026-W05"),
    ],
)
def test_weeks_are_iso_weeks_with_the_year_of_the_week(instant: str, week: str) -> None:
    point = to_seconds(datetime.fromisoformat(instant))
    assert calendar_rows(Window(point, point + 1), STEP, SHANGHAI, SETTLE).local_week == [week]


@pytest.mark.parametrize("step", [HOUR, DAY])
def test_wider_steps_have_one_row_a_point(step: int) -> None:
    span = window("2026-01-01T00:00+00:00", "2026-01-11T00:00+00:00")
    columns = calendar_rows(span, step, SHANGHAI, SETTLE)
    assert columns.timestamp == list(range(span.start, span.end, step))
    assert columns.settles_at == [point + step + SETTLE for point in columns.timestamp]
    if step == DAY:
        assert set(columns.local_hour) == {8}  # a UTC day begins at eight in Shanghai


def test_only_grid_points_inside_the_window_are_given() -> None:
    columns = calendar_rows(Window(1, 601), STEP, SHANGHAI, SETTLE)
    assert columns.timestamp == [300, 600]
    assert len(calendar_rows(Window(1, 300), STEP, SHANGHAI, SETTLE)) == 0


@pytest.mark.parametrize(
    ("zone", "start", "end", "months_from", "months_to"),
    [
        ("UTC", "2026-01-05T00:00Z", "2026-01-06T00:00Z", "2026-01-01T00:00Z", "2026-02-01T00:00Z"),
        ("UTC", "2026-01-01T00:00Z", "2026-02-01T00:00Z", "2026-01-01T00:00Z", "2026-02-01T00:00Z"),
        ("UTC", "2026-01-31T00:00Z", "2026-02-01T00:01Z", "2026-01-01T00:00Z", "2026-03-01T00:00Z"),
        (
            "Asia/Shanghai",
            "2025-12-31T16:00Z",
            "2025-12-31T16:05Z",
            "2026-01-01T00:00+08:00",
            "2026-02-01T00:00+08:00",
        ),
        (
            "Asia/Shanghai",
            "2025-12-31T15:55Z",
            "2025-12-31T16:00Z",
            "2025-12-01T00:00+08:00",
            "2026-01-01T00:00+08:00",
        ),
        (
            "Asia/Kolkata",
            "2026-01-05T00:00Z",
            "2026-01-06T00:00Z",
            "2026-01-01T00:00+05:30",
            "2026-02-01T00:00+05:30",
        ),
        (
            "Europe/Berlin",
            "2026-03-05T00:00Z",
            "2026-10-06T00:00Z",
            "2026-03-01T00:00+01:00",
            "2026-11-01T00:00+01:00",
        ),
        # The clock went back from 00:01 on 1 November to 23:01: October goes on after.
        (
            "America/St_Johns",
            "2009-10-05T00:00Z",
            "2009-10-06T00:00Z",
            "2009-10-01T00:00-02:30",
            "2009-11-01T00:00-03:30",
        ),
    ],
)
def test_a_window_grows_to_whole_local_months(
    zone: str, start: str, end: str, months_from: str, months_to: str
) -> None:
    whole = whole_months(window(start, end), ZoneInfo(zone))
    assert whole == window(months_from, months_to)
    assert whole_months(whole, ZoneInfo(zone)).start == whole.start


@pytest.mark.parametrize("zone", ZONES)
def test_whole_months_hold_exactly_the_points_of_those_months(zone: str) -> None:
    local_zone = ZoneInfo(zone)
    whole = whole_months(window("2026-04-10T00:00Z", "2026-04-11T00:00Z"), local_zone)
    columns = calendar_rows(whole, STEP, local_zone, SETTLE)
    assert set(columns.local_month) == {"2026-04"}
    wider = calendar_rows(Window(whole.start - DAY, whole.end + DAY), STEP, local_zone, SETTLE)
    assert wider.local_month.count("2026-04") == len(columns)
