"""Locks by name on a database server, held by a connection of their own."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import sha256

from sqlalchemy import Connection, text

from load.database.address import Kind, parse
from load.database.choice import dialect_of
from load.database.retry import translated
from load.lock import locked, polled

_TAKE = {
    Kind.POSTGRESQL: text("SELECT pg_try_advisory_lock(hashtextextended(:name, 0))"),
    Kind.MYSQL: text("SELECT GET_LOCK(:name, 0)"),
}
_ALIVE = text("SELECT 1")


class ServerGuard:
    """``load.objects.guards.Guard`` on the server at ``location``; it dies with its process.

    Args:
        location: the URL of a PostgreSQL, MariaDB or MySQL database.
        setting: where the user wrote it.
        sleep: how to wait.
        clock: seconds that never run backwards.
    """

    def __init__(
        self,
        location: str,
        *,
        setting: str,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._dialect = dialect_of(parse(location, setting))
        self._sleep, self._clock = sleep, clock

    @contextmanager
    def hold(
        self,
        name: str,
        *,
        wait: float,
        holder: str,  # noqa: ARG002 - the server tells nobody
        place: object,
    ) -> Iterator[Callable[[], None]]:
        """As ``Guard.hold``."""
        mark = f"live-traffic-{sha256(name.encode()).hexdigest()[:32]}"
        take = _TAKE[self._dialect.address.kind]
        with translated(self._dialect), self._dialect.writer.connect() as opened:
            connection = opened.execution_options(isolation_level="AUTOCOMMIT")

            def attempt() -> bool:
                return bool(connection.execute(take, {"name": mark}).scalar_one())

            if not polled(attempt, wait, self._sleep, self._clock):
                raise locked(place, "")
            yield partial(self._still, connection)

    def _still(self, connection: Connection) -> None:
        with translated(self._dialect):
            connection.execute(_ALIVE)
