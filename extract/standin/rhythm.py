"""The truth: how many bytes a domain played in a 5-minute period, as a pure function of the seed.

Days and weeks have a rhythm, nights have idle hours with nothing at all. A day is 288 values.
"""

import hashlib
import math
import struct
from array import array
from functools import lru_cache

from extract.standin.domains import Kind
from livetraffic.window import DAY, MINUTE

STEP = 5 * MINUTE
SLOTS = DAY // STEP
WEEK_PERCENT = (96, 92, 95, 98, 110, 134, 127)  # Monday first
EVENING_SLOT = 150  # 12:30 UTC = 20:30 in Beijing
NIGHT_SLOT = 216  # 18:00 UTC = 02:00 in Beijing


def value(seed: int, name: str, kind: Kind, point: int) -> int:
    """Bytes in the period that starts at ``point`` (a multiple of 300 s), final and unrestated."""
    return day_values(seed, name, kind, point // DAY)[point % DAY // STEP]


@lru_cache(maxsize=40_000)
def day_values(seed: int, name: str, kind: Kind, day: int) -> "array[int]":
    """The 288 values of a UTC day, counted from 1970-01-01."""
    if kind is Kind.IDLE:
        return array("q", bytes(8 * SLOTS))
    noise = hashlib.shake_256(f"{seed}/{name}/{day}".encode()).digest(2 * SLOTS + 4)
    percent = WEEK_PERCENT[(day + 3) % 7]
    spread = struct.unpack_from(f"<{SLOTS}H", noise)
    shape = _daily_shape(seed, name, kind)
    values = array(
        "q",
        [
            base * percent * (49_152 + wobble // 2) // 6_553_600
            for base, wobble in zip(shape, spread, strict=True)
        ],
    )
    if kind is Kind.PLAIN and noise[-1] % 4:
        start, length = NIGHT_SLOT + noise[-2] % 24, 12 + noise[-3] % 19
        values[start : start + length] = array("q", bytes(8 * length))
    return values


@lru_cache(maxsize=4_096)
def _daily_shape(seed: int, name: str, kind: Kind) -> tuple[int, ...]:
    digest = hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest()
    weight, phase = struct.unpack_from("<IH", digest)
    top = 20_000_000_000 + weight if kind is Kind.HEAVY else 40_000_000 + weight % 1_500_000_000
    turn = 2 * math.pi / SLOTS
    middle = EVENING_SLOT - 12 + phase % 25
    return tuple(
        int(top * (0.08 + 0.92 * ((1 + math.cos((slot - middle) * turn)) / 2) ** 1.5))
        for slot in range(SLOTS)
    )
