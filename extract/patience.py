"""Waits that a stop ends: for a lock, for a request that is under way.

The interpreter cannot interrupt a thread that reads from a socket or resolves a name. So what may take
long is carried out in a thread of its own, which its caller can leave behind.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Generic, Protocol, TypeVar

from livetraffic.errors import Stopped

Sleeper = Callable[[float], bool]
"""Waits that many seconds; True when the run was asked to stop (``threading.Event.wait``)."""

GRACE_S = 4.0
"""How long a request that is under way is waited for when the run was asked to stop."""
_SLICE_S = 0.25

Outcome = TypeVar("Outcome")


class Lock(Protocol):
    """A lock or a semaphore."""

    def acquire(self, *, timeout: float) -> bool:
        """Whether it was got within ``timeout`` seconds."""

    def release(self) -> None:
        """Let another have it."""


@contextlib.contextmanager
def held(lock: Lock, sleep: Sleeper) -> Iterator[None]:
    """Wait for the lock and hold it.

    Raises:
        Stopped: the run was asked to stop in the meantime.
    """
    while not lock.acquire(timeout=_SLICE_S):
        if sleep(0):
            raise Stopped
    try:
        yield
    finally:
        lock.release()


class TooSlowError(Exception):
    """The work went on for longer than it may; nobody waits for it any more."""


def carried_out(
    work: Callable[[], Outcome],
    *,
    sleep: Sleeper,
    monotonic: Callable[[], float],
    longest_s: float,
    grace_s: float = GRACE_S,
) -> Outcome:
    """What ``work`` gives back or raises; it is carried out in a thread that nobody has to wait for.

    Args:
        work: may hang; whatever it does after it was left behind must not matter.
        sleep: asked with 0 whether to stop.
        monotonic: seconds that never run backwards.
        longest_s: how long it may take.
        grace_s: how long it is still waited for when the run was asked to stop.

    Raises:
        Stopped: the run was asked to stop, and the grace is over.
        TooSlowError: it took longer than it may.
    """
    errand = _Errand(work)
    threading.Thread(target=errand.run, name="request", daemon=True).start()
    started, stopped_at = monotonic(), None
    while not errand.done.wait(_SLICE_S):
        now = monotonic()
        if now - started > longest_s:
            raise TooSlowError
        if stopped_at is None and sleep(0):
            stopped_at = now
        if stopped_at is not None and now - stopped_at >= grace_s:
            raise Stopped
    return errand.outcome()


class _Errand(Generic[Outcome]):
    """Work in another thread, and what came of it."""

    def __init__(self, work: Callable[[], Outcome]) -> None:
        self.done = threading.Event()
        self._work = work
        self._results: list[Outcome] = []
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._results.append(self._work())
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            self._error = error
        self.done.set()

    def outcome(self) -> Outcome:
        if self._error is not None:
            raise self._error
        return self._results[0]
