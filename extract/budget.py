"""The rate budget: an exact sliding window shared by all threads and processes, here or elsewhere.

At most the quota of requests is sent in any window (61 s, one more than the minute that the source
counts); bursts are allowed, because the source allows them. A send counts until a window after its
answer, so that no delay on the way can squeeze two windows into one. Who has to wait takes a ticket
and is served in that order, whichever process it is in; the ticket of a process that is killed
lapses. Where that is kept is for ``Windows`` to say: a file of this machine (``extract.budget_file``),
or tables of a database, which all machines share.
"""

import contextlib
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from extract.patience import Sleeper, held
from livetraffic.errors import Stopped

WINDOW_S = 61.0
_SECOND = 1_000_000


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


class Unmetered:
    """No quota, only a bounded number in flight: for the identity service and for tests."""

    def __init__(self, *, sleep: Sleeper, in_flight: int = 8) -> None:
        self._places = threading.BoundedSemaphore(in_flight)
        self._sleep = sleep

    def acquire(
        self, _account: str, _endpoint: str, _quota: int, /
    ) -> AbstractContextManager[None]:
        """Wait for a free place among those in flight."""
        return held(self._places, self._sleep)

    def throttled(self, _account: str, _endpoint: str, /) -> None:
        """Nothing to empty; the transport's own waits have to do."""


class Place(Protocol):
    """A send that was entered, or a ticket and how long to wait with it."""

    @property
    def wait(self) -> int:
        """Microseconds to wait before asking again; 0: the send is entered."""

    @property
    def number(self) -> int | None:
        """Of the send that was entered."""

    @property
    def ticket(self) -> int | None:
        """The place in the queue, to be shown when asking again."""


class Windows(Protocol):
    """The windows of all accounts and endpoints, and who waits for them; by one clock."""

    def take(self, key: tuple[str, str], quota: int, ticket: int | None, /) -> Place:
        """Enter a send just now, or take (keep) a ticket and say how long to wait with it."""

    def give_back(self, ticket: int, /) -> None:
        """Forget a ticket; never raises."""

    def answered(self, number: int, /) -> None:
        """Date a send by its answer: the source counted it somewhere in between; never raises."""

    def throttled(self, key: tuple[str, str], /) -> None:
        """Nothing more is sent for one window."""

    def close(self) -> None:
        """Close the file or the connection."""


class Metered:
    """The budget over shared windows.

    Args:
        windows: where sends and tickets are kept.
        sleep: waits; True when the run was asked to stop.
        in_flight: requests under way at once in this process.
    """

    def __init__(self, windows: Windows, *, sleep: Sleeper, in_flight: int = 8) -> None:
        self._windows = windows
        self._sleep = sleep
        self._places = threading.BoundedSemaphore(in_flight)

    @contextlib.contextmanager
    def acquire(self, account: str, endpoint: str, quota: int, /) -> Iterator[None]:
        """Wait for a place in flight, then for one in the window. See ``Budget``."""
        if quota < 1:
            msg = f"a quota must be at least 1 request a minute, got {quota}"
            raise ValueError(msg)
        with held(self._places, self._sleep):
            place = self._windows.take((account, endpoint), quota, None)
            while place.wait:
                if self._sleep(place.wait / _SECOND):
                    if place.ticket is not None:
                        self._windows.give_back(place.ticket)
                    raise Stopped
                place = self._windows.take((account, endpoint), quota, place.ticket)
            try:
                yield
            finally:
                if place.number is not None:
                    self._windows.answered(place.number)

    def throttled(self, account: str, endpoint: str, /) -> None:
        """Block this account's endpoint for one window, for every process."""
        self._windows.throttled((account, endpoint))

    def close(self) -> None:
        """Close what the windows are kept in."""
        self._windows.close()
