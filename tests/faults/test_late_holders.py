"""A holder of the run lock that is stopped, and wakes up when the world has gone on."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from livetraffic.errors import Locked
from tests import servers
from tests.contract.stores import SENT, STORES, Contents, Store, at, covering, prepared, put
from tests.figures import Figures

A = "a.example.com"
NEW = [(A, at(point), 200) for point in range(10)]
PROGRAM = """
import sys
from pathlib import Path
from tests.contract.stores import SENT, STORES, at, covering, put
store, place = sys.argv[1:]
sink = STORES[store].make(Path(place))
rows = [("a.example.com", at(point), 100) for point in range(10)]
try:
    with sink.run_lock(wait=0, holder="the sleeper"):
        print("held", flush=True)
        sys.stdin.readline()
        print(put(sink, rows, covering(rows, fetched_at=SENT)).superseded, flush=True)
except Exception as error:
    print(type(error).__name__, flush=True)
"""


@pytest.fixture(params=["parquet", "duckdb", "sqlite", "postgres", "mariadb"])
def name(request: pytest.FixtureRequest) -> str:
    STORES[request.param].find()
    return str(request.param)


@pytest.fixture
def store(name: str) -> Store:
    return STORES[name]


@pytest.fixture
def place(tmp_path: Path, store: Store) -> Iterator[Path]:
    yield tmp_path / "warehouse"
    store.drop(tmp_path / "warehouse")


@contextmanager
def sleeper(root: Path, name: str, place: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process that holds the run lock, and has read what it will write."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, name, str(place)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def stopped(process: "subprocess.Popen[str]") -> None:
    """Stop it, and wait until it is."""
    process.send_signal(signal.SIGSTOP)
    deadline = time.monotonic() + 60
    while Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
        assert time.monotonic() < deadline


def woken(process: "subprocess.Popen[str]") -> str:
    """Let it go on and write; what came of it."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    os.kill(process.pid, signal.SIGCONT)
    return process.stdout.readline().strip()


def end_sessions(name: str, place: Path) -> None:
    """The server ends every session that holds something of the warehouse: the network was cut."""
    if name == "postgres":
        with servers.postgres_connection() as connection:
            schema = servers.postgres_place(place).rpartition("schema=")[2]
            connection.execute(
                "SELECT pg_terminate_backend(l.pid) FROM pg_locks l WHERE l.locktype = 'advisory'"
                " AND ((l.classid::bigint << 32) | l.objid::bigint)"
                f" = hashtextextended('live-traffic run {schema}', 0)".encode()
            )
        return
    with servers.mariadb_connection(place) as mariadb, mariadb.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM information_schema.processlist WHERE db = DATABASE()"
            " AND id <> CONNECTION_ID()"
        )
        for (number,) in cursor.fetchall():
            cursor.execute(f"KILL {number}")


def test_a_stopped_holder_keeps_its_lock_and_is_named(
    store: Store, place: Path, name: str, request: pytest.FixtureRequest, figures: Figures
) -> None:
    """Nobody steals it, however long it sleeps; and when it wakes up it does its work."""
    sink = prepared(store, place)
    with sleeper(request.config.rootpath, name, place) as process:
        stopped(process)
        with pytest.raises(Locked, match="the sleeper"), sink.run_lock(wait=0.2, holder="x"):
            pytest.fail("two hold the lock")
        assert woken(process) == "0"
    assert set(store.read(place).values.values()) == {100}
    figures("late holders", "keeps its lock", 1, sink=name)


def test_a_holder_whose_lock_lapsed_while_it_slept_overwrites_nothing(
    store: Store, place: Path, name: str, request: pytest.FixtureRequest, figures: Figures
) -> None:
    """The server freed the lock with the session; another run has read the same time later."""
    if name not in {"postgres", "mariadb"}:
        pytest.skip("the kernel frees this lock with its process, and not before")
    sink = prepared(store, place)
    with sleeper(request.config.rootpath, name, place) as process:
        stopped(process)
        end_sessions(name, place)
        with sink.run_lock(wait=60, holder="the next run"):
            put(sink, NEW, covering(NEW, fetched_at=SENT + 1))
            assert woken(process) == "10", "every late row was left out"
    found = store.read(place)
    assert found.values == {row[:2]: 200 for row in NEW}
    assert found.revisions == []
    figures("late holders", "its lock lapsed", 1, sink=name)


def test_without_the_guard_a_late_holder_wins(
    store: Store, place: Path, name: str, monkeypatch: pytest.MonkeyPatch, figures: Figures
) -> None:
    """The guard of the test before is that later reads are looked for inside the commit."""
    if name not in {"postgres", "mariadb"}:
        pytest.skip("tests/faults/test_guards.py has the twin of the files")
    from load.database import upsert

    sink = prepared(store, place)
    put(sink, NEW, covering(NEW, fetched_at=SENT + 1))
    known: Callable[..., tuple[int, int]] = upsert._Work._known
    monkeypatch.setattr(upsert._Work, "_known", lambda self: (known(self)[0], 0))
    late = [(domain, second, 100) for domain, second, _ in NEW]
    put(sink, late, covering(late, fetched_at=SENT))
    found: Contents = store.read(place)
    assert set(found.values.values()) == {100}
    figures("twins", "later reads are looked for", 1, sink=name)
