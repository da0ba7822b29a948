"""Copies of objects on this machine: fetched when they are first read, the least used removed."""

import os
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from load.failure import writing
from load.objects.draft import PREFIX

MOST_BYTES = 2 << 30
IN_USE_SECONDS = 600
"""A copy that was asked for so recently is not removed: somebody may be about to open it."""

ABANDONED_SECONDS = 86_400
"""A commit that is being written is not removed; that of a killed process is, in the end."""


class Cache:
    """A directory of copies; processes may share it. An object never changes, so a copy is never old.

    Args:
        directory: of the copies; made when the first is kept.
        most_bytes: of all copies; those in use may exceed it.
        clock: wall-clock seconds, by which the file system dates files.
    """

    def __init__(
        self,
        directory: Path,
        *,
        most_bytes: int = MOST_BYTES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.directory = directory.absolute()
        self._most_bytes = most_bytes
        self._clock = clock

    def path(self, name: str) -> Path:
        """Where the copy of an object is, if there is one."""
        return self.directory / name

    def copy(self, name: str, size: int, fetch: Callable[[Path], None]) -> Path:
        """The copy of an object, fetched where there is none of that size.

        Raises:
            SinkError: it could not be fetched or kept.
        """
        path = self.path(name)
        with suppress(OSError):
            if path.stat().st_size == size:
                os.utime(path)
                return path
        with writing(self.directory):
            temporary = self._temporary(path)
        try:
            fetch(temporary)
            with writing(self.directory):
                temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        self._trim()
        return path

    def keep(self, name: str, path: Path) -> None:
        """Make a file of this machine the copy of an object; where that fails it is fetched later."""
        with suppress(OSError):
            target = self.path(name)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)

    def _temporary(self, path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.with_name(f".{path.name}-{uuid.uuid4().hex}.tmp")

    def _trim(self) -> None:
        """Remove the copies that were not asked for longest until the rest fits."""
        found = []
        # Other processes remove files and folders meanwhile: ``walk`` passes over what is gone.
        for folder, _, names in os.walk(self.directory):
            for path in (Path(folder, name) for name in names):
                with suppress(OSError):
                    status = path.stat()
                    found.append((status.st_mtime, status.st_size, path))
        total = sum(size for _, size, _ in found)
        for used_at, size, path in sorted(found):
            if total <= self._most_bytes or used_at > self._clock() - IN_USE_SECONDS:
                return
            if path.parent.name.startswith(PREFIX) and used_at > self._clock() - ABANDONED_SECONDS:
                continue
            path.unlink(missing_ok=True)
            total -= size
