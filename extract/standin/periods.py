"""Which statistical periods a request asks for: the time rules of the v1 statistics."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from extract.standin.refusals import illegal
from extract.standin.switches import Switches
from livetraffic.window import DAY, HOUR, MINUTE

SPAN = 30 * DAY
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_SPAN_ZH = "起始时间和停止时间跨度无效"


@dataclass(frozen=True, slots=True)
class Periods:
    """The periods that start at ``first``, ``first + step``, ... before ``stop``.

    All in seconds; ``label`` is what the answer's timestamps are later than the periods' starts.
    """

    first: int
    stop: int
    step: int
    label: int = 0


def asked(
    start_time: str | None, end_time: str | None, step: str | None, now: int, switches: Switches
) -> Periods:
    """The periods that a request's parameters mean at ``now``.

    Raises:
        Refusal: a documented rule is broken (400 LIVE.100011001).
    """
    seconds = _step(step, switches) * MINUTE
    shift = origin(seconds, switches)
    if start_time is None and end_time is None:
        stop = _floor(now - switches.delay_minutes * MINUTE, seconds, shift)
        return Periods(stop - seconds, stop, seconds)
    if start_time is None:
        raise illegal("Request Illegal: end_time without start_time", "只有结束时间")
    start = _instant(start_time)
    end = now if end_time is None else _instant(end_time)
    if start >= end or end - start > SPAN:
        raise illegal("The span of start_time and end_time is invalid", _SPAN_ZH)
    if start < switches.edge(now):
        raise illegal("start_time is earlier than the last three months", "起始时间早于三个月")
    return _periods(start, end, seconds, shift, switches)


def origin(step: int, switches: Switches) -> int:
    """How many seconds before midnight UTC the periods of ``step`` seconds begin to be counted."""
    return 8 * HOUR if step == DAY and switches.day_origin == "UTC+8" else 0


def _periods(start: int, end: int, step: int, shift: int, switches: Switches) -> Periods:
    first = _floor(start, step, shift)
    label = start - first if switches.unaligned_start == "keep" else 0
    if switches.unaligned_start == "next" and first < start:
        first += step
    last = end - label - (0 if switches.end_inclusive else 1)
    return Periods(first, _floor(last, step, shift) + step, step, label)


def _step(text: str | None, switches: Switches) -> int:
    if text is None:
        return switches.default_step
    if not re.fullmatch(r"[0-9]{1,6}", text) or int(text) not in switches.legal_steps:
        raise illegal("Invalid request parameter: step", "参数step无效")
    return int(text)


def _instant(text: str) -> int:
    refusal = illegal("Invalid request parameter: time", "时间参数无效")
    if not _INSTANT.fullmatch(text):
        raise refusal
    try:
        return int(datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp())
    except ValueError:
        raise refusal from None


def _floor(instant: int, step: int, shift: int) -> int:
    return instant - (instant + shift) % step
