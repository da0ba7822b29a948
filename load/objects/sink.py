"""A warehouse at ``s3://bucket/prefix``."""

import socket
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep

from load.objects.address import parse
from load.objects.cache import MOST_BYTES, Cache
from load.objects.guards import Guard
from load.objects.home import ObjectHome
from load.objects.lease import SECONDS
from load.objects.store import ObjectStore
from load.parquet.sink import FilesSink


class ObjectSink(FilesSink):
    """A ``load.sink.Sink`` of Parquet files in an S3-compatible object store.

    Args:
        location: ``s3://bucket/prefix``.
        cache: the directory of copies on this machine.
        endpoint: of the store; None: what boto3 finds.
        guard: where locks can be had should the store not enforce conditional writes.
        quiet: seconds that a run waits after one of another machine, where the two share no rate budget.
        lease: seconds after which the run lock of a killed run is free.
        most_bytes: of the copies.
        sleeper: how a lock is waited for.
        clock: the seconds it counts, never running backwards.

    Raises:
        ConfigError: the URL cannot be used.
    """

    def __init__(
        self,
        location: str,
        *,
        cache: Path,
        endpoint: str | None = None,
        guard: Guard | None = None,
        quiet: int = 0,
        lease: int = SECONDS,
        most_bytes: int = MOST_BYTES,
        sleeper: Callable[[float], None] = sleep,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.store = ObjectStore(parse(location), endpoint)
        home = ObjectHome(
            self.store,
            Cache(cache, most_bytes=most_bytes),
            guard=guard,
            machine=socket.gethostname(),
            quiet=quiet,
            lease=lease,
            sleeper=sleeper,
            clock=clock,
        )
        super().__init__(home)
