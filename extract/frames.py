"""An answer's rows as validated points on the grid, and points as frames: pure.

What each irregularity means is settled in the design's table "Irregular answers": a point that
cannot be trusted is a hole, an answer that cannot be placed on the grid stores nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from extract.fields import V1_FIELDS, Fields
from extract.rows import REMEDY, SECOND, Integers, rows_of
from livetraffic.errors import ContractError
from livetraffic.window import Window, instant_text


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Good points of one domain from one API, sorted by time, each time once.

    Kept as columns until a batch is complete: a frame costs more than reading the answer did.
    """

    domain: str
    source: str
    seconds: Integers
    """Since the epoch, UTC."""
    traffic: Integers
    """Bytes."""

    def __len__(self) -> int:
        return len(self.seconds)

    @property
    def frame(self) -> pd.DataFrame:
        """As ``frame_of``."""
        return frame_of([self])


@dataclass(frozen=True, slots=True)
class Parsed:
    """What an answer holds for one domain and window."""

    points: Points
    """Every point is on the grid and inside the window."""
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
    declares_total: bool = True
    """Whether this API declares a length at all."""

    @property
    def cut(self) -> bool:
        """Whether the answer says itself that it is not whole."""
        return self.total is not None and self.total != self.listed

    @property
    def frame(self) -> pd.DataFrame:
        """The points as ``frame_of`` gives them."""
        return self.points.frame

    @property
    def notes(self) -> tuple[str, ...]:
        """What was odd, in words for ``detail``."""
        return tuple(_notes(self))


def parse(
    body: bytes,
    *,
    window: Window,
    step: int,
    domain: str,
    source: str,
    fields: Fields = V1_FIELDS,
) -> Parsed:
    """Read the body of a traffic answer.

    Args:
        body: the answer as it came.
        window: what was asked for, on the grid of ``step``.
        step: seconds.
        domain: written into every row.
        source: written into every row.
        fields: what the API calls the parts of its answer.

    Raises:
        ContractError: it is not JSON, not an object, holds no list, or its points lie off the grid
            by more than one offset. The message names the field.
    """
    points = rows_of(body, fields)
    inside = (points.micros >= window.start * SECOND) & (points.micros < window.end * SECOND)
    micros, traffic = points.micros[inside], points.traffic[inside]
    offset = _offset(micros, step, fields.time)
    seconds, traffic, conflicts = _one_each((micros - offset) // SECOND, traffic)
    doubtful = {at - at % step for at in points.rejected_at if window.start <= at < window.end}
    doubtful |= set(conflicts.tolist())
    if doubtful:
        good = ~np.isin(seconds, list(doubtful))
        seconds, traffic = seconds[good], traffic[good]
    return Parsed(
        points=Points(domain, source, seconds, traffic),
        total=points.total,
        listed=points.listed,
        has_zero=bool((traffic == 0).any()),
        dropped_outside=int(inside.size - inside.sum()),
        rejected=points.rejected,
        rejected_points=points.rejected_points,
        conflicts=int(conflicts.size),
        doubtful=tuple(sorted(doubtful)),
        untimed=points.untimed,
        offset_s=offset / SECOND,
        declares_total=fields.total is not None,
        unknown_fields=points.unknown_fields,
    )


def frame_of(parts: Sequence[Points]) -> pd.DataFrame:
    """The points of all parts as one frame; the dtypes are the same for none and for many.

    ``domain`` and ``source`` (categories of str), ``timestamp`` (datetime64[us, UTC]),
    ``traffic_bytes`` (int64); in the order of the parts.
    """
    sizes = [len(part) for part in parts]
    seconds = np.concatenate([_NONE, *(part.seconds for part in parts)])
    return pd.DataFrame(
        {
            "domain": _repeated([part.domain for part in parts], sizes),
            "timestamp": pd.DatetimeIndex((seconds * SECOND).view("M8[us]"), tz="UTC"),
            "traffic_bytes": np.concatenate([_NONE, *(part.traffic for part in parts)]),
            "source": _repeated([part.source for part in parts], sizes),
        }
    )


def _repeated(values: list[str], sizes: list[int]) -> pd.Categorical:
    names = sorted(set(values))
    place = {name: code for code, name in enumerate(names)}
    codes = np.repeat(np.array([place[value] for value in values], np.int64), sizes)
    return pd.Categorical.from_codes(codes, categories=pd.Index(names, dtype="str"))


_NONE = np.empty(0, dtype=np.int64)


def _offset(micros: Integers, step: int, name: str) -> int:
    """The microseconds by which all points lie behind the grid."""
    offsets = micros % (step * SECOND)
    if not offsets.size:
        return 0
    first = int(offsets[0])
    odd = np.flatnonzero(offsets != first)
    if odd.size:
        at = micros[odd[0]] if first == 0 else micros[0]
        raise ContractError(
            f"The answer's field {name} lies off the grid of {step} s "
            f"({instant_text(int(at) // SECOND)}), and not all points by the same offset.",
            REMEDY,
        )
    return first


def _one_each(seconds: Integers, traffic: Integers) -> tuple[Integers, Integers, Integers]:
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


def _notes(parsed: Parsed) -> list[str]:
    notes: list[str] = []
    if parsed.total is None and parsed.declares_total:
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
