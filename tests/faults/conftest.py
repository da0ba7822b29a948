"""Faults are simulated; nothing here needs the disk to be as slow as it is."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from tests import objects


@pytest.fixture(scope="session")
def _killer(request: pytest.FixtureRequest) -> Iterator[Callable[..., int]]:
    """Gives orders to ``tests.faults.killing``, a process that may fork; it shares our object store."""
    objects.endpoint()
    with subprocess.Popen(
        [sys.executable, "-m", "tests.faults.killing"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=request.config.rootpath,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        orders, answers = process.stdin, process.stdout

        def order(**given: object) -> int:
            orders.write(json.dumps(given, default=str) + "\n")
            orders.flush()
            return int(answers.readline())

        yield order
        orders.close()


@pytest.fixture(scope="session")
def kill_at_every_step(_killer: Callable[..., int]) -> Callable[..., int]:
    """``tests.faults.killing.kill_at_every_step``."""
    return lambda base, out, **more: _killer(base=base, out=out, **more)


@pytest.fixture(scope="session")
def kill_at(_killer: Callable[..., int]) -> Callable[..., int]:
    """``tests.faults.killing.kill_at``."""
    return lambda place, store, scenario, step: _killer(
        place=place, store=store, scenario=scenario, step=step
    )


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)
