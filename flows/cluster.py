"""Batches on a Dask cluster: the mapper that submits plain functions and takes small receipts."""

import logging
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, cast

from flows.parcels import Parcel, Returned, Words
from flows.pipeline import LoadBatch
from flows.rate_state import is_shared_by_machines
from flows.settings import Settings
from flows.summary import BatchReceipt, FailedSlice
from flows.warehouse import DUCKDB, is_directory, local_path, shown
from flows.worker import VERSION, agreed, load_parcel
from livetraffic.errors import ConfigError, LiveTrafficError, Stopped
from livetraffic.plan import Batch

if TYPE_CHECKING:
    from distributed import Client

CONNECT_S = 10
WORKERS_S = 30
POLL_S = 0.25
FETCH_S = 10.0
"""How long a receipt may take from a worker; then it is asked for again."""
GRACE_S = 7.0
"""How long workers are waited for that commit what they have read when a run is stopped: less than what
``flows.stopping`` gives the whole process."""
QUIET_S = 20.0
"""How long nothing may be heard of a batch before the scheduler is asked whether it is there."""
ANSWER_S = 20.0
"""How long it may take to answer: one that is frozen, or behind a dead line, breaks no connection."""
_GONE = ("cancelled", "lost")
"""What the futures of a client become that has lost its scheduler, even where it finds it again."""


class Cluster:
    """``flows.pipeline.Mapper`` over the workers of one scheduler.

    Args:
        address: of the scheduler, ``tcp://host:8786``.
        settings: of the run.
        words: what the workers wire their parts from.
        stop: set when the run was asked to stop.

    Raises:
        ConfigError: only one process can write the warehouse.
    """

    def __init__(
        self, address: str, settings: Settings, words: Words, stop: threading.Event
    ) -> None:
        if settings.warehouse.startswith(DUCKDB):
            raise ConfigError(
                "A DuckDB file can be written by one process at a time, not by a cluster.",
                "Use --engine direct, or name a database or an object store in LIVE_TRAFFIC_WAREHOUSE.",
            )
        self._address, self._settings = address, settings
        self._words, self._stop = words, stop

    def __call__(self, load: LoadBatch, batches: Sequence[Batch]) -> Iterator[BatchReceipt]:
        """As ``Mapper``.

        Raises:
            ConfigError: the workers cannot write this warehouse from where they are.
            LiveTrafficError: the scheduler cannot be reached, has no worker, or was lost.
            Stopped: the run was asked to stop, and workers took too long to end what they had.
        """
        if not batches:
            return
        with _connected(self._address) as client:
            _check_place(self._settings, _hosts(client, self._address))
            yield from self._loaded(client, load, batches)

    def _loaded(
        self, client: "Client", load: LoadBatch, batches: Sequence[Batch]
    ) -> Iterator[BatchReceipt]:
        parcels = [load.parcel(batch) for batch in batches]
        signal = f"live-traffic-stop-{parcels[0].orders.run_id}"
        futures = [
            client.submit(_load, self._words, parcel, signal, pure=False, priority=-number)
            for number, parcel in enumerate(parcels)
        ]
        ending = _Ending(client, signal, self._stop)
        for batch, future in zip(batches, futures, strict=True):
            heard = time.monotonic()
            while (returned := self._returned(client, batch, future)) is None:
                ending.look()
                if time.monotonic() - heard > QUIET_S:
                    self._hear(client)
                    heard = time.monotonic()
            ending.look()
            yield load.take(returned)

    def _hear(self, client: "Client") -> None:
        """Raise where the scheduler does not answer."""
        try:
            client.sync(cast("Any", client.scheduler).identity, callback_timeout=ANSWER_S)
        except OSError as error:  # TimeoutError is one
            raise _lost(self._address) from error

    def _returned(self, client: "Client", batch: Batch, future: Any) -> Returned | None:
        """What became of the batch; None: nothing yet."""
        from distributed import KilledWorker

        if client.status != "running":
            raise _lost(self._address)
        try:
            returned: Returned = future.result(POLL_S if future.status == "pending" else FETCH_S)
        except KilledWorker:
            why = "The workers that had it were killed, one after the other. Look at their memory."
            return Returned(batch, _failed(batch, why))
        except Exception as error:
            # Whether the scheduler is gone shows in the client a moment after a request of it failed.
            if client.status != "running" or future.status in _GONE:
                raise _lost(self._address) from error
            if isinstance(error, OSError) and future.status != "error":
                return None
            raise LiveTrafficError(
                f"A worker of {self._address} could not load a batch ({type(error).__name__}).",
                "Install this version of live-traffic with its extras on every worker.",
            ) from error
        return returned


class _Ending:
    """Tells the workers once that the run was asked to stop, and ends the waiting for them."""

    def __init__(self, client: "Client", signal: str, stop: threading.Event) -> None:
        self._client, self._signal, self._stop = client, signal, stop
        self._deadline: float | None = None

    def look(self) -> None:
        """Raise ``Stopped`` where the workers were waited for long enough."""
        if not self._stop.is_set():
            return
        now = time.monotonic()
        if self._deadline is None:
            self._deadline = now + GRACE_S
            with suppress(OSError):  # a scheduler that does not hear it is found out by the waiting
                client = self._client
                tell = cast("Any", client.scheduler).event_set
                client.sync(tell, name=self._signal, callback_timeout=GRACE_S / 2)
        if now > self._deadline:
            raise Stopped


def words_of(
    flags: Mapping[str, Any], as_of: str | None, domains: tuple[str, ...], settings: Settings
) -> Words:
    """What workers are told of a run's settings: no secret, and paths that hold from anywhere."""
    kept = {name: value for name, value in flags.items() if name != "warehouse"}
    if is_directory(settings.warehouse):
        path = str(local_path(settings.warehouse).resolve())
        settings = settings.model_copy(update={"warehouse": path})
        kept["warehouse"] = path
    elif shown(settings.warehouse) == settings.warehouse:
        kept["warehouse"] = settings.warehouse
    return Words(kept, as_of, domains, agreed(settings), VERSION)


def _load(words: Words, parcel: Parcel, signal: str) -> Returned:
    """What a worker runs."""
    from distributed import Event, Status, get_client, get_worker

    client, worker = get_client(), get_worker()

    def watch(stop: threading.Event) -> None:
        event = Event(signal, client=client)
        while not stop.wait(0):
            try:
                asked = event.wait(timeout=1)
            except Exception:  # noqa: BLE001 - of many kinds, where the scheduler goes away
                asked = stop.wait(POLL_S)
            # A worker that has lost its scheduler ends: nobody will take what it reads from now on.
            if asked or worker.status in (Status.closing, Status.closed, Status.failed):
                stop.set()

    return load_parcel(words, parcel, watch)


@contextmanager
def _connected(address: str) -> "Iterator[Client]":
    try:
        from distributed import Client
    except ImportError as error:
        raise ConfigError(
            f"--engine dask needs a package that is not installed ({error.name or error}).",
            "Install it: pip install 'live-traffic[dask]'.",
        ) from error
    for name in (
        "distributed",
        "distributed.client",
        "tornado",
    ):  # the second has a level of its own
        logging.getLogger(name).setLevel(logging.CRITICAL)  # we say it in a sentence
    try:
        client = Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise LiveTrafficError(
            f"The Dask scheduler {address} cannot be reached.",
            "Check --scheduler (tcp://host:8786) and that the scheduler runs this version of Dask.",
        ) from error
    try:
        yield client
    finally:
        with suppress(Exception):  # one that looks for a lost scheduler may neither end nor stay
            client.close(timeout=2)


def _hosts(client: "Client", address: str) -> set[str]:
    try:
        client.wait_for_workers(1, timeout=WORKERS_S)
    except TimeoutError as error:
        raise LiveTrafficError(
            f"The Dask scheduler {address} has no worker.", f"Start one: dask worker {address}."
        ) from error
    except OSError as error:
        raise _lost(address) from error
    try:
        return set(client.run(socket.gethostname).values())
    except OSError as error:
        raise _lost(address) from error


def _check_place(settings: Settings, hosts: set[str]) -> None:
    """Refuse what would go into files of several machines, or past the quota."""
    far = sorted(hosts - {socket.gethostname()})
    if not far:
        return
    if is_directory(settings.warehouse) or settings.warehouse.startswith("sqlite:"):
        raise ConfigError(
            f"The warehouse is a file of this machine, and there are workers on {', '.join(far)}.",
            "Name a database server or an object store in LIVE_TRAFFIC_WAREHOUSE.",
        )
    if not is_shared_by_machines(settings):
        raise ConfigError(
            f"The rate budget is a file of this machine, and there are workers on {', '.join(far)}.",
            "Name a database that all of them reach in LIVE_TRAFFIC_STATE.",
        )


def _failed(batch: Batch, why: str) -> BatchReceipt:
    count = len(batch.slices)
    failed = tuple(FailedSlice(item, why) for item in batch.slices)
    return BatchReceipt(slices=count, slices_failed=count, failed=failed)


def _lost(address: str) -> LiveTrafficError:
    return LiveTrafficError(
        f"The connection to the Dask scheduler {address} was lost.",
        "What was committed is kept; the next run does the rest.",
    )
