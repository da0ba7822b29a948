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
    warehouse: object = None,
) -> Iterator[None]:
    """Hold the file's lock, with ``holder`` written inside for whoever waits.

    Args:
        path: the lock file; its directory must exist.
        wait: seconds to wait for another holder.
        holder: one line that tells who holds it.
        sleep: how to wait.
        clock: seconds that never run backwards.
        warehouse: what the lock is for; the file's directory when None.

    Raises:
        Locked: another process or thread held it for all that time.
        SinkError: the lock file cannot be written.
    """
    with writing(path.parent):
        descriptor = _opened(path)
    try:
        with writing(path.parent):
            if not polled(lambda: _taken(descriptor), wait, sleep, clock):
                line = os.pread(descriptor, _LONGEST_LINE, 0).decode(errors="replace").strip()
                raise locked(path.parent if warehouse is None else warehouse, line)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, one_line(holder).encode() + b"\n", 0)
        yield
        os.ftruncate(descriptor, 0)
    finally:
        _freed(descriptor)


def polled(
    attempt: Callable[[], bool],
    wait: float,
    sleep: Callable[[float], None],
    clock: Callable[[], float],
) -> bool:
    """Whether the attempt, made at least once, succeeded within ``wait`` seconds."""
    deadline = clock() + wait
    while not attempt():
        left = deadline - clock()
        if left <= 0:
            return False
        sleep(min(POLL_SECONDS, left))
    return True


def one_line(holder: str) -> str:
    """The holder as one line, whatever blanks it has."""
    return " ".join(holder.split())


def locked(warehouse: object, line: str) -> Locked:
    """The error for a warehouse that another run holds; ``line`` says which."""
    return Locked(
        f"The warehouse {warehouse} is held by another run ({line or 'it has not said which'}).",
        "Let it finish, or wait longer with --lock-wait.",
    )


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)


def _freed(descriptor: int) -> None:
    # Unlocked by hand: a forked child may still hold a copy of the descriptor.
    try:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)
