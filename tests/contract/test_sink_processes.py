"""Several processes on one warehouse: nothing is lost, doubled or torn, whoever is killed."""

import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from load.sink import Sink
from tests.contract import processes
from tests.contract.stores import STEP, Contents, Store, prepared
from tests.contract.workers import (
    CROSSING,
    DOMAINS,
    POINTS,
    START,
    value_of,
    value_of_change,
)
from tests.figures import KILLS, Figures, long_form

Reader = Callable[[], Contents]
WRITERS, COMMITS = (8, 25) if long_form() else (3, 12)
CHANGES = 50 if long_form() else 20
COMMITS_SEEN = 12
PYTHON = [sys.executable, "-m", "tests.contract.workers"]


@contextmanager
def worker(root: Path, *job: object) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [*PYTHON, *map(str, job)],
        stdin=subprocess.PIPE,
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
    sink: Sink, contents: Reader, name: str, place: Path, figures: Figures
) -> None:
    writers = [processes.Worker("write", name, place, i, COMMITS) for i in range(WRITERS)]
    assert [writer.ended() for writer in writers] == [0] * WRITERS
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
    figures("writers", f"{WRITERS} processes over the same windows", WRITERS * COMMITS, sink=name)


def test_what_writers_change_at_once_is_one_history(
    sink: Sink, contents: Reader, name: str, place: Path, figures: Figures
) -> None:
    """Each point's revisions lead from the first value to the last: none from one that was gone."""
    writers = [processes.Worker("change", name, place, i, CHANGES) for i in range(WRITERS)]
    assert [writer.ended() for writer in writers] == [0] * WRITERS
    found = contents()
    said = {value_of_change(i, commit) for i in range(WRITERS) for commit in range(CHANGES)}
    assert len(found.values) == len(DOMAINS) * len(CROSSING)
    for (domain, moment), last in found.values.items():
        mine = [row for row in found.revisions if row[:2] == (domain, moment)]
        olds, news = ([row[column] for row in mine] for column in (3, 4))
        assert sorted([*olds, last]) == sorted(said)
        assert len({*news}) == len(news)
    figures("writers", f"{WRITERS} processes that disagree", WRITERS * CHANGES, sink=name)


def test_rows_revisions_and_ledger_agree_after_every_kill(
    store: Store, contents: Reader, name: str, place: Path, root: Path, figures: Figures
) -> None:
    """One accumulating warehouse, killed again and again at whatever moment it is.

    A reader in another process looks on all the time and must only ever see whole commits.
    """
    prepared(store, place)
    chance = random.Random(name)
    kills = (KILLS if name == "parquet" else KILLS // 5) if long_form() else 12
    with worker(root, "forks", name, place) as mother, worker(root, "watch", name, place) as reader:
        for kill in range(kills):
            said = _killed_after(mother, chance.uniform(0, 0.05), commits=kill % 3)
            prepared(store, place)
            _check_generations(contents(), said)
        looks = _ended(reader)
    figures("random kills", "a growing warehouse", kills, sink=name)
    assert looks > 0


def _killed_after(mother: "subprocess.Popen[str]", seconds: float, *, commits: int) -> int:
    """Let the mother fork a writer and kill it; how many commits it had reported by then."""
    assert mother.stdin is not None
    assert mother.stdout is not None
    mother.stdin.write(f"{commits} {seconds}\n")
    mother.stdin.flush()
    return int(mother.stdout.readline())


def _ended(reader: "subprocess.Popen[str]") -> int:
    """How often the reader has looked, once it was told to end; it fails where a commit was torn."""
    told, complaint = reader.communicate("end\n", 120)
    assert reader.returncode == 0, complaint
    return int(told)


def _check_generations(found: Contents, said: int) -> None:
    done = len(found.ledger) // len(DOMAINS)
    assert done >= said
    assert set(found.values.values()) <= {done}
    assert len(found.values) == (len(CROSSING) * len(DOMAINS) if done else 0)
    assert len(found.revisions) == max(done - 1, 0) * len(CROSSING) * len(DOMAINS)
    assert sorted(row.run_id for row in found.ledger) == sorted(
        f"run-{generation}" for generation in range(1, done + 1) for _ in DOMAINS
    )


def test_ledger_and_domains_can_be_read_while_another_process_writes(
    store: Store, name: str, place: Path
) -> None:
    prepared(store, place)
    reader = store.make(place)
    with processes.worker("generations", name, place) as process:
        assert process.hear()
        counts: list[int] = []
        while len(set(counts)) < COMMITS_SEEN:
            assert process.lives, "the writer goes on"
            entries = reader.ledger()
            assert len(entries) % len(DOMAINS) == 0
            counts.append(len(entries))
            assert reader.domains() == []
    assert counts == sorted(counts)
    assert counts[0] > 0


def test_the_calendar_can_be_read_while_another_process_writes_it(
    sink: Sink, contents: Reader, name: str, place: Path
) -> None:
    sink.extend_calendar(START, START + STEP)
    count = len(contents().calendar)
    ages = set()
    with processes.worker("settle", name, place) as process:
        for _ in range(8):
            assert process.hear()
            rows = contents().calendar
            assert len(rows) == count
            (age,) = {row[7] - row[0] - STEP for row in rows}
            ages.add(age)
    assert len(ages) > 1
