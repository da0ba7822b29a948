"""Other processes for tests: each is a fork of one that has imported everything, so it starts at once.

What forks (the standard library's fork server) has opened no warehouse and started no thread.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

from tests.contract import workers

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.contract.workers", "tests.contract.database_reader"])


class Worker:
    """One job of ``tests.contract.workers`` in a process of its own; what it prints is heard."""

    def __init__(self, job: str, *arguments: object) -> None:
        heard, said = _FORKS.Pipe(duplex=False)
        given = (said, dict(os.environ), job, *map(str, arguments))
        self._process = _FORKS.Process(target=_work, args=given, daemon=True)
        self._process.start()
        said.close()
        self._lines = os.fdopen(os.dup(heard.fileno()))
        heard.close()

    @property
    def lives(self) -> bool:
        """Whether it is still at work."""
        return self._process.is_alive()

    def hear(self) -> str:
        """The next line that it prints; empty where it has ended."""
        return self._lines.readline().strip()

    def ended(self) -> int | None:
        """Wait for its end; the exit code."""
        self._process.join()
        self._lines.close()
        return self._process.exitcode

    def kill(self) -> None:
        """Kill it, and wait until it is gone."""
        if self._process.pid is not None and self.lives:
            os.kill(self._process.pid, signal.SIGKILL)
        self.ended()


@contextmanager
def worker(job: str, *arguments: object) -> Iterator[Worker]:
    """A worker that is killed at the end."""
    made = Worker(job, *arguments)
    try:
        yield made
    finally:
        made.kill()


def _work(said: Connection, environment: dict[str, str], job: str, *arguments: str) -> None:
    os.environ.clear()
    os.environ.update(environment)
    sys.stdout = os.fdopen(os.dup(said.fileno()), "w")
    workers.JOBS[job](*arguments)
