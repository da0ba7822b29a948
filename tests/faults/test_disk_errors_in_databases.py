"""Each call by which SQLite and DuckDB change a file fails, once or from there on.

The calls are made in C: ``disk.c``, compiled here, stands between the libraries and the system. After
each fault the run has said one sentence or has succeeded, the file is opened and read through the
driver, the same work is done again with a disk that works, and it ends as if nothing had happened.
"""

import errno
import json
import os
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from load.duckdb import before_image
from tests.contract.duckdb_reader import duckdb_file
from tests.faults import scenarios
from tests.faults.bases import Base
from tests.figures import Figures, long_form

SAMPLE = 1
"""Calls of a scenario that fail in each way in the short form."""


@dataclass(frozen=True, slots=True)
class Way:
    """In which way the nth call fails."""

    code: int
    more: bool
    """Every later one too."""
    half: bool = False
    """The nth call does half of its work and says so."""


WAYS = {
    f"{errno.errorcode[code]} at each call, {'lasting' if more else 'once'}": Way(code, more)
    for code in (errno.ENOSPC, errno.EIO, errno.EACCES)
    for more in (False, True)
} | {
    "half of each write, once": Way(errno.ENOSPC, more=False, half=True),
    "half of each write, then ENOSPC": Way(errno.ENOSPC, more=True, half=True),
}
Failing = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def failing(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Failing]:
    """Gives orders to ``tests.faults.failing``, a process under whose C code the disk may fail."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("the failing disk is a C file for Linux, and there is no compiler for it")
    library = tmp_path_factory.mktemp("disk") / "disk.so"
    source = Path(__file__).with_name("disk.c")
    subprocess.run(
        [compiler, "-Wall", "-Werror", "-O1", "-shared", "-fPIC", "-o", library, source, "-ldl"],
        check=True,
    )
    with subprocess.Popen(
        [sys.executable, "-m", "tests.faults.failing"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=request.config.rootpath,
        env={**os.environ, "LD_PRELOAD": str(library)},
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        orders, answers = process.stdin, process.stdout

        def order(place: Path, store: str, scenario: str, nth: int, way: Way) -> dict[str, Any]:
            given = {"store": store, "scenario": scenario, "nth": nth, **asdict(way)}
            orders.write(json.dumps({"place": str(place), **given}) + "\n")
            orders.flush()
            return dict(json.loads(answers.readline()))

        yield order
        orders.close()


def calls_of(found: Base, failing: Failing, scenario: str) -> list[str]:
    """What the scenario does to its files where nothing fails."""
    found.again()
    done = failing(found.place, found.name, scenario, 0, Way(errno.EIO, more=False))
    assert done["end"] == "done", done
    return list(done["calls"])


def tries(calls: list[str], seed: str) -> Iterator[tuple[str, int]]:
    """Every way with the number of every call that it concerns, or with some of them."""
    chance = random.Random(seed)
    for name, way in WAYS.items():
        numbers = [n for n, call in enumerate(calls, 1) if not way.half or "write " in call]
        if not long_form():
            numbers = sorted(chance.sample(numbers, SAMPLE))
        for number in numbers:
            yield name, number


@pytest.mark.parametrize("scenario", ["first_load", "overlap", "revise"])
@pytest.mark.parametrize("name", ["sqlite", "duckdb"])
def test_a_failing_call_leaves_old_or_new_and_says_so(
    tmp_path: Path, failing: Failing, name: str, scenario: str, figures: Figures
) -> None:
    with scenarios.using(name):
        found = Base(name, tmp_path / "warehouse", lambda place: scenarios.before(scenario, place))
        old = found.contents()
        scenarios.SCENARIOS[scenario](found.place)
        new = found.contents()
        calls = calls_of(found, failing, scenario)
        for way, nth in tries(calls, f"{name} {scenario}"):
            found.again()
            said = failing(found.place, name, scenario, nth, WAYS[way])
            assert said["end"] in {"done", "told"}, (way, nth, calls[nth - 1], said)
            scenarios.opened(found.place).made()  # who opens it next puts back what was torn
            left = found.contents()
            if said["end"] == "done":
                assert left == new, (way, nth, calls[nth - 1])
            else:
                assert str(found.place) in said["message"]
                assert said["remedy"]
                assert left in (old, new), (way, nth, calls[nth - 1])
            scenarios.SCENARIOS[scenario](found.place)
            assert found.contents() == new, (way, nth, calls[nth - 1])
            assert found.orphans() == []
            figures("I/O faults", way, 1, sink=name)


@pytest.mark.parametrize("name", ["sqlite", "duckdb"])
def test_a_warehouse_whose_making_fails_is_made_by_the_next_run(
    tmp_path: Path, failing: Failing, name: str, figures: Figures
) -> None:
    with scenarios.using(name):
        found = Base(name, tmp_path / "warehouse", lambda place: place.mkdir())
        scenarios.create(found.place)
        new = found.contents()
        calls = calls_of(found, failing, "create")
        for way, nth in tries(calls, f"{name} create"):
            found.again()
            said = failing(found.place, name, "create", nth, WAYS[way])
            assert said["end"] in {"done", "told"}, (way, nth, calls[nth - 1], said)
            assert said["end"] == "done" or str(found.place) in said["message"], said
            scenarios.create(found.place)
            assert found.contents() == new, (way, nth, calls[nth - 1])
            assert found.orphans() == []
            figures("I/O faults", way, 1, sink=name)


def test_without_its_image_a_torn_checkpoint_is_the_end_of_a_duckdb_file(
    tmp_path: Path, failing: Failing, figures: Figures
) -> None:
    """Every write to the file that holds the tables is torn; some of them would be the end of it."""
    way, ended, left = WAYS["half of each write, then ENOSPC"], 0, 0
    with scenarios.using("duckdb"):
        found = Base("duckdb", tmp_path / "place", lambda place: scenarios.before("overlap", place))
        scenarios.overlap(found.place)
        new = found.contents()
        calls = calls_of(found, failing, "overlap")
        for nth in (n for n, call in enumerate(calls, 1) if call == "pwrite warehouse.duckdb"):
            found.again()
            assert failing(found.place, "duckdb", "overlap", nth, way)["end"] == "done"
            try:
                duckdb.connect(str(duckdb_file(found.place)), read_only=True).close()
            except duckdb.Error as error:
                assert "Corrupt" in str(error)
                ended += 1
                assert before_image.path_of(duckdb_file(found.place)).exists()
            scenarios.opened(found.place).made()
            assert found.contents() == new
            left += before_image.path_of(duckdb_file(found.place)).exists()
    assert ended
    assert not left
    figures("twins", "blocks that are written over are kept", ended, sink="duckdb")


def test_a_commit_that_comes_while_duckdb_opens_the_file_is_not_written_over(
    tmp_path: Path, failing: Failing
) -> None:
    """DuckDB reads the header before it locks the file: who is late there has seen an older state."""
    waits, gate = tmp_path / "calls", tmp_path / "calls.go"
    with scenarios.using("duckdb"), ThreadPoolExecutor(1) as pool:
        found = Base("duckdb", tmp_path / "place", lambda place: scenarios.before("overlap", place))
        scenarios.note(found.place)
        scenarios.overlap(found.place)
        both = found.contents()
        found.again()
        late = pool.submit(failing, found.place, "duckdb", "overlap", 1, Way(0, more=False))
        try:
            while not waits.exists() or waits.read_text() != "open warehouse.duckdb\n":
                assert not late.done()
                threading.Event().wait(0.01)
            scenarios.note(found.place)
        finally:
            gate.touch()
        assert late.result()["end"] == "done"
        assert found.contents() == both
