"""The list of an answer as two columns, before anything is asked of them: pure.

The clean path handles whole columns (about 2 ms for 30 days at 5 minutes). Whatever is irregular
sends the answer down the careful path, point by point. (Arrow's own JSON reader is faster still, but
a body of ``null`` ends the process in it.) A point that cannot be trusted is rejected with its
reason; where its time can be read, the time is kept: it is a hole, not an absent point.
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa

from extract.fields import Fields
from livetraffic.errors import ContractError
from livetraffic.window import instant_text

SECOND = 1_000_000
"""In microseconds."""
REMEDY = "Report it with the kept answer: the API has changed, or the endpoint is not the Live API."
Integers = npt.NDArray[np.int64]

_LARGEST = 2**63 - 1
_EXACT_FLOAT = 2**53
_REASONS = 20
_DIGITS = re.compile(r"[0-9]{1,19}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Rows:
    """The points that could be read, in the order of the answer, and why others could not."""

    micros: Integers
    """Since the epoch, UTC."""
    traffic: Integers
    """Bytes."""
    listed: int
    """The length of the list."""
    total: int | None
    """The length that the answer declares."""
    rejected: tuple[str, ...] = ()
    rejected_points: int = 0
    rejected_at: tuple[int, ...] = ()
    untimed: int = 0
    unknown_fields: tuple[str, ...] = ()


def rows_of(body: bytes, fields: Fields) -> Rows:
    """Read the body of an answer.

    Raises:
        ContractError: it is not JSON, not an object, or holds no list. The message names the field.
    """
    document = _document(body)
    listed = document.get(fields.rows)
    if not isinstance(listed, list):
        message = f"The answer's field {fields.rows} is {_kind(listed)}, not a list."
        raise ContractError(message, REMEDY)
    return _clean_rows(document, listed, fields) or _careful_rows(document, listed, fields)


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = _lenient_document(body)
    if not isinstance(document, dict):
        raise ContractError(f"The answer is {_kind(document)}, not a JSON object.", REMEDY)
    return document


def _lenient_document(body: bytes) -> Any:
    """Python's reader takes NaN, so that one such point does not cost the whole answer."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise ContractError("The answer is not JSON.", REMEDY) from exc


def _clean_rows(document: dict[str, Any], listed: list[Any], fields: Fields) -> Rows | None:
    """Both columns at once; None where any point needs a closer look."""
    try:
        traffic = list(map(itemgetter(fields.value), listed))
        stamps = list(map(itemgetter(fields.time), listed))
    except (KeyError, TypeError, IndexError):
        return None
    if not set(map(type, traffic)) <= {int} or not set(map(len, listed)) <= {2}:
        return None
    try:
        values = np.array(traffic, dtype=np.int64)
        micros = _micros_of(stamps)
    except (OverflowError, ValueError):
        return None
    if micros is None or (values.size and values.min() < 0):
        return None
    return Rows(
        micros,
        values,
        len(listed),
        _declared(document, fields),
        unknown_fields=_unknown_fields(document, [], fields),
    )


_TIMES_KEPT = 4
_times: dict[tuple[int, str], tuple[list[str], Integers]] = {}
"""The lists of times that were read last, and what they came to."""


def _micros_of(stamps: list[Any]) -> Integers | None:
    """Microseconds since the epoch; None where a stamp is no text.

    The domains of a batch are asked for the same window and mostly answer with the same times, and
    comparing two lists costs a quarter of reading one.

    Raises:
        ValueError: a text is not a time with a zone.
    """
    key = (len(stamps), str(stamps[0]) if stamps else "")
    known = _times.get(key)
    if known is not None and known[0] == stamps:
        return known[1]
    if not set(map(type, stamps)) <= {str}:
        return None
    times = pa.array(stamps, pa.string()).cast(pa.timestamp("us", tz="UTC"))
    micros: Integers = times.cast(pa.int64()).to_numpy(zero_copy_only=False)
    if len(_times) >= _TIMES_KEPT:
        _times.clear()
    _times[key] = (stamps, micros)
    return micros


def _careful_rows(document: dict[str, Any], listed: list[Any], fields: Fields) -> Rows:
    """The points of any answer, one by one."""
    micros: list[int] = []
    traffic: list[int] = []
    reasons: list[str] = []
    rejected_at: list[int] = []
    rejected = untimed = 0
    for number, point in enumerate(listed):
        at, time_fault = _time_of(point, fields.time)
        value, value_fault = _traffic_of(point, fields.value)
        if at is not None and value is not None:
            micros.append(at)
            traffic.append(value)
            continue
        rejected += 1
        if at is None:
            untimed += 1
            place = f"in point {number}"
        else:
            rejected_at.append(at // SECOND)
            place = f"at {instant_text(at // SECOND)}"
        if len(reasons) < _REASONS:
            reasons.append(f"{time_fault or value_fault} {place}")
    return Rows(
        np.array(micros, dtype=np.int64),
        np.array(traffic, dtype=np.int64),
        len(listed),
        _declared(document, fields),
        tuple(reasons),
        rejected,
        tuple(rejected_at),
        untimed,
        _unknown_fields(document, listed, fields),
    )


def _time_of(point: Any, name: str) -> tuple[int | None, str]:
    """Microseconds since the epoch, or None and the fault."""
    if not isinstance(point, dict):
        return None, f"the point is {_kind(point)}"
    if name not in point:
        return None, f"{name} is missing"
    stamp = point[name]
    if not isinstance(stamp, str):
        return None, f"{name} is {_kind(stamp)}"
    try:
        instant = datetime.fromisoformat(stamp)
    except ValueError:
        return None, f"{name} is not a time"
    if instant.tzinfo is None:
        return None, f"{name} has no zone"
    try:
        since = instant.astimezone(UTC) - _EPOCH
    except OverflowError:
        return None, f"{name} is not a time"
    return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds, ""


def _traffic_of(point: Any, name: str) -> tuple[int | None, str]:
    """Bytes, or None and the fault."""
    if not isinstance(point, dict) or name not in point:
        return None, f"{name} is missing"
    value = _plain(point[name])
    if isinstance(value, float):
        return None, f"{name} is a fraction or an inexact number"
    if isinstance(value, bool) or not isinstance(value, int):
        return None, f"{name} is {_kind(value)}"
    if value < 0:
        return None, f"{name} is negative"
    if value > _LARGEST:
        return None, f"{name} is larger than 64 bits hold"
    return value, ""


def _plain(value: Any) -> Any:
    """An integer in another dress as an integer; everything else as it is."""
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    if isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT_FLOAT:
        return int(value)
    return value


def _declared(document: dict[str, Any], fields: Fields) -> int | None:
    """The length that the answer declares, if this API declares one and it can be read."""
    value = document.get(fields.total) if fields.total is not None else None
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _unknown_fields(document: dict[str, Any], points: list[Any], fields: Fields) -> tuple[str, ...]:
    names = set(document) - {fields.rows, fields.total}
    for point in points:
        if isinstance(point, dict):
            names |= point.keys() - {fields.value, fields.time}
    return tuple(sorted(str(name)[:64] for name in names))[:_REASONS]


def _kind(value: Any) -> str:
    names = {type(None): "null or missing", bool: "a boolean", int: "a number", float: "a number"}
    names |= {str: "a text", list: "a list", dict: "an object"}
    return names.get(type(value), "of another type")
