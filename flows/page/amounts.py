"""Bytes and bits per second for people: four digits, decimal units, rounded once from the exact sum.

1 kB is 1000 bytes, 1 GB is 1000³, as carriers and invoices of bandwidth count; GiB is never used.
"""

BYTES = ("B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB")
BITS = ("bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s", "Pbit/s", "Ebit/s")
_DIGITS = 4


def bytes_text(count: int) -> str:
    """``86.15 TB``."""
    return _text(count, BYTES)


def bandwidth_text(bits_per_second: int) -> str:
    """``5.931 Gbit/s``."""
    return _text(bits_per_second, BITS)


def _text(value: int, units: tuple[str, ...]) -> str:
    sign, rest = ("-" if value < 0 else ""), abs(value)
    power = min((len(str(rest)) - 1) // 3, len(units) - 1)
    scaled, decimals = _scaled(rest, power)
    if scaled >= 1000 * 10**decimals and power + 1 < len(units):
        power += 1
        scaled, decimals = _scaled(rest, power)
    elif scaled >= 10**_DIGITS and decimals:
        scaled, decimals = scaled // 10, decimals - 1
    whole, fraction = divmod(scaled, 10**decimals)
    tail = f".{fraction:0{decimals}d}" if decimals else ""
    return f"{sign}{whole:,}{tail} {units[power]}"


def _scaled(value: int, power: int) -> tuple[int, int]:
    """The value in units of 1000 to the power, times ten to the decimals, half up; and the decimals."""
    unit = 1000**power
    decimals = max(_DIGITS - len(str(max(value // unit, 1))), 0) if power else 0
    return (value * 10**decimals * 2 + unit) // (2 * unit), decimals


def percent_text(part: float, *, signed: bool = False) -> str:
    """``12.4 %`` of a fraction."""
    return f"{part * 100:+,.1f} %" if signed else f"{part * 100:,.1f} %"


def share_text(part: int, whole: int) -> str:
    """The part of a whole in percent, cut rather than rounded, so that only all of it is 100 %."""
    if whole == 0:
        return "–"
    tenths = part * 1000 // whole
    return f"{tenths // 10}.{tenths % 10} %"
