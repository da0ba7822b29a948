"""Locks on dot-files of a warehouse, which the kernel frees when the process dies.

A lock file is never deleted: two processes could then hold the locks of two files of one name.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from livetraffic.errors import Locked
from load.failure import writing

POLL_SECONDS = 0.1
_LONGEST_LINE = 1000


@contextmanager
def commit_lock(path: Path) -> Iterator[None]:
    """Wait for the file's lock and hold it; every thread and process that asks gets it in turn."""
    descriptor = _opened(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        _freed(descriptor)


@contextmanager
def run_lock(
    path: Path,
    *,
    wait: float,
    holder: str,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[None]:
    """Hold the file's lock, with ``holder`` written inside for whoever waits.

    Args:
        path: the lock file; its directory must exist.
        wait: seconds to wait for another holder.
        holder: one line that tells who holds it.
        sleep: how to wait.
        clock: seconds that never run backwards.

    Raises:
        Locked: another process or thread held it for all that time.
        SinkError: the lock file cannot be written.
    """
    with writing(path.parent):
        descriptor = _opened(path)
    try:
        with writing(path.parent):
            _taken(descriptor, path, clock() + wait, sleep, clock)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{' '.join(holder.split())}\n".encode(), 0)
        yield
        os.ftruncate(descriptor, 0)
    finally:
        _freed(descriptor)


def _taken(
    descriptor: int,
    path: Path,
    deadline: float,
    sleep: Callable[[float], None],
    clock: Callable[[], float],
) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            left = deadline - clock()
            if left <= 0:
                raise _locked(descriptor, path) from None
            sleep(min(POLL_SECONDS, left))
        else:
            return


def _locked(descriptor: int, path: Path) -> Locked:
    line = os.pread(descriptor, _LONGEST_LINE, 0).decode(errors="replace").strip()
    return Locked(
        f"The warehouse {path.parent} is held by another run ({line or 'it has not said which'}).",
        "Let it finish, or wait longer with --lock-wait.",
    )


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)


def _freed(descriptor: int) -> None:
    # Unlocked by hand: a forked child may still hold a copy of the descriptor.
    try:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)
