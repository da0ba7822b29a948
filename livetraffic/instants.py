"""Text from people to instants and durations, once, at the door."""

import re
from datetime import date, datetime
from zoneinfo import ZoneInfo

from livetraffic.errors import ConfigError
from livetraffic.window import DAY, HOUR, MINUTE, Window, to_seconds, widen

_DURATION = re.compile(r"([1-9][0-9]{0,5}|0)([smhd])")
_UNITS = {"s": 1, "m": MINUTE, "h": HOUR, "d": DAY}
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def parse_instant(text: str, zone: ZoneInfo, name: str) -> int:
    """Seconds since the epoch of ``2026-03-01`` or ``2026-03-01T08:00:00+08:00``.

    A bare date is midnight in the business time zone; an instant needs an offset or ``Z``.

    Args:
        text: what the user gave.
        zone: the business time zone.
        name: the flag or setting, for the sentence.

    Raises:
        ConfigError: not a date or an instant, or an instant without an offset.
    """
    try:
        if _DATE.fullmatch(text):
            day = date.fromisoformat(text)
            return to_seconds(datetime(day.year, day.month, day.day, tzinfo=zone))
        instant = datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise ConfigError(
            f"{name} is {text!r}, which is not a date or an instant.",
            "Give 2026-03-01, or an instant such as 2026-03-01T08:00:00+08:00.",
        ) from error
    if instant.tzinfo is None:
        raise ConfigError(
            f"{name} is {text!r}, an instant without an offset.",
            f"Add Z or an offset ({text}Z), or give a bare date for midnight in {zone.key}.",
        )
    return to_seconds(instant)


def parse_duration(text: str, name: str) -> int:
    """Seconds of ``90m``, ``24h``, ``14d`` or ``30s``.

    Raises:
        ConfigError: anything else.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ConfigError(
            f"{name} is {text!r}, which is not a duration.",
            "Give a whole number with a unit, such as 90m, 24h or 14d.",
        )
    return int(match[1]) * _UNITS[match[2]]


def parse_range(start: int, end: int, step: int) -> Window:
    """The half-open range on the grid, widened where the ends lie off it.

    Raises:
        ConfigError: it is empty or runs backwards.
    """
    if start >= end:
        raise ConfigError(
            "The range is empty: --start is not before --end.",
            "Ranges are half-open; to read one day give it as --start and the next as --end.",
        )
    return widen(Window(start, end), step)


def duration_text(seconds: float) -> str:
    """``2d 3h``, ``14m``, ``8s``: the two largest units, for people."""
    rest, parts = int(seconds), []
    for unit, size in (("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", 1)):
        amount, rest = divmod(rest, size)
        if amount:
            parts.append(f"{amount}{unit}")
    return " ".join(parts[:2]) or "0s"
