"""The calendar once more, point by point and on its own: what the views are held against."""

from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

Row = dict[str, object]


@cache
def calendar(
    zone: str, first: datetime, last: datetime, step: int, settle_after: int
) -> tuple[Row, ...]:
    """A row for each grid point in ``[first, last)``."""
    place = ZoneInfo(zone)
    point = -(-int(first.timestamp()) // step) * step
    return tuple(
        _row(second, step, settle_after, place)
        for second in range(point, int(last.timestamp()), step)
    )


@cache
def months(zone: str, first: str, last: str, step: int, settle_after: int) -> tuple[Row, ...]:
    """The rows of the local months ``first`` to ``last``, both included."""
    begin = datetime.fromisoformat(f"{first}-01").replace(tzinfo=UTC) - timedelta(days=2)
    end = datetime.fromisoformat(f"{last}-01").replace(tzinfo=UTC) + timedelta(days=34)
    rows = calendar(zone, begin, end, step, settle_after)
    return tuple(row for row in rows if first <= str(row["local_month"]) <= last)


def _row(second: int, step: int, settle_after: int, zone: ZoneInfo) -> Row:
    instant = datetime.fromtimestamp(second, UTC)
    local = instant.astimezone(zone)
    day = date(local.year, local.month, local.day)
    return {
        "timestamp": instant,
        "ordinal": second // step,
        "hour_start": _hour_start(instant, zone),
        "local_date": day,
        "local_hour": local.hour,
        "local_week": day.strftime("%G-W%V"),
        "local_month": day.strftime("%Y-%m"),
        "settles_at": instant + timedelta(seconds=step + settle_after),
    }


def _hour_start(instant: datetime, zone: ZoneInfo) -> datetime:
    """Walk back while the wall shows the same hour and runs without a jump."""
    start = instant.replace(second=0)
    whole = start - timedelta(minutes=instant.astimezone(zone).minute)
    if _wall(whole, zone) == _wall(instant, zone):
        return whole
    while _wall(start - timedelta(minutes=1), zone) == _wall(instant, zone):
        start -= timedelta(minutes=1)
    return start


def _wall(instant: datetime, zone: ZoneInfo) -> tuple[date, int, timedelta | None]:
    local = instant.astimezone(zone)
    return local.date(), local.hour, local.utcoffset()
