"""Several processes on one warehouse: nothing is lost, doubled or torn, whoever is killed."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from load.sink import Sink
from tests.contract.stores import STEP, Contents, Store, prepared
from tests.contract.workers import DOMAINS, POINTS, START, value_of

Reader = Callable[[], Contents]
WRITERS, COMMITS = 3, 12
KILLS = 12
PYTHON = [sys.executable, "-m", "tests.contract.workers"]


@contextmanager
def worker(root: Path, *job: object) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [*PYTHON, *map(str, job)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=root,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return str(request.node.callspec.params["store"])


@pytest.fixture
def root(request: pytest.FixtureRequest) -> Path:
    return request.config.rootpath


def test_writers_over_the_same_windows_lose_nothing_and_double_nothing(
    sink: Sink, contents: Reader, name: str, place: Path, root: Path
) -> None:
    processes = [
        subprocess.Popen(
            [*PYTHON, "write", name, place, str(i), str(COMMITS)],
            cwd=root,
        )
        for i in range(WRITERS)
    ]
    assert [process.wait(100) for process in processes] == [0] * WRITERS
    found = contents()
    written = {
        first + point
        for i in range(WRITERS)
        for first in ((commit * 5 + i * 3) % (POINTS - 20) for commit in range(COMMITS))
        for point in range(20)
    }
    assert found.values == {
        (domain, START + point * STEP): value_of(point) for domain in DOMAINS for point in written
    }
    assert found.revisions == []
    runs = sorted((row.domain, row.run_id) for row in found.ledger)
    assert runs == sorted(
        (domain, f"run-{i}-{commit}")
        for domain in DOMAINS
        for i in range(WRITERS)
        for commit in range(COMMITS)
    )


def test_rows_revisions_and_ledger_agree_after_every_kill(
    store: Store, contents: Reader, name: str, place: Path, root: Path
) -> None:
    """One accumulating warehouse, killed again and again at whatever moment it is."""
    prepared(store, place)
    for kill in range(KILLS):
        with worker(root, "generations", name, place) as process:
            assert process.stdout is not None
            for _ in range(1 + kill % 3):
                said = int(process.stdout.readline())
        prepared(store, place)
        found = contents()
        done = len(found.ledger) // len(DOMAINS)
        assert done >= said
        assert found.values == {
            (domain, START + point * STEP): done for domain in DOMAINS for point in range(POINTS)
        }
        assert len(found.revisions) == (done - 1) * POINTS * len(DOMAINS)
        assert sorted(row.run_id for row in found.ledger) == sorted(
            f"run-{generation}" for generation in range(1, done + 1) for _ in DOMAINS
        )


def test_ledger_and_domains_can_be_read_while_another_process_writes(
    store: Store, name: str, place: Path, root: Path
) -> None:
    prepared(store, place)
    reader = store.make(place)
    with worker(root, "generations", name, place) as process:
        assert process.stdout is not None
        process.stdout.readline()
        counts = []
        for _ in range(100):
            entries = reader.ledger()
            assert len(entries) % len(DOMAINS) == 0
            counts.append(len(entries))
            assert reader.domains() == []
    assert counts == sorted(counts)
    assert counts[-1] > counts[0] > 0


def test_the_calendar_can_be_read_while_another_process_writes_it(
    sink: Sink, contents: Reader, name: str, place: Path, root: Path
) -> None:
    sink.extend_calendar(START, START + STEP)
    count = len(contents().calendar)
    ages = set()
    with worker(root, "settle", name, place) as process:
        assert process.stdout is not None
        for _ in range(20):
            process.stdout.readline()
            rows = contents().calendar
            assert len(rows) == count
            (age,) = {row[7] - row[0] - STEP for row in rows}
            ages.add(age)
    assert len(ages) > 1
