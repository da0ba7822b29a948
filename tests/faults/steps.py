"""Every durable step of a process, counted, and what can befall it there.

A step is a call that changes what is on the disk: opening for writing, writing, syncing, renaming,
deleting, making a directory. ``watching`` hands each of them to a fault before it happens.
"""

import errno
import io
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

EVERY = 8
"""Of so many writes to a file the first is a step; Parquet writes its pages in crumbs."""


class Fault:
    """Nothing befalls: the steps are only counted and named."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def before(self, step: str, path: str) -> None:
        """A step is about to happen."""
        self.seen.append(f"{step} {Path(path).name}")

    def torn(self, stream: Any, content: Any) -> None:
        """Some of a write may happen before the fault does."""

    def opened(self, path: str, inode: int) -> None:
        """A file was opened for writing."""

    def synced(self, inode: int) -> None:
        """A file or directory was made durable."""

    def renaming(self, source: str, target: str) -> None:
        """A file is about to get another name."""

    def unlinking(self, path: str) -> None:
        """A file is about to lose its name."""

    def made(self, path: str) -> None:
        """A directory was made."""


class Killed(Fault):
    """The process is killed just before the nth step; half of a write has happened by then."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at

    def before(self, step: str, path: str) -> None:
        super().before(step, path)
        if len(self.seen) == self.at:
            self.die()

    def torn(self, stream: Any, content: Any) -> None:
        if len(self.seen) + 1 == self.at:
            stream.write(memoryview(content)[: len(content) // 2])
            stream.flush()

    def die(self) -> None:
        """The end."""
        os.kill(os.getpid(), signal.SIGKILL)


Change = dict[Path, Path | None]
"""Names that changed together, with links to what they stood for before."""


class PowerLoss(Killed):
    """As ``Killed``; and what was not synced by then may be lost: content, names and deletions.

    A rename happens as a whole or not at all, and changes of one name are lost from the last one
    backwards, as file systems promise; files that have no name in common are lost independently.

    Args:
        at: the step before which it happens.
        root: the warehouse.
        attic: a directory to be made on the same file system.
        luck: of so many changes in a row, how many stay; the default loses all of them.
    """

    def __init__(
        self, at: int, root: Path, attic: Path, luck: Callable[[int], int] = lambda _: 0
    ) -> None:
        super().__init__(at)
        self.root = root
        self.attic = attic
        self.luck = luck
        attic.mkdir()
        self.dirty: set[int] = set()
        self.changes: list[Change] = []
        self.directories: list[Path] = []

    def opened(self, path: str, inode: int) -> None:
        self.dirty.add(inode)
        self.changes.append({Path(path): None})

    def synced(self, inode: int) -> None:
        self.dirty.discard(inode)
        self.changes = [
            change
            for change in self.changes
            if all(_inode(name.parent) != inode for name in change)
        ]
        self.directories = [path for path in self.directories if _inode(path.parent) != inode]

    def renaming(self, source: str, target: str) -> None:
        self.changes.append({name: self._kept(name) for name in (Path(source), Path(target))})

    def unlinking(self, path: str) -> None:
        self.changes.append({Path(path): self._kept(Path(path))})

    def made(self, path: str) -> None:
        self.directories.append(Path(path))

    def die(self) -> None:
        for path in [*self.root.rglob("*"), *self.attic.iterdir()]:
            if path.is_file() and _inode(path) in self.dirty:
                os.truncate(path, path.stat().st_size // 2)
        for together in _connected(self.changes):
            for change in reversed(together[self.luck(len(together)) :]):
                self._undo(change)
        for path in reversed(self.directories):
            if not any(path.iterdir()) or not self.luck(1):
                shutil.rmtree(path)
        super().die()

    def _undo(self, change: Change) -> None:
        for name, kept in change.items():
            name.unlink(missing_ok=True)
            if kept is not None:
                os.link(kept, name)

    def _kept(self, path: Path) -> Path | None:
        if not path.exists():
            return None
        kept = self.attic / str(len(list(self.attic.iterdir())))
        os.link(path, kept)
        return kept


class NewestName(PowerLoss):
    """As ``PowerLoss``, but the newest name was written by then: before all others, as it may be."""

    def die(self) -> None:
        for together in _connected(self.changes):
            if together[-1] is self.changes[-1]:
                self.changes = [change for change in self.changes if change not in together]
                break
        super().die()


def _connected(changes: list[Change]) -> list[list[Change]]:
    """The changes in groups that share names, each in order."""
    groups: list[tuple[set[Path], list[Change]]] = []
    for change in changes:
        names, together = set(change), [change]
        for group in [group for group in groups if group[0] & names]:
            groups.remove(group)
            names |= group[0]
            together = group[1] + together
        groups.append((names, together))
    return [together for _, together in groups]


class Failing(Fault):
    """The nth step fails with an error of the system; ``lasting``: and so does every later one."""

    def __init__(self, at: int, code: int, *, lasting: bool) -> None:
        super().__init__()
        self.at = at
        self.code = code
        self.lasting = lasting

    def before(self, step: str, path: str) -> None:
        super().before(step, path)
        if len(self.seen) == self.at or (self.lasting and len(self.seen) > self.at):
            raise OSError(self.code, os.strerror(self.code), path)

    def torn(self, stream: Any, content: Any) -> None:
        if len(self.seen) + 1 == self.at and self.code == errno.ENOSPC:
            stream.write(memoryview(content)[: len(content) // 2])


@contextmanager
def watching(fault: Fault) -> Iterator[None]:
    """Hand every durable step inside the block to the fault."""
    with (
        mock.patch("os.replace", _renamed(fault, os.replace)),
        mock.patch("os.rename", _renamed(fault, os.rename)),
        mock.patch("os.unlink", _unlinked(fault, os.unlink)),
        mock.patch("os.remove", _unlinked(fault, os.remove)),
        mock.patch("os.mkdir", _made(fault, os.mkdir)),
        mock.patch("os.fsync", _synced(fault)),
        mock.patch("io.open", _opened(fault, open)),
        mock.patch("builtins.open", _opened(fault, open)),
    ):
        yield


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return -1


def _renamed(fault: Fault, real: Callable[..., None]) -> Callable[..., None]:
    def call(source: Any, target: Any, **more: Any) -> None:
        fault.before("rename", os.fspath(target))
        fault.renaming(os.fspath(source), os.fspath(target))
        real(source, target, **more)

    return call


def _unlinked(fault: Fault, real: Callable[..., None]) -> Callable[..., None]:
    def call(path: Any, **more: Any) -> None:
        fault.before("unlink", os.fspath(path))
        fault.unlinking(os.fspath(path))
        real(path, **more)

    return call


def _made(fault: Fault, real: Callable[..., None]) -> Callable[..., None]:
    def call(path: Any, *more: Any, **named: Any) -> None:
        fault.before("mkdir", os.fspath(path))
        real(path, *more, **named)
        fault.made(os.fspath(path))

    return call


def _synced(fault: Fault) -> Callable[[int], None]:
    def call(descriptor: int) -> None:
        fault.before("fsync", str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        # Not done for real: nobody pulls the plug of this machine, and it is what costs the time.
        fault.synced(os.fstat(descriptor).st_ino)

    return call


def _opened(fault: Fault, real: Callable[..., Any]) -> Callable[..., Any]:
    def call(path: Any, mode: str = "r", *more: Any, **named: Any) -> Any:
        if not set(mode) & set("wxa+"):
            return real(path, mode, *more, **named)
        fault.before("open", os.fspath(path))
        stream = real(path, mode, *more, **named)
        fault.opened(os.fspath(path), os.fstat(stream.fileno()).st_ino)
        return _Stream(fault, stream, os.fspath(path))

    return call


class _Stream(io.IOBase):
    """A file opened for writing whose writes are steps."""

    def __init__(self, fault: Fault, stream: Any, path: str) -> None:
        self._fault = fault
        self._stream = stream
        self._path = path
        self._writes = 0

    def write(self, content: Any) -> int:
        if self._writes % EVERY == 0:
            self._fault.torn(self._stream, content)
            self._fault.before("write", self._path)
        self._writes += 1
        return int(self._stream.write(content))

    @property
    def name(self) -> str:
        return self._path

    def writable(self) -> bool:
        return True

    def flush(self) -> None:
        if not self._stream.closed:
            self._stream.flush()

    def fileno(self) -> int:
        return int(self._stream.fileno())

    def tell(self) -> int:
        return int(self._stream.tell())

    def close(self) -> None:
        self._stream.close()

    @property
    def closed(self) -> bool:
        return bool(self._stream.closed)
