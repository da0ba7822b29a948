"""The rules that every row of ``traffic`` keeps, and what breaks them."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from load.inspection.finding import Kind
from load.months import bounds
from load.rows import MICRO, Mask, Rows, from_arrow, integers


@dataclass(slots=True)
class Sifted:
    """One month's rows: those that keep the rules, in order, and what was wrong with the others."""

    good: Rows
    bad: pa.Table
    wrong: Counter[Kind] = field(default_factory=Counter)
    """How many rows break each rule."""

    @property
    def is_clean(self) -> bool:
        """Whether the month can stay as it is."""
        return not self.wrong


def sifted(table: pa.Table, month: str, step: int) -> Sifted:
    """The rows of a month, each held against the rules.

    Raises:
        KeyError: a value is null, or a time is no whole second where one is asked for.
    """
    first, following = bounds(month)
    stamps = integers(table.column("timestamp"))
    broken: dict[Kind, Mask] = {
        Kind.NEGATIVE: integers(table.column("traffic_bytes")) < 0,
        Kind.OFF_GRID: stamps % (step * MICRO) != 0,
        Kind.MISPLACED: (stamps < first) | (stamps >= following),
    }
    outside = np.logical_or.reduce(list(broken.values()))
    left = table.filter(pa.array(~outside)) if outside.any() else table
    rows = from_arrow(left)
    keys = rows.keys
    twice = _repeated(keys)
    wrong = Counter({kind: int(mask.sum()) for kind, mask in broken.items() if mask.any()})
    if twice.any():
        wrong[Kind.DUPLICATE] = int(twice.sum())
    if bool(np.any(keys[1:] < keys[:-1])):
        wrong[Kind.DISORDER] = int((keys[1:] < keys[:-1]).sum())
        rows = rows.take(np.argsort(keys, kind="stable"))
        twice = _repeated(rows.keys)
    return Sifted(
        rows.take(~twice) if twice.any() else rows, _bad(table, outside, left, keys), wrong
    )


def _repeated(keys: "np.typing.NDArray[np.int64]") -> Mask:
    """Every row whose key stands more than once: which of them is right cannot be known."""
    _, places, counts = np.unique(keys, return_inverse=True, return_counts=True)
    repeated: Mask = counts[places] > 1
    return repeated


def _bad(
    table: pa.Table, outside: Mask, left: pa.Table, keys: "np.typing.NDArray[np.int64]"
) -> pa.Table:
    twice = _repeated(keys)
    return pa.concat_tables([table.filter(pa.array(outside)), left.filter(pa.array(twice))])
