"""Work on a connection of its own, its errors as sentences, and once more where that may help."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Connection, Engine

from livetraffic.errors import LiveTrafficError
from load.database.dialect import Dialect
from load.database.failure import Trouble, cause_of, sentence

T = TypeVar("T")

ATTEMPTS = 6
LONGEST_PAUSE_SECONDS = 5.0
_RETRIED = frozenset({Trouble.CONFLICT, Trouble.LOST})


def retried(dialect: Dialect, work: Callable[[Connection], T], sleep: Callable[[float], None]) -> T:
    """What ``work`` gives, done as a whole up to six times where others or the network disturb it.

    A server that answered once and then refuses connections is restarting: it is waited for too.

    Raises:
        LiveTrafficError: the sentence for what went wrong in the end.
    """
    retriable = _RETRIED
    for attempt in range(1, ATTEMPTS):
        try:
            return _done(dialect, dialect.writer, work)
        except dialect.errors as error:
            if dialect.judge(cause_of(error)) not in retriable:
                raise told(dialect, error) from error
        retriable = _RETRIED | {Trouble.REFUSED}
        pause = min(LONGEST_PAUSE_SECONDS, 0.1 * 3**attempt)
        sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads workers, hides nothing
    with translated(dialect):
        return _done(dialect, dialect.writer, work)


def attempted(dialect: Dialect, work: Callable[[Connection], T]) -> T:
    """What ``work`` gives on a connection that writes; done once, whatever disturbs it.

    Raises:
        LiveTrafficError: the sentence for what went wrong.
    """
    with translated(dialect):
        return _done(dialect, dialect.writer, work)


def once(dialect: Dialect, work: Callable[[Connection], T]) -> T:
    """What ``work`` gives on a connection that only reads.

    Raises:
        LiveTrafficError: the sentence for what went wrong.
    """
    with translated(dialect):
        return _done(dialect, dialect.reader, work)


@contextmanager
def translated(dialect: Dialect) -> Iterator[None]:
    """Turn what the driver raises in the block into an error of ours."""
    try:
        yield
    except dialect.errors as error:
        raise told(dialect, error) from error


def told(dialect: Dialect, error: BaseException) -> LiveTrafficError:
    """The error for the user; it never holds the password."""
    secret = str(dialect.address.url.password or "")
    return sentence(dialect.judge(cause_of(error)), dialect.address, error, secret)


def _done(dialect: Dialect, engine: Engine, work: Callable[[Connection], T]) -> T:
    with engine.connect() as connection:
        try:
            return work(connection)
        except dialect.errors as error:
            if dialect.judge(cause_of(error)) is Trouble.LOST:
                connection.invalidate()
            raise
