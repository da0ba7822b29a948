"""A warehouse's files as its readers and writers see them, wherever they are kept.

What merges, appends and sums knows paths of this machine only. Where they come from (a directory, or
an object store's copies) and how new ones are published is the business of ``Home``.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Protocol, TypeVar

from load.months import stored_months

T = TypeVar("T")


class Files(Protocol):
    """The files of one warehouse."""

    @property
    def place(self) -> object:
        """The warehouse, as people know it."""

    @property
    def directory(self) -> Path:
        """The directory of this machine that all paths lie in."""

    @property
    def distant(self) -> bool:
        """Whether a file must be fetched before it can be read."""

    def path(self, target: str) -> Path:
        """Where the file ``target`` (a relative path with ``/``) can be read; it need not exist."""

    def months(self, table: str, since: str = "") -> list[str]:
        """The months of which there may be a file, at or after ``since``, in order."""


class Draft(Protocol):
    """The new files of one commit; nothing is visible before it is published."""

    def create(self, target: str) -> IO[bytes]:
        """Open the temporary that will become ``target``."""

    def write(self, target: str, content: bytes) -> None:
        """Give ``target`` this content."""


class Home(Protocol):
    """Where a warehouse is kept."""

    def files(self) -> Files:
        """What is published now. An object store's stay as they are while others write."""

    def make(self) -> None:
        """Make the place."""

    def commit(self, work: Callable[[Files, Draft], T], *, repeats: bool = True) -> T:
        """What ``work`` gives; the files that it drafts appear together or not at all.

        Args:
            work: reads what is published, and drafts.
            repeats: whether it may be done anew where another writer came first. Without, what it
                drafts must not depend on what is published.
        """

    def remove(self, target: str) -> None:
        """Leave the file ``target`` out from now on, in one commit."""

    def unfinished(self) -> bool:
        """Whether a commit is under way or was killed, so that something must be mended."""

    def run_lock(self, *, wait: float, holder: str) -> AbstractContextManager[None]:
        """As ``Sink.run_lock``."""


class Directory:
    """``Files`` of a directory: whoever reads them sees each file old or new."""

    distant = False

    def __init__(self, root: Path) -> None:
        self.directory = root

    @property
    def place(self) -> object:
        """The directory."""
        return self.directory

    def path(self, target: str) -> Path:
        """As ``Files.path``."""
        return self.directory / target

    def months(self, table: str, since: str = "") -> list[str]:
        """As ``Files.months``."""
        return stored_months(self.directory, table, since)
