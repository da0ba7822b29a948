"""Points as JSON, fast: whole days of a domain are rendered once and kept."""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from extract.standin.domains import Kind
from extract.standin.rhythm import SLOTS, STEP, day_values
from livetraffic.window import DAY, instant_text

Piece = tuple[int, bytes]
"""A number of points, and their JSON without the commas around it."""

_POINT = b'{"traffic":%d,"timestamp":"'


def document(pieces: Iterable[Piece] | Piece) -> bytes:
    """The answer's whole body."""
    joined = [pieces] if isinstance(pieces, tuple) else list(pieces)
    filled = [(count, text) for count, text in joined if count]
    number = sum(count for count, _ in filled)
    return b'{"total":%d,"traffic_info":[%b]}' % (number, b",".join(text for _, text in filled))


def points(given: Sequence[tuple[int, int]]) -> Piece:
    """Points of any grid, in the order given."""
    text = b",".join(_POINT % value + label(start) + b'"}' for start, value in given)
    return len(given), text


@lru_cache(maxsize=8_192)
def whole_day(seed: int, name: str, kind: Kind, day: int, *, omit: bool) -> Piece:
    """All points of a domain's day (days since 1970-01-01), without zeros if ``omit``."""
    values = day_values(seed, name, kind, day)
    if omit:
        starts = range(day * DAY, day * DAY + DAY, STEP)
        return points([(t, v) for t, v in zip(starts, values, strict=True) if v])
    return SLOTS, _day_template(day) % tuple(values)


def label(start: int) -> bytes:
    """The instant as the source writes it."""
    if start % STEP:
        return instant_text(start).encode()
    return _labels(start // DAY)[start % DAY // STEP]


@lru_cache(maxsize=1_024)
def _labels(day: int) -> tuple[bytes, ...]:
    return tuple(instant_text(day * DAY + slot * STEP).encode() for slot in range(SLOTS))


@lru_cache(maxsize=1_024)
def _day_template(day: int) -> bytes:
    return b",".join(_POINT + text + b'"}' for text in _labels(day))
