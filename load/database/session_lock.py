"""The run lock of a server: held by a connection of its own, so that it dies with its process."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from load.lock import locked, one_line, polled


@contextmanager
def session_lock(
    connection: Connection,
    attempt: Callable[[Connection], bool],
    *,
    warehouse: object,
    wait: float,
    holder: str,
    sleep: Callable[[float], None],
    clock: Callable[[], float],
) -> Iterator[None]:
    """Hold what ``attempt`` takes for the connection's session, with the holder's line stored.

    Raises:
        Locked: another session held it for all that time.
    """
    connection = connection.execution_options(isolation_level="AUTOCOMMIT")
    if not polled(lambda: attempt(connection), wait, sleep, clock):
        lines = connection.execute(text("SELECT holder FROM run_holder")).scalars().all()
        raise locked(warehouse, lines[0] if lines else "")
    clear = text("DELETE FROM run_holder")
    connection.execute(clear)
    connection.execute(
        text("INSERT INTO run_holder (holder) VALUES (:holder)"), {"holder": one_line(holder)}
    )
    try:
        yield
    finally:
        with suppress(SQLAlchemyError):  # the run is over; the lock is freed with the connection
            connection.execute(clear)
