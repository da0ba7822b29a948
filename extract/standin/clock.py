"""The stand-in's clock: follows the real one, stands still, or runs on from a chosen instant.

It concerns statistics only (retention, delay, the ``Date`` header). Signatures and token expiry are
judged by ``Clock.real``.
"""

import threading
import time
from collections.abc import Callable


class Clock:
    """What time it is for the statistics; instants are whole seconds since the epoch, UTC."""

    def __init__(self, real: Callable[[], float] = time.time) -> None:
        self._real = real
        self._lock = threading.Lock()
        self._frozen: int | None = None
        self._ahead = 0.0

    def real(self) -> float:
        """The real clock, which judges signatures and tokens."""
        return self._real()

    def now(self) -> int:
        """The instant that the statistics take for now."""
        with self._lock:
            return self._frozen if self._frozen is not None else int(self._real() + self._ahead)

    @property
    def running(self) -> bool:
        """Whether time passes."""
        return self._frozen is None

    def set(self, now: int | None, *, running: bool = False) -> None:
        """Stand still at ``now``, run on from it, or follow the real clock again (None)."""
        with self._lock:
            self._frozen = None if running else now
            self._ahead = 0.0 if now is None else now - self._real()
