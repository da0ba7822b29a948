"""The windows of the rate budget in a database, for every process of every machine, by its clock.

A transaction holds the row of its account and endpoint, looks, and enters the send: five statements
that hold nobody else up. The connection stays open between requests and is made anew when it broke.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Insert,
    MetaData,
    String,
    Table,
    delete,
    func,
    insert,
    literal_column,
    select,
    update,
)

from livetraffic.errors import LiveTrafficError
from load.database.address import Kind, parse
from load.database.choice import dialect_of
from load.database.failure import Trouble, cause_of
from load.database.retry import ATTEMPTS, LONGEST_PAUSE_SECONDS, told

T = TypeVar("T")
Key = tuple[str, str]

SECOND = 1_000_000
_NO_TICKET = 2**63 - 1
FROZEN_SECONDS = 20
"""A transaction takes milliseconds; the server (not MySQL's) ends that of a process stopped in it."""

_NOW = {
    Kind.POSTGRESQL: "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)",
    Kind.MYSQL: "CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000000 AS SIGNED)",
}
_AGAIN = frozenset({Trouble.CONFLICT, Trouble.LOST, Trouble.COLLISION, Trouble.ABSENT})

_tables = MetaData()
_BYTES: Any = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def _key() -> list["Column[Any]"]:
    return [
        Column("account", String(190), nullable=False),
        Column("endpoint", String(60), nullable=False),
    ]


WINDOWS = Table(
    "rate_windows",
    _tables,
    Column("account", String(190), primary_key=True),
    Column("endpoint", String(60), primary_key=True),
    Column("paused_until", BigInteger, nullable=False),
    comment="Accounts and operations, and until when nothing is sent (microseconds since 1970).",
    **_BYTES,
)
SENDS = Table(
    "rate_sends",
    _tables,
    Column("id", BigInteger, primary_key=True),
    *_key(),
    Column("sent_at", BigInteger, nullable=False),
    Index("rate_sends_by_time", "account", "endpoint", "sent_at"),
    comment="Requests of the last minutes by when they were answered.",
    **_BYTES,
)
TICKETS = Table(
    "rate_tickets",
    _tables,
    Column("id", BigInteger, primary_key=True),
    *_key(),
    Column("until", BigInteger, nullable=False),
    Index("rate_tickets_by_time", "account", "endpoint", "until"),
    comment="Who waits for a place, and until when that counts.",
    **_BYTES,
)


class Place(NamedTuple):
    """A send that was entered (its number), or a ticket and the microseconds to wait with it."""

    wait: int = 0
    number: int | None = None
    ticket: int | None = None


class _Seen(NamedTuple):
    """One window and its queue, at one instant (microseconds)."""

    now: int
    paused_until: int
    oldest: int | None
    newest: int | None
    lapses_at: int | None
    lapses_last: int | None
    before: int


class DatabaseWindows:
    """``extract.budget.Windows`` in the database at ``location``; creates its tables at first use.

    Args:
        location: the URL of a PostgreSQL, MariaDB or MySQL database.
        window_s: length of the sliding window and of the pause after a throttle answer, seconds.
        setting: where the user wrote the URL.
        sleep: waits before a broken connection is tried again.

    Raises:
        ConfigError: the URL cannot be used, or its driver is not installed.
    """

    def __init__(
        self,
        location: str,
        *,
        window_s: float,
        setting: str,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._dialect = dialect_of(parse(location, setting))
        self._kind = self._dialect.address.kind
        self._window = round(window_s * SECOND)
        self._grace = self._window // 30
        self._sleep = sleep
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._owner = -1

    def take(self, key: Key, quota: int, ticket: int | None) -> Place:
        """As ``Windows.take``."""
        return self._done(lambda connection: self._take(connection, key, quota, ticket))

    def give_back(self, ticket: int) -> None:
        """As ``Windows.give_back``."""
        with contextlib.suppress(LiveTrafficError):
            self._done(lambda c: c.execute(delete(TICKETS).where(TICKETS.c.id == ticket)))

    def answered(self, number: int) -> None:
        """As ``Windows.answered``."""
        change = update(SENDS).where(SENDS.c.id == number).values(sent_at=self._now)
        with contextlib.suppress(LiveTrafficError):
            self._done(lambda connection: connection.execute(change))

    def throttled(self, key: Key) -> None:
        """As ``Windows.throttled``."""
        self._done(lambda connection: self._pause(connection, key))

    def usable(self) -> bool:
        """Whether the tables are there and may be written; creates and changes nothing."""
        nobody = update(WINDOWS).where(WINDOWS.c.account == "").values(paused_until=0)
        try:
            with self._dialect.reader.begin() as connection:
                connection.execute(nobody)
        except self._dialect.errors:
            return False
        return True

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._drop()

    @property
    def _now(self) -> Any:
        return literal_column(_NOW[self._kind], BigInteger)

    def _take(self, connection: Connection, key: Key, quota: int, ticket: int | None) -> Place:
        seen = self._seen(connection, key, ticket)
        wait = self._wait(connection, key, seen, quota)
        if wait > 0:
            until = seen.now + wait + self._grace
            return Place(wait, ticket=self._ticket(connection, key, ticket, until))
        if ticket is not None:
            connection.execute(delete(TICKETS).where(TICKETS.c.id == ticket))
        if seen.oldest is not None and seen.oldest <= seen.now - 2 * self._window:
            old = SENDS.c.sent_at <= seen.now - self._window
            connection.execute(delete(SENDS).where(*_of(SENDS, key), old))
        entered = insert(SENDS).values(account=key[0], endpoint=key[1], sent_at=seen.now)
        return Place(number=_number(connection, entered))

    def _wait(self, connection: Connection, key: Key, seen: _Seen, quota: int) -> int:
        """Microseconds until there is a place for everybody who came before, and for this one."""
        if seen.paused_until > seen.now:
            return seen.paused_until - seen.now
        place = max(quota - 1 - seen.before, 0)
        latest = select(SENDS.c.sent_at).where(*_of(SENDS, key))
        row = connection.execute(
            latest.order_by(SENDS.c.sent_at.desc()).limit(1).offset(place)
        ).first()
        wait = 0 if row is None else max(0, int(row[0]) + self._window - seen.now)
        return wait if seen.before < quota else max(wait, self._grace)

    def _ticket(self, connection: Connection, key: Key, ticket: int | None, until: int) -> int:
        if ticket is not None:
            kept = update(TICKETS).where(TICKETS.c.id == ticket).values(until=until)
            if connection.execute(kept).rowcount:
                return ticket
        # A ticket that lapsed while its owner slept too long goes to the end of the queue.
        taken = insert(TICKETS).values(account=key[0], endpoint=key[1], until=until)
        return _number(connection, taken)

    def _seen(self, connection: Connection, key: Key, ticket: int | None) -> _Seen:
        """Lock the window, then look; what lapsed or lies in the future is put right first."""
        paused_until = self._locked(connection, key)
        seen = self._look(connection, key, ticket, paused_until)
        # A waiter that was killed does not come back for its ticket.
        lapsed = seen.lapses_at is not None and seen.lapses_at <= seen.now
        if lapsed or self._ahead(seen):
            self._put_right(connection, key, seen.now)
            paused_until = min(paused_until, seen.now + self._window)
            seen = self._look(connection, key, ticket, paused_until)
        return seen

    def _look(self, connection: Connection, key: Key, ticket: int | None, until: int) -> _Seen:
        mine = _NO_TICKET if ticket is None else ticket
        sends, tickets = _of(SENDS, key), _of(TICKETS, key)
        facts = (
            select(func.min(SENDS.c.sent_at)).where(*sends),
            select(func.max(SENDS.c.sent_at)).where(*sends),
            select(func.min(TICKETS.c.until)).where(*tickets),
            select(func.max(TICKETS.c.until)).where(*tickets),
            select(func.count()).where(*tickets, TICKETS.c.id < mine),
        )
        row = connection.execute(select(self._now, *(fact.scalar_subquery() for fact in facts)))
        now, oldest, newest, lapses_at, lapses_last, waiting = row.one()
        return _Seen(int(now), until, oldest, newest, lapses_at, lapses_last, int(waiting))

    def _ahead(self, seen: _Seen) -> bool:
        """Whether the server's clock was moved back."""
        latest = seen.now + self._window
        return (
            (seen.newest or 0) > seen.now
            or seen.paused_until > latest
            or (seen.lapses_last or 0) > latest + self._grace
        )

    def _put_right(self, connection: Connection, key: Key, now: int) -> None:
        """Forget lapsed tickets; nothing may wait longer than one window from now."""
        latest = now + self._window
        last = latest + self._grace
        for statement in (
            delete(TICKETS).where(*_of(TICKETS, key), TICKETS.c.until <= now),
            update(TICKETS).where(*_of(TICKETS, key), TICKETS.c.until > last).values(until=last),
            update(SENDS).where(*_of(SENDS, key), SENDS.c.sent_at > now).values(sent_at=now),
            update(WINDOWS)
            .where(*_of(WINDOWS, key), WINDOWS.c.paused_until > latest)
            .values(paused_until=latest),
        ):
            connection.execute(statement)

    def _pause(self, connection: Connection, key: Key) -> None:
        self._locked(connection, key)
        until = self._now + self._window
        connection.execute(update(WINDOWS).where(*_of(WINDOWS, key)).values(paused_until=until))

    def _locked(self, connection: Connection, key: Key) -> int:
        """Hold the window's row to the transaction's end; until when it is paused."""
        paused = select(WINDOWS.c.paused_until).where(*_of(WINDOWS, key)).with_for_update()
        row = connection.execute(paused).first()
        if row is None:
            new = {"account": key[0], "endpoint": key[1], "paused_until": 0}
            connection.execute(insert(WINDOWS).values(**new))  # a race ends in a second attempt
            return 0
        return int(row[0])

    def _done(self, work: Callable[[Connection], T]) -> T:
        """What ``work`` gives in a transaction, tried again where others or the network disturb it."""
        with self._lock:
            for attempt in range(1, ATTEMPTS):
                try:
                    return self._attempted(work)
                except self._dialect.errors as error:
                    self._drop()
                    trouble = self._dialect.judge(cause_of(error))
                    if trouble not in _AGAIN:
                        raise told(self._dialect, error) from error
                    if trouble is Trouble.ABSENT:
                        self._create()
                    elif trouble is not Trouble.COLLISION:
                        self._sleep(min(LONGEST_PAUSE_SECONDS, 0.1 * 3**attempt))
            try:
                return self._attempted(work)
            except self._dialect.errors as error:
                self._drop()
                raise told(self._dialect, error) from error

    def _attempted(self, work: Callable[[Connection], T]) -> T:
        connection = self._open()
        with connection.begin():
            return work(connection)

    def _create(self) -> None:
        """Create the tables; somebody else may be doing so."""
        try:
            with self._dialect.writer.begin() as connection:
                self._dialect.make_schema(connection)
                _tables.create_all(connection)
        except self._dialect.errors as error:
            if self._dialect.judge(cause_of(error)) is Trouble.FORBIDDEN:
                raise told(self._dialect, error) from error

    def _open(self) -> Connection:
        # A connection must not cross a fork.
        if self._connection is not None and self._owner == os.getpid():
            return self._connection
        engine = self._dialect.writer.execution_options(isolation_level="READ COMMITTED")
        connection = engine.connect()
        connection.exec_driver_sql(_settings(self._kind))
        connection.commit()
        self._connection, self._owner = connection, os.getpid()
        return connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and self._owner == os.getpid():
            with contextlib.suppress(*self._dialect.errors):
                connection.invalidate()
                connection.close()


def _settings(kind: Kind) -> str:
    """What a connection is told first; what only MariaDB knows stands in a comment for it alone."""
    if kind is Kind.POSTGRESQL:
        return f"SET idle_in_transaction_session_timeout = '{FROZEN_SECONDS}s'; SET lock_timeout = '10s'"
    frozen = f"/*M! SESSION idle_transaction_timeout = {FROZEN_SECONDS}, */"
    return f"SET {frozen} SESSION innodb_lock_wait_timeout = 10"


def _of(table: Table, key: Key) -> tuple[Any, Any]:
    return table.c.account == key[0], table.c.endpoint == key[1]


def _number(connection: Connection, statement: Insert) -> int:
    (number,) = connection.execute(statement).inserted_primary_key or (0,)
    return int(number)
