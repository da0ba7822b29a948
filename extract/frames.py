"""An answer's body as a validated frame: pure.

The clean path handles whole columns (about 3 ms for 30 days at 5 minutes). Whatever is irregular
sends the answer down the careful path, point by point. (Arrow's own JSON reader is faster still, but
a body of ``null`` ends the process in it.) What each irregularity means is
settled in the design's table "Irregular answers": a point that cannot be trusted is a hole, an
answer that cannot be placed on the grid stores nothing.
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
import pandas as pd
import pyarrow as pa

from livetraffic.errors import ContractError
from livetraffic.window import Window, instant_text

_SECOND = 1_000_000
_LARGEST = 2**63 - 1
_EXACT_FLOAT = 2**53
_REASONS = 20
_DIGITS = re.compile(r"[0-9]{1,19}")
_TOP_FIELDS = frozenset({"total", "traffic_info"})
_POINT_FIELDS = frozenset({"traffic", "timestamp"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_REMEDY = (
    "Report it with the kept answer: the API has changed, or the endpoint is not the Live API."
)

_TRAFFIC = itemgetter("traffic")
_TIMESTAMP = itemgetter("timestamp")

_Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Parsed:
    """What an answer holds for one domain and window."""

    frame: pd.DataFrame
    """``domain`` (str), ``timestamp`` (datetime64[us, UTC]), ``traffic_bytes`` (int64), ``source``
    (str); sorted by timestamp, one row a point, every point on the grid and inside the window."""
    total: int | None = None
    """The length that the answer declares; None when it declares none that can be read."""
    listed: int = 0
    """The length that its list has."""
    has_zero: bool = False
    """A stored value is an explicit zero."""
    dropped_outside: int = 0
    """Points outside the window."""
    rejected: tuple[str, ...] = ()
    """Why points were rejected, at most 20 reasons."""
    rejected_points: int = 0
    conflicts: int = 0
    """Points listed more than once with different values; none of them is stored."""
    doubtful: tuple[int, ...] = ()
    """Grid points (seconds) that were rejected or in conflict: holes, but not absent ones."""
    untimed: int = 0
    """Rejected points whose time is unknown: they may be any hole."""
    offset_s: float = 0.0
    """The constant offset from the grid that was floored away, seconds."""
    unknown_fields: tuple[str, ...] = ()

    @property
    def cut(self) -> bool:
        """Whether the answer says itself that it is not whole."""
        return self.total is not None and self.total != self.listed

    @property
    def seconds(self) -> _Integers:
        """The frame's timestamps in seconds since the epoch."""
        stamps = self.frame["timestamp"].to_numpy(dtype="datetime64[s]")
        return np.asarray(stamps.astype(np.int64))

    @property
    def notes(self) -> tuple[str, ...]:
        """What was odd, in words for ``detail``."""
        return tuple(_notes(self))


@dataclass(slots=True)
class _Points:
    """The points that could be read: microseconds since the epoch and bytes, in answer order."""

    micros: _Integers
    traffic: _Integers
    listed: int
    total: int | None
    rejected: tuple[str, ...] = ()
    rejected_points: int = 0
    rejected_at: tuple[int, ...] = ()
    untimed: int = 0
    unknown_fields: tuple[str, ...] = ()


def parse(body: bytes, *, window: Window, step: int, domain: str, source: str) -> Parsed:
    """Read the body of a traffic answer.

    Args:
        body: the answer as it came.
        window: what was asked for, on the grid of ``step``.
        step: seconds.
        domain: written into every row.
        source: written into every row.

    Raises:
        ContractError: it is not JSON, not an object, holds no list, or its points lie off the grid
            by more than one offset. The message names the field.
    """
    document = _document(body)
    listed = document.get("traffic_info")
    if not isinstance(listed, list):
        message = f"The answer's field traffic_info is {_kind(listed)}, not a list."
        raise ContractError(message, _REMEDY)
    points = _clean_points(document, listed) or _careful_points(document, listed)
    inside = (points.micros >= window.start * _SECOND) & (points.micros < window.end * _SECOND)
    micros, traffic = points.micros[inside], points.traffic[inside]
    offset = _offset(micros, step)
    seconds, traffic, conflicts = _one_each((micros - offset) // _SECOND, traffic)
    doubtful = {at - at % step for at in points.rejected_at if window.start <= at < window.end}
    doubtful |= set(conflicts.tolist())
    if doubtful:
        good = ~np.isin(seconds, list(doubtful))
        seconds, traffic = seconds[good], traffic[good]
    return Parsed(
        frame=frame_of(domain, seconds, traffic, source),
        total=points.total,
        listed=points.listed,
        has_zero=bool((traffic == 0).any()),
        dropped_outside=int(inside.size - inside.sum()),
        rejected=points.rejected,
        rejected_points=points.rejected_points,
        conflicts=int(conflicts.size),
        doubtful=tuple(sorted(doubtful)),
        untimed=points.untimed,
        offset_s=offset / _SECOND,
        unknown_fields=points.unknown_fields,
    )


def frame_of(domain: str, seconds: _Integers, traffic: _Integers, source: str) -> pd.DataFrame:
    """The frame of these points; the dtypes are the same for none and for many."""
    count = len(seconds)
    table = pa.table(
        {
            "domain": pa.repeat(pa.scalar(domain, pa.large_string()), count),
            "timestamp": pa.array(seconds * _SECOND).cast(pa.timestamp("us", tz="UTC")),
            "traffic_bytes": pa.array(traffic, pa.int64()),
            "source": pa.repeat(pa.scalar(source, pa.large_string()), count),
        }
    )
    return table.to_pandas()


EMPTY = frame_of("", np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), "")
"""No points, with the dtypes that every frame has."""


def _clean_points(document: dict[str, Any], listed: list[Any]) -> _Points | None:
    """Both columns at once; None where any point needs a closer look."""
    try:
        traffic = list(map(_TRAFFIC, listed))
        stamps = list(map(_TIMESTAMP, listed))
    except (KeyError, TypeError, IndexError):
        return None
    clean = set(map(type, traffic)) <= {int} and set(map(type, stamps)) <= {str}
    if not clean or not set(map(len, listed)) <= {len(_POINT_FIELDS)}:
        return None
    try:
        values = np.array(traffic, dtype=np.int64)
        times = pa.array(stamps, pa.string()).cast(pa.timestamp("us", tz="UTC"))
    except (OverflowError, ValueError):
        return None
    if values.size and values.min() < 0:
        return None
    return _Points(
        times.cast(pa.int64()).to_numpy(zero_copy_only=False),
        values,
        len(listed),
        _total(document.get("total")),
        unknown_fields=_unknown_fields(document, []),
    )


def _careful_points(document: dict[str, Any], listed: list[Any]) -> _Points:
    """The points of any answer, one by one."""
    micros: list[int] = []
    traffic: list[int] = []
    reasons: list[str] = []
    rejected_at: list[int] = []
    rejected = untimed = 0
    for number, point in enumerate(listed):
        at, time_fault = _time_of(point)
        value, value_fault = _traffic_of(point)
        if at is not None and value is not None:
            micros.append(at)
            traffic.append(value)
            continue
        rejected += 1
        if at is None:
            untimed += 1
            place = f"in point {number}"
        else:
            rejected_at.append(at // _SECOND)
            place = f"at {instant_text(at // _SECOND)}"
        if len(reasons) < _REASONS:
            reasons.append(f"{time_fault or value_fault} {place}")
    return _Points(
        np.array(micros, dtype=np.int64),
        np.array(traffic, dtype=np.int64),
        len(listed),
        _total(document.get("total")),
        tuple(reasons),
        rejected,
        tuple(rejected_at),
        untimed,
        _unknown_fields(document, listed),
    )


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = _lenient_document(body)
    if not isinstance(document, dict):
        raise ContractError(f"The answer is {_kind(document)}, not a JSON object.", _REMEDY)
    return document


def _lenient_document(body: bytes) -> Any:
    """Python's reader takes NaN, so that one such point does not cost the whole answer."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise ContractError("The answer is not JSON.", _REMEDY) from exc


def _time_of(point: Any) -> tuple[int | None, str]:
    """Microseconds since the epoch, or None and the fault."""
    if not isinstance(point, dict):
        return None, f"the point is {_kind(point)}"
    if "timestamp" not in point:
        return None, "timestamp is missing"
    stamp = point["timestamp"]
    if not isinstance(stamp, str):
        return None, f"timestamp is {_kind(stamp)}"
    try:
        instant = datetime.fromisoformat(stamp)
    except ValueError:
        return None, "timestamp is not a time"
    if instant.tzinfo is None:
        return None, "timestamp has no zone"
    try:
        since = instant.astimezone(UTC) - _EPOCH
    except OverflowError:
        return None, "timestamp is not a time"
    return (since.days * 86_400 + since.seconds) * _SECOND + since.microseconds, ""


def _traffic_of(point: Any) -> tuple[int | None, str]:
    """Bytes, or None and the fault."""
    if not isinstance(point, dict) or "traffic" not in point:
        return None, "traffic is missing"
    value = _plain(point["traffic"])
    if isinstance(value, float):
        return None, "traffic is a fraction or an inexact number"
    if isinstance(value, bool) or not isinstance(value, int):
        return None, f"traffic is {_kind(value)}"
    if value < 0:
        return None, "traffic is negative"
    if value > _LARGEST:
        return None, "traffic is larger than 64 bits hold"
    return value, ""


def _plain(value: Any) -> Any:
    """An integer in another dress as an integer; everything else as it is."""
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    if isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT_FLOAT:
        return int(value)
    return value


def _offset(micros: _Integers, step: int) -> int:
    """The microseconds by which all points lie behind the grid."""
    offsets = micros % (step * _SECOND)
    if not offsets.size:
        return 0
    first = int(offsets[0])
    odd = np.flatnonzero(offsets != first)
    if odd.size:
        at = micros[odd[0]] if first == 0 else micros[0]
        raise ContractError(
            f"The answer's field timestamp lies off the grid of {step} s "
            f"({instant_text(int(at) // _SECOND)}), and not all points by the same offset.",
            _REMEDY,
        )
    return first


def _one_each(seconds: _Integers, traffic: _Integers) -> tuple[_Integers, _Integers, _Integers]:
    """Sorted, each time once; and the times that were listed with different values."""
    if seconds.size < 2 or (np.diff(seconds) > 0).all():
        return seconds, traffic, seconds[:0]
    order = np.lexsort((traffic, seconds))
    seconds, traffic = seconds[order], traffic[order]
    same_time = np.diff(seconds) == 0
    differs = same_time & (np.diff(traffic) != 0)
    conflicts = np.unique(seconds[1:][differs])
    keep = np.concatenate(([True], ~same_time)) & ~np.isin(seconds, conflicts)
    return seconds[keep], traffic[keep], conflicts


def _total(value: Any) -> int | None:
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _unknown_fields(document: dict[str, Any], points: list[Any]) -> tuple[str, ...]:
    names = set(document) - _TOP_FIELDS
    for point in points:
        if isinstance(point, dict):
            names |= point.keys() - _POINT_FIELDS
    return tuple(sorted(str(name)[:64] for name in names))[:_REASONS]


def _notes(parsed: Parsed) -> list[str]:
    notes: list[str] = []
    if parsed.total is None:
        notes.append("total not given")
    elif parsed.cut:
        notes.append(f"total {parsed.total} but {parsed.listed} listed")
    if parsed.offset_s:
        notes.append(f"offset {parsed.offset_s:g} s floored")
    if parsed.dropped_outside:
        notes.append(f"{parsed.dropped_outside} outside dropped")
    if parsed.rejected_points:
        notes.append(f"{parsed.rejected_points} rejected ({parsed.rejected[0]})")
    if parsed.conflicts:
        notes.append(f"{parsed.conflicts} in conflict")
    return notes


def _kind(value: Any) -> str:
    names = {type(None): "null or missing", bool: "a boolean", int: "a number", float: "a number"}
    names |= {str: "a text", list: "a list", dict: "an object"}
    return names.get(type(value), "of another type")
