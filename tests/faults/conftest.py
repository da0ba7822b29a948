"""Faults are simulated; nothing here needs the disk to be as slow as it is."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def kill_at_every_step(request: pytest.FixtureRequest) -> Iterator[Callable[..., int]]:
    """``tests.faults.killing.kill_at_every_step`` in a process that may fork."""
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

        def order(base: Path, out: Path, **more: str) -> int:
            orders.write(json.dumps({"base": str(base), "out": str(out), **more}) + "\n")
            orders.flush()
            return int(answers.readline())

        yield order
        orders.close()


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)
