"""A warehouse's home in a directory of this machine: journalled commits, locks on dot-files."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from load.directory import fsync_directory, make_root
from load.lock import run_lock
from load.parquet.files import Directory, Draft, Files
from load.parquet.journal import committing, leftovers

RUN_LOCK = ".run.lock"

T = TypeVar("T")


class LocalHome:
    """``load.parquet.files.Home`` in the directory ``root``; arguments as ``ParquetSink``."""

    def __init__(
        self, root: Path, *, sleeper: Callable[[float], None], clock: Callable[[], float]
    ) -> None:
        self.root = root
        self._sleeper = sleeper
        self._clock = clock

    def files(self) -> Files:
        """As ``Home.files``."""
        return Directory(self.root)

    def make(self) -> None:
        """As ``Home.make``."""
        make_root(self.root)

    def commit(self, work: Callable[[Files, Draft], T], *, repeats: bool = True) -> T:  # noqa: ARG002 - one writer at a time
        """As ``Home.commit``, one after the other by the commit lock."""
        with committing(self.root) as commit:
            return work(Directory(self.root), commit)

    def remove(self, target: str) -> None:
        """As ``Home.remove``."""
        path = self.root / target
        with committing(self.root):
            path.unlink(missing_ok=True)
            fsync_directory(path.parent)

    def unfinished(self) -> bool:
        """As ``Home.unfinished``."""
        return leftovers(self.root)

    @contextmanager
    def run_lock(self, *, wait: float, holder: str) -> Iterator[None]:
        """As ``Home.run_lock``; what a killed commit left is mended first."""
        make_root(self.root)
        path = self.root / RUN_LOCK
        with run_lock(path, wait=wait, holder=holder, sleep=self._sleeper, clock=self._clock):
            if self.unfinished():
                with committing(self.root):
                    pass
            yield
