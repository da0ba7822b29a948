"""The run lock as an object: a lease that its holder renews, with a token that only grows.

By the store's clock. A run that was killed loses it a minute later; one that was paused for that long
learns of it from the token, before it publishes anything.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from livetraffic.errors import LiveTrafficError, SinkError
from load.failure import damaged
from load.lock import locked, one_line
from load.objects.store import ObjectStore, Stored

NAME = "run-lock.json"
SECONDS = 60
_RENEWALS = 4
POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Lease:
    """Who holds the warehouse, until when, and under which token."""

    token: int = 0
    holder: str = ""
    machine: str = ""
    until: int = 0
    """By the store's clock; once it was given back, when that was."""

    def is_free(self, now: int, machine: str, quiet: int) -> bool:
        """Whether another run may have it: also a while after a run of another machine, if asked to."""
        return now >= self.until + (quiet if self.machine != machine else 0)


class Leases:
    """Takes, renews and gives back the lease of one warehouse.

    Args:
        store: where it is kept.
        machine: the name of this one.
        quiet: seconds for which the lease of another machine counts on after its end.
        seconds: how long it lasts unless it is renewed.
        sleep: how to wait.
        clock: seconds that never run backwards.
    """

    def __init__(
        self,
        store: ObjectStore,
        *,
        machine: str,
        quiet: int,
        seconds: int,
        sleep: Callable[[float], None],
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._machine, self._quiet, self._seconds = machine, quiet, seconds
        self._sleep, self._clock = sleep, clock
        self._etag: str | None = None
        self._held: Lease | None = None

    @property
    def token(self) -> int:
        """The token of the lease that is held; 0 where none is."""
        return 0 if self._held is None else self._held.token

    @contextmanager
    def hold(self, *, wait: float, holder: str) -> Iterator[None]:
        """Hold the lease; as ``Sink.run_lock``."""
        self._wait_for(one_line(holder), wait)
        over = threading.Event()
        renewing = threading.Thread(target=self._renew, args=(over,), name="lease", daemon=True)
        renewing.start()
        try:
            yield
        finally:
            over.set()
            renewing.join()
            self._give_back()

    def _wait_for(self, holder: str, wait: float) -> None:
        deadline = self._clock() + wait
        while not self._taken(holder):
            left = deadline - self._clock()
            if left <= 0:
                lease, _ = self._read()
                raise locked(self._store.address, lease.holder)
            self._sleep(min(POLL_SECONDS, left))

    def _taken(self, holder: str) -> bool:
        lease, found = self._read()
        if found is not None and not lease.is_free(found.at, self._machine, self._quiet):
            return False
        now = self._store.now() if found is None else found.at
        mine = Lease(lease.token + 1, holder, self._machine, now + self._seconds)
        return self._written(mine, None if found is None else found.etag)

    def _written(self, lease: Lease, etag: str | None) -> bool:
        new = self._store.put_if(NAME, json.dumps(asdict(lease)).encode(), etag)
        if new is None:
            return False
        self._etag, self._held = new, lease
        return True

    def _renew(self, over: threading.Event) -> None:
        """Until it is given back. Where that fails the lease runs out, and the token tells."""
        while not over.wait(self._seconds / _RENEWALS):
            with suppress(LiveTrafficError):
                self._extended(self._seconds)

    def _give_back(self) -> None:
        with suppress(LiveTrafficError):  # the run is over; the lease runs out by itself
            self._extended(0)
        self._held = None

    def _extended(self, seconds: int) -> None:
        lease, found = self._read()
        if found is None or self._held is None or lease.token != self._held.token:
            return
        self._written(replace(lease, until=found.at + seconds), found.etag)

    def check(self) -> None:
        """Refuse to go on where the lease that was held is another's now.

        Raises:
            SinkError: it is.
        """
        if self._held is None:
            return
        lease, _ = self._read()
        if lease.token != self._held.token:
            raise lost(self._store.address)

    def _read(self) -> tuple[Lease, Stored | None]:
        found = self._store.get(NAME)
        if found is None:
            return Lease(), None
        try:
            content: dict[str, Any] = json.loads(found.body)
            return Lease(**content), found
        except (ValueError, TypeError) as error:
            raise damaged(f"{self._store.address}/{NAME}", "it is not a lease") from error


def lost(place: object) -> SinkError:
    """The error for a run that was paused so long that another one has begun."""
    return SinkError(
        f"The run lock of {place} was lost to another run while this one stood still.",
        "What was committed is kept; the other run reads the rest.",
    )
