"""The rate budget: an exact sliding window shared by all threads and processes of a machine.

At most the quota of requests is sent in any ``window_s`` seconds (61, one more than the minute that
the source counts); bursts are allowed, because the source allows them. A send counts until a window
after its answer, so that no delay on the way can squeeze two windows into one. Who has to wait takes
a ticket and is served in that order, whichever process it is in. The state is one small SQLite file;
the ticket of a process that is killed lapses.
"""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple, Protocol

from livetraffic.errors import SinkError, Stopped

Sleeper = Callable[[float], bool]
"""Waits that many seconds; True when the run was asked to stop (``threading.Event.wait``)."""

_SECOND = 1_000_000
_POLL_S = 0.5
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


class Budget(Protocol):
    """Permission to send, one request at a time."""

    def acquire(self, account: str, endpoint: str, quota: int, /) -> AbstractContextManager[None]:
        """Wait until a request may be sent; leave the context when its answer is here.

        Args:
            account: whose quota it is.
            endpoint: the operation that the quota is for.
            quota: requests a minute.

        Raises:
            Stopped: the run was asked to stop.
        """

    def throttled(self, account: str, endpoint: str, /) -> None:
        """The source said that it was too much: nothing more is sent for a minute."""


class _InFlight:
    """A bounded number of requests under way, waited for in a way that can be stopped."""

    def __init__(self, size: int, sleep: Sleeper) -> None:
        self._places = threading.BoundedSemaphore(size)
        self._sleep = sleep

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        while not self._places.acquire(timeout=_POLL_S):
            if self._sleep(0):
                raise Stopped
        try:
            yield
        finally:
            self._places.release()


class Unmetered:
    """No quota, only a bounded number in flight: for the identity service and for tests."""

    def __init__(self, *, sleep: Sleeper, in_flight: int = 8) -> None:
        self._in_flight = _InFlight(in_flight, sleep)

    def acquire(
        self, _account: str, _endpoint: str, _quota: int, /
    ) -> AbstractContextManager[None]:
        """Wait for a free place among those in flight."""
        return self._in_flight.place()

    def throttled(self, _account: str, _endpoint: str, /) -> None:
        """Nothing to empty; the transport's own waits have to do."""


class _Place(NamedTuple):
    """A send that was entered (its number), or a ticket and the microseconds to wait with it."""

    wait: int = 0
    number: int | None = None
    ticket: int | None = None


class SqliteBudget:
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
        window_s: float = 61.0,
    ) -> None:
        self._path = Path(path)
        self._clock = clock
        self._sleep = sleep
        self._window = round(window_s * _SECOND)
        self._grace = self._window // 30
        self._in_flight = _InFlight(in_flight, sleep)
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._owner = -1
        with self._transaction():
            pass

    @contextlib.contextmanager
    def acquire(self, account: str, endpoint: str, quota: int) -> Iterator[None]:
        """Wait for a place in flight, then for one in the window. See ``Budget``."""
        if quota < 1:
            msg = f"a quota must be at least 1 request a minute, got {quota}"
            raise ValueError(msg)
        with self._in_flight.place():
            place = self._take((account, endpoint), quota, None)
            while place.wait:
                if self._sleep(place.wait / _SECOND):
                    self._give_back(place.ticket)
                    raise Stopped
                place = self._take((account, endpoint), quota, place.ticket)
            try:
                yield
            finally:
                self._answered(place.number)

    def throttled(self, account: str, endpoint: str) -> None:
        """Block this account's endpoint for one window, for every process."""
        with self._transaction() as connection:
            until = self._now() + self._window
            connection.execute("REPLACE INTO pauses VALUES (?, ?, ?)", (account, endpoint, until))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._drop()

    def _take(self, key: tuple[str, str], quota: int, ticket: int | None) -> _Place:
        """Enter a send just now, or take (keep) a ticket and say how long to wait with it."""
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

    def _give_back(self, ticket: int | None) -> None:
        if ticket is not None:
            with contextlib.suppress(SinkError), self._transaction() as connection:
                connection.execute("DELETE FROM tickets WHERE id = ?", (ticket,))

    def _answered(self, number: int | None) -> None:
        """Date a send by its answer: the source counted it somewhere in between."""
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
