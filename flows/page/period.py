"""The local days that a report shows, and as many before them to compare with."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from livetraffic.errors import ConfigError
from livetraffic.window import Window, from_seconds, to_seconds

USUAL_DAYS = 30
MOST_DAYS = 366
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Period:
    """Whole local days, half-open."""

    start: date
    end: date
    zone: ZoneInfo

    @cached_property
    def days(self) -> list[date]:
        """Every day, in order."""
        return [self.start + n * _DAY for n in range((self.end - self.start).days)]

    @property
    def before(self) -> "Period":
        """As many days, right before."""
        return Period(self.start - (self.end - self.start), self.start, self.zone)

    @property
    def last(self) -> date:
        """The last day shown."""
        return self.end - _DAY

    @property
    def window(self) -> Window:
        """From the first midnight to the last, in UTC."""
        return Window(self.midnight(self.start), self.midnight(self.end))

    def midnight(self, day: date) -> int:
        """When a day begins, in seconds, UTC."""
        return to_seconds(datetime(day.year, day.month, day.day, tzinfo=self.zone))


def period_of(
    start_at: int | None, end_at: int | None, *, now: int, first: int | None, zone: ZoneInfo
) -> Period:
    """The days to show, widened to whole local days; none after today.

    Args:
        start_at: seconds; None: thirty days, or since something is known.
        end_at: seconds, exclusive; None: the last midnight (today's end where all began today).
        now: seconds.
        first: since when anything is known (seconds); None: nothing is.

    Raises:
        ConfigError: no day, more days than a page holds, or days to come.
    """
    today = local_day(now, zone)
    known = None if first is None else local_day(first, zone)
    if end_at is None:
        newest = local_day(start_at, zone) if start_at is not None else known
        end = today if newest is None or newest < today else today + _DAY
    else:
        end = min(local_day(end_at - 1, zone), today) + _DAY
    start = end - USUAL_DAYS * _DAY
    if start_at is not None:
        start = local_day(start_at, zone)
    elif known is not None:
        start = min(max(start, known), end - _DAY)
    if start >= end:
        raise ConfigError(
            f"The report would begin on {start} and end before {end}.",
            "--end is exclusive, and nothing after today can be shown: give an earlier --start.",
        )
    if (end - start).days > MOST_DAYS:
        raise ConfigError(
            f"The report would hold {(end - start).days} days; a page holds at most {MOST_DAYS}.",
            "Give a shorter range with --start and --end.",
        )
    return Period(start, end, zone)


def local_day(seconds: int, zone: ZoneInfo) -> date:
    """The local date of an instant."""
    return from_seconds(seconds).astimezone(zone).date()
