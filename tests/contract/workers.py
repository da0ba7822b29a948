"""Processes of their own that write into a warehouse: ``python -m tests.contract.workers``."""

import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from tests.contract.stores import JANUARY, LOADED_AT, SENT, STEP, STORES, ZONE, entry, frame

DOMAINS = ["a.example", "b.example"]
# The batches cross the end of January, so that each commit replaces two months.
START = JANUARY + 31 * 86_400 - 40 * STEP
POINTS = 80


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


def write_generations(store: str, place: str) -> None:
    """Until killed: every commit gives every point of every domain the commit's number."""
    sink = STORES[store].make(Path(place))
    generation = len(sink.ledger()) // len(DOMAINS)
    while True:
        generation += 1
        rows = [(name, START + i * STEP, generation) for name in DOMAINS for i in range(POINTS)]
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
        print(generation, flush=True)


def settle(store: str, place: str) -> None:
    """Until killed: another age of settling, again and again."""
    sink = STORES[store].make(Path(place))
    days = 0
    while True:
        days += 1
        sink.prepare(step=STEP, timezone=ZONE, settle_after=days * 86_400)
        print(days, flush=True)


JOBS: dict[str, Callable[..., None]] = {
    "write": write,
    "generations": write_generations,
    "settle": settle,
}

if __name__ == "__main__":
    JOBS[sys.argv[1]](*sys.argv[2:])
