"""A real Dask scheduler and real workers, each a process of its own, on the loopback."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

QUIET = {"DASK_DISTRIBUTED__ADMIN__SYSTEM_MONITOR__INTERVAL": "10s"}
PATIENCE_SECONDS = 120


@dataclass
class Machines:
    """The scheduler's address and the processes."""

    address: str
    scheduler: "subprocess.Popen[bytes]"
    directory: Path
    threads: int = 1
    workers: "list[subprocess.Popen[bytes]]" = field(default_factory=list)

    def add_workers(self, count: int) -> None:
        """Start workers in this environment, and wait until they are known."""
        for _ in range(count):
            place = ("--local-directory", str(self.directory))
            plain = ("--nthreads", str(self.threads), "--no-nanny", "--no-dashboard", *place)
            self.workers.append(_started("worker", self.address, *plain))
        from distributed import Client

        alive = sum(worker.poll() is None for worker in self.workers)
        if not alive:
            return
        with Client(self.address, timeout=PATIENCE_SECONDS, set_as_default=False) as client:
            client.wait_for_workers(alive, timeout=PATIENCE_SECONDS)


@contextmanager
def cluster(directory: Path, workers: int, threads: int = 1) -> Iterator[Machines]:
    """A scheduler with so many workers of so many threads."""
    told = directory / "scheduler.json"
    told.unlink(missing_ok=True)  # of a cluster before this one
    scheduler = _started("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
                         "--no-show", "--scheduler-file", str(told))  # fmt: skip
    machines = Machines("", scheduler, directory, threads)
    try:
        machines.address = _address(told)
        machines.add_workers(workers)
        yield machines
    finally:
        for process in (*machines.workers, scheduler):
            process.kill()
            process.wait()


def _started(what: str, *arguments: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_" + what, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **QUIET},
    )


def _address(told: Path) -> str:
    import json

    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if told.exists() and (text := told.read_text()):
            return str(json.loads(text)["address"])
        time.sleep(0.05)
    raise AssertionError("the scheduler did not start")
