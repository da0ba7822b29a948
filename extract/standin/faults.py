"""Faults on order: which of them strike a request, and how often still."""

import random
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

Option = str | int | float | bool | None | list[int]

_PICK = frozenset({"indexes", "every"})
_TOTAL = frozenset({"total"})

GATE_KINDS: Mapping[str, frozenset[str]] = {
    "status": frozenset({"status", "error_code", "error_msg", "body_shape", "retry_after"}),
    "throttle": frozenset({"as", "retry_after"}),
    "html": frozenset({"status"}),
    "redirect": frozenset({"status", "location"}),
    "slow": frozenset({"seconds"}),
    "reset": frozenset(),
    "revoke_tokens": frozenset(),
}
"""Kinds that strike before the request is looked at."""

POINT_KINDS: Mapping[str, frozenset[str]] = {
    "split_points": _PICK | _TOTAL,
    "missing_value": _PICK,
    "missing_time": _PICK,
    "null_value": _PICK,
    "negative": _PICK,
    "fraction": _PICK,
    "string_number": _PICK,
    "integral_float": _PICK,
    "nan": _PICK,
    "bool_value": _PICK,
    "too_big": _PICK,
    "huge_values": _PICK,
    "time_without_zone": _PICK,
    "duplicate_equal": _PICK | _TOTAL,
    "duplicate_conflict": _PICK | _TOTAL,
    "disorder": frozenset(),
    "outside_window": _TOTAL,
    "total_mismatch": frozenset({"by"}),
    "truncate_tail": _TOTAL | {"points"},
    "drop_points": _PICK | _TOTAL,
    "off_grid": frozenset({"seconds"}),
    "off_grid_mixed": frozenset(),
}
"""Kinds that change the points of a traffic answer."""

BODY_KINDS: Mapping[str, frozenset[str]] = {
    "unknown_field": frozenset(),
    "no_list": frozenset({"as"}),
    "not_object": frozenset(),
    "not_json": frozenset(),
    "empty_body": frozenset(),
    "cut_body": frozenset({"at"}),
    "slow_body": frozenset({"seconds"}),
}
"""Kinds that change a good answer's body as a whole."""

HEADER_KINDS: Mapping[str, frozenset[str]] = {"clock_skew": frozenset({"seconds"})}
"""Kinds that change any answer's headers."""

KINDS = {**GATE_KINDS, **POINT_KINDS, **BODY_KINDS, **HEADER_KINDS}
OPERATIONS = (
    *("traffic", "domains", "tokens", "projects"),
    *("traffic_v2", "summary_v2", "bandwidth_v2", "peak_v2"),
)
_COMMON = frozenset({"kind", "operation", "domain", "times", "after", "probability"})


class FaultError(ValueError):
    """A fault that cannot be ordered."""


@dataclass(slots=True)
class Fault:
    """One fault: whom it strikes, how often, and its kind's options."""

    kind: str
    operation: str | None = None
    domain: str | None = None
    times: int | None = None
    after: int = 0
    probability: float = 1.0
    options: dict[str, Option] = field(default_factory=dict)
    dice: random.Random = field(default_factory=random.Random)

    def number(self, name: str, default: float) -> float:
        """A numeric option."""
        value = self.options.get(name)
        return float(value) if isinstance(value, (int, float)) else default

    def text(self, name: str, default: str) -> str:
        """An option as text."""
        value = self.options.get(name)
        return default if value is None else str(value)

    def picked(self, count: int) -> list[int]:
        """Which of ``count`` points it strikes: ``indexes``, each ``every``-th, or the middle."""
        indexes, every = self.options.get("indexes"), self.options.get("every")
        if isinstance(indexes, list):
            return sorted({index % count for index in indexes if -count <= index < count})
        if isinstance(every, int):
            return list(range(every - 1, count, every))
        return [count // 2] if count else []

    def strikes(self, operation: str | None, domain: str | None) -> bool:
        """Whether it strikes this request; counts it if it would match."""
        if self.operation not in (None, operation) or self.domain not in (None, domain):
            return False
        if self.after > 0:
            self.after -= 1
            return False
        if self.times == 0 or self.dice.random() >= self.probability:
            return False
        if self.times is not None:
            self.times -= 1
        return True


class Faults:
    """The faults on order, in the order given."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._lock = threading.Lock()
        self._ordered: list[Fault] = []

    def replace(self, orders: Iterable[object]) -> None:
        """Order these faults instead of the earlier ones.

        Raises:
            FaultError: one of them is not understood; then nothing changes.
        """
        ordered = [_fault(order, f"{self._seed}/{n}") for n, order in enumerate(orders)]
        with self._lock:
            self._ordered = ordered

    def striking(
        self, kinds: Mapping[str, frozenset[str]], operation: str | None, domain: str | None
    ) -> list[Fault]:
        """The faults of these kinds that strike now; each is counted."""
        with self._lock:
            return [f for f in self._ordered if f.kind in kinds and f.strikes(operation, domain)]

    def describe(self) -> list[dict[str, object]]:
        """The orders as they stand, with the counts that are left."""
        with self._lock:
            return [_described(fault) for fault in self._ordered]


def _fault(order: object, seed: str) -> Fault:
    kind = str(order.get("kind")) if isinstance(order, dict) else ""
    if not isinstance(order, dict) or kind not in KINDS:
        raise FaultError(f"{order!r} names no fault; kinds: {', '.join(KINDS)}")
    foreign = set(order) - _COMMON - KINDS[kind]
    if foreign:
        known = ", ".join(sorted(_COMMON | KINDS[kind]))
        raise FaultError(f"{kind} does not take {', '.join(sorted(foreign))}; it takes: {known}")
    operation = order.get("operation")
    if operation not in (None, *OPERATIONS):
        raise FaultError(f"operation must be one of {', '.join(OPERATIONS)}")
    for name in ("probability", "seconds", "status", "by"):
        if name in order and not _is_number(order[name]):
            raise FaultError(f"{name} must be a number, got {order[name]!r}")
    once = 1 if kind == "revoke_tokens" else None
    return Fault(
        kind,
        operation,
        order.get("domain"),
        _count(order, "times", once),
        _count(order, "after", 0) or 0,
        float(order.get("probability", 1.0)),
        {name: _picking(name, order[name]) for name in KINDS[kind] & set(order)},
        random.Random(seed),  # noqa: S311 (repeatable on purpose)
    )


def _count(order: Mapping[str, object], name: str, default: int | None) -> int | None:
    value = order.get(name, default)
    if value is None or re.fullmatch(r"\d{1,9}", str(value)):
        return None if value is None else int(str(value))
    raise FaultError(f"{name} must be a whole number, got {value!r}")


def _picking(name: str, value: Option) -> Option:
    if name == "indexes" and not (
        isinstance(value, list) and all(isinstance(index, int) for index in value)
    ):
        raise FaultError(f"indexes must be a list of whole numbers, got {value!r}")
    if name in {"every", "points"} and not (isinstance(value, int) and value > 0):
        raise FaultError(f"{name} must be a whole number from 1, got {value!r}")
    return value


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _described(fault: Fault) -> dict[str, object]:
    common = {
        "kind": fault.kind,
        "operation": fault.operation,
        "domain": fault.domain,
        "times": fault.times,
        "after": fault.after,
        "probability": fault.probability,
    }
    return {k: v for k, v in common.items() if v is not None} | dict(fault.options)
