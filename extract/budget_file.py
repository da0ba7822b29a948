"""The windows of the rate budget in one small SQLite file, for all processes of a machine."""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from extract.budget import WINDOW_S, Metered
from extract.patience import Sleeper
from livetraffic.errors import SinkError

_SECOND = 1_000_000
_NO_TICKET = 2**63 - 1

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sends (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL, endpoint TEXT NOT NULL, sent_at INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS sends_by_time ON sends (account, endpoint, sent_at);
CREATE TABLE IF NOT EXISTS tickets (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL, endpoint TEXT NOT NULL, until INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS pauses (
    account TEXT NOT NULL, endpoint TEXT NOT NULL, until INTEGER NOT NULL,
    PRIMARY KEY (account, endpoint)
) WITHOUT ROWID;
"""


class _Place(NamedTuple):
    """A send that was entered (its number), or a ticket and the microseconds to wait with it."""

    wait: int = 0
    number: int | None = None
    ticket: int | None = None


class SqliteBudget(Metered):
    """The budget of one machine, in one SQLite file.

    Args:
        path: the file; it and its folder are created.
        clock: wall-clock seconds since the epoch, the same for all processes.
        sleep: waits; True when the run was asked to stop.
        in_flight: requests under way at once in this process.
        window_s: length of the sliding window and of the pause after a throttle answer, seconds.

    Raises:
        SinkError: the file cannot be used.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        clock: Callable[[], float],
        sleep: Sleeper,
        in_flight: int = 8,
        window_s: float = WINDOW_S,
    ) -> None:
        windows = FileWindows(Path(path), clock=clock, window_s=window_s)
        super().__init__(windows, sleep=sleep, in_flight=in_flight)


class FileWindows:
    """``extract.budget.Windows`` in the file at ``path``; arguments as ``SqliteBudget``.

    Raises:
        SinkError: the file cannot be used.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float], window_s: float) -> None:
        self._path = path
        self._clock = clock
        self._window = round(window_s * _SECOND)
        self._grace = self._window // 30
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._owner = -1
        with self._transaction():
            pass

    def throttled(self, key: tuple[str, str]) -> None:
        """As ``Windows.throttled``."""
        with self._transaction() as connection:
            until = self._now() + self._window
            connection.execute("REPLACE INTO pauses VALUES (?, ?, ?)", (*key, until))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._drop()

    def take(self, key: tuple[str, str], quota: int, ticket: int | None) -> _Place:
        """As ``Windows.take``."""
        with self._transaction() as connection:
            now = self._now()
            self._forgive_future(connection, key, now)
            wait = self._wait(connection, key, quota, ticket, now)
            if wait > 0:
                until = now + wait + self._grace
                connection.execute(
                    "REPLACE INTO tickets (id, account, endpoint, until) VALUES (?, ?, ?, ?)",
                    (ticket, *key, until),
                )
                row = connection.execute("SELECT last_insert_rowid()").fetchone()
                return _Place(wait, ticket=ticket if ticket is not None else int(row[0]))
            connection.execute("DELETE FROM tickets WHERE id = ?", (ticket,))
            connection.execute(
                "DELETE FROM sends WHERE account = ? AND endpoint = ? AND sent_at <= ?",
                (*key, now - self._window),
            )
            entered = connection.execute(
                "INSERT INTO sends (account, endpoint, sent_at) VALUES (?, ?, ?)", (*key, now)
            )
            return _Place(number=entered.lastrowid)

    def _wait(
        self,
        connection: sqlite3.Connection,
        key: tuple[str, str],
        quota: int,
        ticket: int | None,
        now: int,
    ) -> int:
        """Microseconds until there is a place for everybody who came before, and for this one."""
        row = connection.execute(
            "SELECT until FROM pauses WHERE account = ? AND endpoint = ?", key
        ).fetchone()
        if row is not None and row[0] > now:
            return int(row[0]) - now
        # A waiter that was killed does not come back for its ticket: after its time it counts no more.
        connection.execute("DELETE FROM tickets WHERE until <= ?", (now,))
        (before,) = connection.execute(
            "SELECT count(*) FROM tickets WHERE account = ? AND endpoint = ? AND id < ?",
            (*key, ticket if ticket is not None else _NO_TICKET),
        ).fetchone()
        row = connection.execute(
            "SELECT sent_at FROM sends WHERE account = ? AND endpoint = ?"
            " ORDER BY sent_at DESC LIMIT 1 OFFSET ?",
            (*key, max(quota - 1 - before, 0)),
        ).fetchone()
        wait = 0 if row is None else max(0, int(row[0]) + self._window - now)
        return wait if before < quota else max(wait, self._grace)

    def give_back(self, ticket: int) -> None:
        """As ``Windows.give_back``."""
        with contextlib.suppress(SinkError), self._transaction() as connection:
            connection.execute("DELETE FROM tickets WHERE id = ?", (ticket,))

    def answered(self, number: int) -> None:
        """As ``Windows.answered``."""
        # The answer is here; it must not be lost because the state file is not.
        with contextlib.suppress(SinkError), self._transaction() as connection:
            connection.execute("UPDATE sends SET sent_at = ? WHERE id = ?", (self._now(), number))

    def _forgive_future(
        self, connection: sqlite3.Connection, key: tuple[str, str], now: int
    ) -> None:
        """Where the clock was moved back, nothing may wait longer than one window from now."""
        connection.execute(
            "UPDATE sends SET sent_at = ? WHERE account = ? AND endpoint = ? AND sent_at > ?",
            (now, *key, now),
        )
        connection.execute(
            "UPDATE pauses SET until = ? WHERE account = ? AND endpoint = ? AND until > ?",
            (now + self._window, *key, now + self._window),
        )
        latest = now + self._window + self._grace
        connection.execute("UPDATE tickets SET until = ? WHERE until > ?", (latest, latest))

    def _now(self) -> int:
        return round(self._clock() * _SECOND)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                connection = self._open()
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                except BaseException:
                    connection.rollback()
                    raise
                connection.commit()
            except sqlite3.Error as exc:
                self._drop()
                raise SinkError(
                    f"The state file of the rate budget, {self._path}, cannot be used ({exc}).",
                    "Check that its folder is writable and on a local disk; if the file is damaged, "
                    "delete it a minute after the last run.",
                ) from exc

    def _open(self) -> sqlite3.Connection:
        # A connection must not cross a fork.
        if self._connection is not None and self._owner == os.getpid():
            return self._connection
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise sqlite3.OperationalError(exc.strerror or "no folder") from exc
        connection = sqlite3.connect(
            self._path, timeout=30, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(_SCHEMA)
        self._connection, self._owner = connection, os.getpid()
        return connection

    def _drop(self) -> None:
        if self._connection is not None and self._owner == os.getpid():
            self._connection.close()
        self._connection = None
