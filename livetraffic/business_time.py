"""The grid mapped to the business time zone: the rows of ``calendar``, for every store.

Local time is worked out once per local hour, not per point. Time runs through daylight saving as it
does: a repeated hour is two hours with two starts, a skipped one does not exist.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from livetraffic.window import HOUR, Window, ceil, from_seconds


@dataclass(frozen=True, slots=True)
class CalendarColumns:
    """Columns of ``calendar``, named as there; instants in seconds since the epoch, UTC."""

    timestamp: list[int] = field(default_factory=list)
    ordinal: list[int] = field(default_factory=list)
    hour_start: list[int] = field(default_factory=list)
    local_date: list[date] = field(default_factory=list)
    local_hour: list[int] = field(default_factory=list)
    local_week: list[str] = field(default_factory=list)
    local_month: list[str] = field(default_factory=list)
    settles_at: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.timestamp)


def whole_months(window: Window, zone: ZoneInfo) -> Window:
    """The smallest window of whole local months that holds this one."""
    first = from_seconds(window.start).astimezone(zone)
    last = from_seconds(window.end - 1).astimezone(zone)
    year, month = (last.year + 1, 1) if last.month == 12 else (last.year, last.month + 1)
    # The last midnight, where a clock that is set back gives the month's first hour twice.
    end = max(_midnight(year, month, zone, fold) for fold in (0, 1))
    return Window(_midnight(first.year, first.month, zone, 0), end)


def calendar_rows(window: Window, step: int, zone: ZoneInfo, settle_after: int) -> CalendarColumns:
    """The calendar of every grid point in the window, in order.

    Args:
        window: any range of time.
        step: the grid's step in seconds.
        zone: the business time zone.
        settle_after: seconds past a point's end after which a read settles it.
    """
    columns = CalendarColumns()
    point = ceil(window.start, step)
    while point < window.end:
        hour = _local_hour(point, zone)
        following = ceil(min(hour.end, window.end), step)
        _fill(columns, range(point, following, step), hour.start, zone)
        point = following
    columns.ordinal.extend(point // step for point in columns.timestamp)
    columns.settles_at.extend(point + step + settle_after for point in columns.timestamp)
    return columns


def _fill(columns: CalendarColumns, points: range, hour_start: int, zone: ZoneInfo) -> None:
    local = from_seconds(points[0]).astimezone(zone)
    year, week, _ = local.isocalendar()
    count = len(points)
    columns.timestamp.extend(points)
    columns.hour_start.extend([hour_start] * count)
    columns.local_date.extend([local.date()] * count)
    columns.local_hour.extend([local.hour] * count)
    columns.local_week.extend([f"{year:04d}-W{week:02d}"] * count)
    columns.local_month.extend([f"{local.year:04d}-{local.month:02d}"] * count)


def _local_hour(instant: int, zone: ZoneInfo) -> Window:
    """The stretch of time around the instant with one offset, one local date and one local hour."""
    offset = _offset(instant, zone)
    start = instant - (instant + offset) % HOUR
    end = start + HOUR
    if _offset(start, zone) != offset:
        start = _transition(start, instant, zone)
    if _offset(end - 1, zone) != offset:
        end = _transition(instant, end - 1, zone)
    return Window(start, end)


def _transition(before: int, after: int, zone: ZoneInfo) -> int:
    """The first instant in ``(before, after]`` with the offset of ``after``."""
    offset = _offset(after, zone)
    while after - before > 1:
        middle = (before + after) // 2
        if _offset(middle, zone) == offset:
            after = middle
        else:
            before = middle
    return after


def _offset(instant: int, zone: ZoneInfo) -> int:
    offset = from_seconds(instant).astimezone(zone).utcoffset() or timedelta()
    return int(offset.total_seconds())


def _midnight(year: int, month: int, zone: ZoneInfo, fold: int) -> int:
    return int(datetime(year, month, 1, tzinfo=zone, fold=fold).timestamp())
