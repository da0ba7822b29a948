"""The one reader of the clock."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def real_clock() -> datetime:
    """Now, in UTC: the clock of signing and of token expiry, always."""
    return datetime.now(UTC)


def clock_at(instant: int | None) -> Clock:
    """The real clock, or one that stands at ``instant`` (seconds)."""
    if instant is None:
        return real_clock
    fixed = datetime.fromtimestamp(instant, UTC)
    return lambda: fixed


def seconds(clock: Clock) -> int:
    """What the clock shows, in whole seconds since the epoch."""
    return int(clock().timestamp())
