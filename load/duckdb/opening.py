"""Opening a warehouse that is one DuckDB file, for as long as it takes and no longer.

DuckDB gives a file to one writing process or to any number of reading ones. So everybody here opens it
for one commit or one answer; who finds it taken tries again for a while.
"""

import fcntl
import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

import duckdb

from livetraffic.errors import LiveTrafficError, SinkError
from load.directory import fsync_directory
from load.duckdb import before_image
from load.duckdb.before_image import BeforeImage
from load.failure import writing
from load.statements import first_line

_POLL = 0.005
_LONGEST_POLL = 0.05
_TAKEN = ("Could not set lock", "different configuration", "being used by another process")
# In one process DuckDB shares what is open between threads, settings too: hence one at a time.
_TURNS: defaultdict[Path, threading.Lock] = defaultdict(threading.Lock)


@dataclass(frozen=True, slots=True)
class Door:
    """The way to the file at ``path``; an opening that finds it taken waits ``patience`` seconds.

    They count from the last time that it was written: among writers that all get on, the turn comes.
    """

    path: Path
    patience: float = 60.0
    sleeper: Callable[[float], None] = sleep
    clock: Callable[[], float] = monotonic

    @contextmanager
    def reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection that cannot write; the file must be there.

        Raises:
            SinkError: the file is no database, damaged, or taken for too long.
        """
        with self._opened(read_only=True) as (connection, _):
            yield connection

    @contextmanager
    def writing(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection inside one transaction, committed at the end; the file is made if need be.

        Raises:
            SinkError: as ``reading``, or it could not be written; then nothing was.
        """
        with (
            self._opened(read_only=False) as (connection, file),
            self._kept(connection, file) as image,
        ):
            connection.begin()
            try:
                yield connection
                connection.commit()
            except BaseException:
                with suppress(duckdb.Error):
                    connection.rollback()
                raise
            image.keep(connection)  # a large commit has checkpointed, and closing may do it again

    @contextmanager
    def _opened(self, *, read_only: bool) -> Iterator[tuple[duckdb.DuckDBPyConnection, int]]:
        """The connection, and a descriptor of the file that lives as long as it."""
        with _TURNS[self.path.absolute()], self._told(read_only=read_only):
            connection, file = self._connected(read_only=read_only)
            try:
                connection.execute("SET TimeZone = 'UTC'")
                connection.execute("SET python_enable_replacements = false")
                yield connection, file
            finally:
                connection.close()
                os.close(file)

    @contextmanager
    def _kept(self, connection: duckdb.DuckDBPyConnection, file: int) -> Iterator[BeforeImage]:
        """What the connection may write over is kept until it is closed, here."""
        image = BeforeImage(self.path, file)
        try:
            image.keep(connection)
            yield image
        except BaseException:
            connection.close()
            raise
        connection.close()
        image.close()

    def _connected(self, *, read_only: bool) -> tuple[duckdb.DuckDBPyConnection, int]:
        if not read_only and not self.path.exists():
            make_file(self.path)
        deadline, written = 0.0, -1
        pause = _POLL
        while True:
            before_image.put_back(self.path)
            if (now := self._last_written()) != written:
                deadline, written = self.clock() + self.patience, now
            try:
                opened = self._at_once(read_only=read_only)
            except duckdb.Error as error:
                if not _says_taken(error):
                    raise
                if self.clock() >= deadline:
                    raise self._taken(error) from error
                opened = None
            if opened is not None:
                return opened
            self.sleeper(pause)
            pause = min(pause * 1.5, _LONGEST_POLL)

    def _at_once(self, *, read_only: bool) -> tuple[duckdb.DuckDBPyConnection, int] | None:
        """None where somebody else wrote while DuckDB opened the file.

        It reads the header first and locks the file then (2.0.0). What it knows may so be of before
        another's commit, which it would write over: hence nobody may go on who sees another header now.
        """
        file = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            header = before_image.header_of(file)
            connection = duckdb.connect(str(self.path), read_only=read_only)
        except BaseException:
            os.close(file)
            raise
        if before_image.header_of(file) == header:
            return connection, file
        connection.close()
        os.close(file)
        return None

    def _last_written(self) -> int:
        with suppress(FileNotFoundError):
            return self.path.stat().st_mtime_ns
        return 0

    def _taken(self, error: duckdb.Error) -> SinkError:
        return SinkError(
            f"The warehouse {self.path} is held by another program for more than"
            f" {self.patience:.0f} s: {first_line(error)}",
            "Close what has it open (a DuckDB shell, a BI tool), or let it open the file for each"
            " query only; what was stored before is intact.",
        )

    @contextmanager
    def _told(self, *, read_only: bool) -> Iterator[None]:
        try:
            yield
        except LiveTrafficError:
            raise
        except (duckdb.Error, OSError) as error:
            raise SinkError(
                f"The warehouse {self.path} could not be {'read' if read_only else 'written'}:"
                f" {first_line(error)}",
                "Check that it is a DuckDB file of this user with room to grow, or name another"
                " warehouse in LIVE_TRAFFIC_WAREHOUSE; what was stored before is intact.",
            ) from error


def _says_taken(error: duckdb.Error) -> bool:
    return any(words in str(error) for words in _TAKEN)


def make_file(path: Path) -> None:
    """Make an empty database that is there as a whole or not at all; one that is there stays.

    Raises:
        SinkError: it cannot be made.
    """
    new = path.with_name(f".{path.name}.new")
    with writing(path), _directory_held(path.parent):
        if path.exists():
            return
        new.unlink(missing_ok=True)
        duckdb.connect(str(new)).close()
        new.replace(path)
        fsync_directory(path.parent)


@contextmanager
def _directory_held(path: Path) -> Iterator[None]:
    directory = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)
