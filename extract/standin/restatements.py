"""Corrections of published values, each in force from an instant of the stand-in's clock on."""

import threading
from collections import defaultdict
from dataclasses import dataclass

from extract.standin.rhythm import STEP


@dataclass(frozen=True, slots=True)
class Restatement:
    """From ``at`` on, the periods in ``[start, end)`` have another value, or one times a factor."""

    domain: str
    start: int
    end: int
    at: int
    traffic: int | None = None
    factor: float = 1.0

    def apply(self, value: int) -> int:
        """The value after the correction."""
        return self.traffic if self.traffic is not None else int(value * self.factor)


class Restatements:
    """All corrections by domain, in the order in which they were given."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_domain: dict[str, list[Restatement]] = defaultdict(list)

    def add(self, restatement: Restatement) -> None:
        """One more correction."""
        with self._lock:
            self._by_domain[restatement.domain].append(restatement)

    def clear(self) -> None:
        """Forget all corrections."""
        with self._lock:
            self._by_domain.clear()

    def touching(self, domain: str, start: int, end: int, now: int) -> list[Restatement]:
        """Those in force at ``now`` that touch ``[start, end)``."""
        with self._lock:
            given = self._by_domain.get(domain)
            if not given:
                return []
            return [r for r in given if r.at <= now and r.start < end and start < r.end]


def restate(values: list[int], start: int, restatements: list[Restatement]) -> None:
    """Correct 5-minute values, the first of which belongs to ``start``, in place."""
    for restatement in restatements:
        first = max(0, -(-(restatement.start - start) // STEP))
        last = min(len(values), -(-(restatement.end - start) // STEP))
        for index in range(first, last):
            values[index] = restatement.apply(values[index])
