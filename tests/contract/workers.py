"""Processes of their own that write into a warehouse: ``python -m tests.contract.workers``."""

import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.contract.stores import JANUARY, LOADED_AT, SENT, STEP, STORES, ZONE, entry, frame

DOMAINS = ["a.example", "b.example"]
# The batches cross the end of January, so that each commit replaces two months.
START = JANUARY + 31 * 86_400 - 40 * STEP
POINTS = 80
CROSSING = range(36, 44)
"""Few points in both months."""


def value_of(point: int) -> int:
    """What every writer says of a point."""
    return point * 7


def write(store: str, place: str, number: str, commits: str) -> None:
    """Commit overlapping windows, each a little further; all writers agree on the values."""
    sink = STORES[store].make(Path(place))
    for commit in range(int(commits)):
        first = (commit * 5 + int(number) * 3) % (POINTS - 20)
        points = range(first, first + 20)
        rows = [(name, START + i * STEP, value_of(i)) for name in DOMAINS for i in points]
        run = f"run-{number}-{commit}"
        entries = [
            entry(name, START + first * STEP, START + (first + 20) * STEP, run_id=run)
            for name in DOMAINS
        ]
        sink.upsert(
            frame(rows), entries, loaded_at=LOADED_AT + timedelta(seconds=commit), run_id=run
        )


def change(store: str, place: str, number: str, commits: str) -> None:
    """Commit the same window again and again; no two commits of any writer say the same."""
    sink = STORES[store].make(Path(place))
    for commit in range(int(commits)):
        value = value_of_change(int(number), commit)
        rows = [(name, START + i * STEP, value) for name in DOMAINS for i in CROSSING]
        run = f"run-{number}-{commit}"
        start, end = (START + i * STEP for i in (CROSSING.start, CROSSING.stop))
        entries = [entry(name, start, end, run_id=run) for name in DOMAINS]
        sink.upsert(frame(rows), entries, loaded_at=LOADED_AT, run_id=run)


def value_of_change(number: int, commit: int) -> int:
    """What a writer says of every point in one of its commits."""
    return number * 1000 + commit


def write_generations(store: str, place: str) -> None:
    """Until killed: every commit gives every point of every domain the commit's number."""
    for generation in generations(store, place, range(POINTS)):
        print(generation, flush=True)


def generations(store: str, place: str, points: range) -> Iterator[int]:
    """Commit after commit, each giving these points of every domain its number."""
    sink = STORES[store].make(Path(place))
    generation = len(sink.ledger()) // len(DOMAINS)
    while True:
        generation += 1
        rows = [(name, START + i * STEP, generation) for name in DOMAINS for i in points]
        entries = [
            entry(
                name,
                START,
                START + POINTS * STEP,
                fetched_at=SENT + generation,
                run_id=f"run-{generation}",
            )
            for name in DOMAINS
        ]
        loaded_at = LOADED_AT + timedelta(seconds=generation)
        sink.upsert(frame(rows), entries, loaded_at=loaded_at, run_id=f"run-{generation}")
        yield generation


def fork_and_kill(store: str, place: str) -> None:
    """For each line ``commits seconds``: a writer, killed so long after so many commits.

    Says which commit the writer had reported last. Nothing but the children has threads or connections.
    """
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    said = 0
    for line in sys.stdin:
        commits, seconds = line.split()
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            for generation in generations(store, place, CROSSING):
                os.write(writing, f"{generation}\n".encode())
        os.close(writing)
        with os.fdopen(reading) as reports:
            for _ in range(int(commits)):
                said = int(reports.readline())
            time.sleep(float(seconds))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            said = max([said, *map(int, reports.read().split())])
        print(said, flush=True)


def watch(store: str, place: str) -> None:
    """Until a line comes: look at the values and fail where a commit is seen in part."""
    look = _files_seen if store == "parquet" else _tables_seen
    looks, newest = 0, 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        for values in look(store, Path(place)):
            assert len(set(values)) <= 1, f"a commit in part: {sorted(set(values))}"
            assert not values or values[0] >= newest - 1, "what was seen is gone"
            newest = max([newest, *values])
        looks += 1
    print(looks)


def _files_seen(_: str, place: Path) -> Iterator[list[int]]:
    for path in sorted((place / "traffic").glob("*/data.parquet")):
        with pq.ParquetFile(path) as file:
            yield file.read(["traffic_bytes"], use_threads=False).column(0).to_pylist()


def _tables_seen(store: str, place: Path) -> Iterator[list[int]]:
    found = STORES[store].make(place).query("SELECT traffic_bytes FROM traffic")
    yield found.column(0).to_pylist()


def settle(store: str, place: str) -> None:
    """Until killed: another age of settling, again and again."""
    sink = STORES[store].make(Path(place))
    days = 0
    while True:
        days += 1
        sink.prepare(step=STEP, timezone=ZONE, settle_after=days * 86_400)
        print(days, flush=True)


def hold(store: str, place: str) -> None:
    """Until killed: hold the warehouse as a run would."""
    with STORES[store].make(Path(place)).run_lock(wait=0, holder="the killed one"):
        print("held", flush=True)
        signal.pause()


JOBS: dict[str, Callable[..., None]] = {
    "write": write,
    "change": change,
    "generations": write_generations,
    "forks": fork_and_kill,
    "watch": watch,
    "settle": settle,
    "hold": hold,
}

if __name__ == "__main__":
    JOBS[sys.argv[1]](*sys.argv[2:])
