"""How often a user may call an API, and how often credentials may fail."""

import threading
from collections import defaultdict, deque
from collections.abc import Callable

WINDOW_S = 60.0
LOCK_AFTER = 5
LOCK_S = 300.0


class Quota:
    """A sliding window of 60 s for each user and API, by a clock that only runs forward."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._calls: dict[tuple[str, str], deque[float]] = defaultdict(deque)

    def admit(self, user: str, api: str, limit: int, *, rejected_count: bool) -> float | None:
        """None where the call is within ``limit`` (0 = none), else seconds until one may be."""
        now = self._clock()
        with self._lock:
            calls = self._calls[user, api]
            while calls and calls[0] <= now - WINDOW_S:
                calls.popleft()
            admitted = limit == 0 or len(calls) < limit
            if admitted or rejected_count:
                calls.append(now)
            return None if admitted else calls[-limit] + WINDOW_S - now


class FailureLock:
    """Locks a name for five minutes after more than five failures in a row."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: dict[str, int] = defaultdict(int)
        self._locked_until: dict[str, float] = {}

    def locked(self, name: str) -> bool:
        """Whether the name is locked now; a lock that has run out starts the count again."""
        with self._lock:
            until = self._locked_until.get(name)
            if until is not None and until <= self._clock():
                del self._locked_until[name]
                self._failures.pop(name, None)
                return False
            return until is not None

    def failed(self, name: str) -> None:
        """Count a failure."""
        with self._lock:
            self._failures[name] += 1
            if self._failures[name] > LOCK_AFTER:
                self._locked_until[name] = self._clock() + LOCK_S

    def succeeded(self, name: str) -> None:
        """Start the count again."""
        with self._lock:
            self._failures.pop(name, None)
