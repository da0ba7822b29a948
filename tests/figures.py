"""What the tests of faults count, kept by the run itself for ``docs/reliability.md``.

A test takes the fixture ``figures`` and says what it tried; with ``FIGURES`` (a directory) in the
environment each process appends that to a file of its own there, and ``python -m tests.reliability``
makes the page of it. A test that takes the fixture is part of ``make reliability`` by that alone.

    def test_truncated_answers(figures, ...):
        ...
        figures("bad bodies", "truncated answers", tried)

``FAULTS=long`` in the environment asks for the long form; ``long_form()`` tells a test. With
``FAULTS_MOST=25`` that form tries at most so many kill points of a scenario of a database, by a seed;
with ``FAULTS_KILLS=100`` it kills a Parquet warehouse so often, not a thousand times.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

DIRECTORY = os.environ.get("FIGURES", "")
FORM = os.environ.get("FAULTS", "short")
MOST = int(os.environ.get("FAULTS_MOST", "0"))
"""So many kill points of each scenario of a database are tried in the long form; 0: all."""
KILLS = int(os.environ.get("FAULTS_KILLS", "1000"))
"""So many random kills of a growing Parquet warehouse in the long form; a fifth of it elsewhere."""


@dataclass(frozen=True, slots=True)
class Section:
    """One kind of trouble: what is counted, and what others publish of theirs."""

    name: str
    title: str
    unit: str
    anchors: str


SECTIONS = (
    Section(
        "kill points", "Killed at every durable step", "kill points",
        "doltlite: 69 assertions in 8 scenarios; Dagster: 2 kill points; dlt, SQLMesh: none found",
    ),
    Section(
        "random kills", "Killed at random while a reader looks on", "SIGKILLs",
        "DuckDB: 1 SIGKILL after 1,000 inserts; Turso: a loop with 6 checks a cycle (not merged)",
    ),
    Section(
        "I/O faults", "A disk that fails", "faults",
        "SQLite: every nth call, once and lasting (46,363 TCL cases in all); DuckDB: 95 files on its log",
    ),
    Section(
        "vanishing databases", "A database that goes away", "losses of the server",
        "dlt: a dummy destination that fails by chance",
    ),
    Section(
        "damage", "Files and tables that are damaged", "damages",
        "dlt: 1 corrupt marker, 6 states written by hand",
    ),
    Section(
        "writers", "Writers at once", "commits",
        "delta-rs: 5 workers x 3 commits; pyiceberg: 41 tests of retried commits, 20 of upserts",
    ),
    Section(
        "late holders", "Holders of the lock that wake up late", "stops",
        "Prefect: 1 test in which a killed holder's lease comes back",
    ),
    Section(
        "HTTP faults", "A source that fails", "kinds",
        "Airbyte CDK: 33 tests of call rates; dlt: retries by chance",
    ),
    Section(
        "bad bodies", "Answers that lie", "bodies",
        "Singer SDK: 18 target tests, 17 of them odd input; faucet-stream: 13 checks with a twin",
    ),
    Section(
        "signals", "Told to stop", "signals",
        "dlt: SIGTERM and SIGINT to itself; Prefect: crash detection",
    ),
    Section("security", "Attacked", "attempts", "none of the peers publishes a figure"),
    Section(
        "twins", "Tests that must fail without their guard", "twins",
        "faucet-stream: 13 checks, each with a must-fail twin",
    ),
)  # fmt: skip
NAMES = frozenset(section.name for section in SECTIONS)


@dataclass(frozen=True, slots=True)
class Figure:
    """So many of one kind were tried, and so many of them lost or doubled something."""

    section: str
    kind: str
    sink: str
    count: int
    losses: int


class Figures:
    """Takes what one test counts; ``directory`` empty: and forgets it."""

    def __init__(self, directory: str = DIRECTORY) -> None:
        self._directory = directory
        self._last = ""

    def __call__(
        self, section: str, kind: str, count: int, *, sink: str = "", losses: int = 0
    ) -> None:
        """Keep a figure; ``sink`` is empty where no store is in play."""
        assert section in NAMES, section
        assert "|" not in kind
        self._last = section
        self._keep(Figure(section, kind, sink, count, losses))

    def failed(self, test: str) -> None:
        """A test that took the fixture has failed: something was lost, or may have been."""
        self._keep(Figure(self._last or "kill points", f"failed: {test}", "", 0, 1))

    def _keep(self, figure: Figure) -> None:
        if self._directory:
            worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
            path = Path(self._directory) / f"{worker}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a") as file:
                file.write(json.dumps(asdict(figure)) + "\n")


def kept(directory: Path) -> Iterable[Figure]:
    """Every figure that the processes of a run kept."""
    for path in sorted(directory.glob("*.jsonl")):
        for line in path.read_text().splitlines():
            yield Figure(**json.loads(line))


def long_form() -> bool:
    """Whether everything is to be tried, however long it takes."""
    return FORM == "long"
