"""Exclusive locks outside of the store, for one that does not enforce conditional writes."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from load.directory import make_root
from load.lock import run_lock

Still = Callable[[], None]
"""Raises where the lock was lost."""


class Guard(Protocol):
    """Where locks by name are kept, for all who write into a warehouse."""

    def hold(
        self, name: str, *, wait: float, holder: str, place: object
    ) -> AbstractContextManager[Still]:
        """Hold the lock of that name; what it gives raises once the lock is lost.

        Raises:
            Locked: it was held for longer than ``wait`` seconds.
        """


class FileGuard:
    """Locks beside a file of this machine: only this machine may write then."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def hold(self, name: str, *, wait: float, holder: str, place: object) -> Iterator[Still]:
        """As ``Guard.hold``."""
        make_root(self._path.parent)
        mark = sha256(name.encode()).hexdigest()[:16]
        path = self._path.with_name(f"{self._path.name}.{mark}.lock")
        with run_lock(path, wait=wait, holder=holder, warehouse=place):
            yield lambda: None
