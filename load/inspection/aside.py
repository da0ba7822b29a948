"""Where damaged files and rows are kept: a folder that no reader looks into."""

import os
import shutil
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from load.directory import fsync_directory, make_root
from load.failure import writing


class Aside:
    """One repair's folder, ``<home>/20261125T190000Z``; made with the first thing in it."""

    def __init__(self, home: Path, now: datetime) -> None:
        self.home = home / f"{now:%Y%m%dT%H%M%SZ}"

    def move(self, path: Path, name: str) -> Path:
        """Take a file out of the warehouse, durably.

        Raises:
            SinkError: it cannot be moved.
        """
        target = self._target(name)
        with writing(path.parent):
            try:
                path.replace(target)
            except OSError:  # another file system: the copy is whole before the original goes
                shutil.copy2(path, target)
                _sync(target)
                path.unlink()
            fsync_directory(target.parent)
            fsync_directory(path.parent)
        return target

    def copy(self, path: Path, name: str) -> Path:
        """Keep a file as it is before it is written anew.

        Raises:
            SinkError: it cannot be kept.
        """
        target = self._target(name)
        with writing(path.parent):
            shutil.copy2(path, target)
            _sync(target)
            fsync_directory(target.parent)
        return target

    def rows(self, table: pa.Table, name: str) -> Path:
        """Keep rows as a Parquet file.

        Raises:
            SinkError: they cannot be kept.
        """
        target = self._target(name)
        with writing(target.parent):
            pq.write_table(table, target)
            _sync(target)
            fsync_directory(target.parent)
        return target

    def _target(self, name: str) -> Path:
        target = self.home / name
        while target.exists():
            target = target.with_name(f"{target.name}.again")
        make_root(target.parent)
        return target


def _sync(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
