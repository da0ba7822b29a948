"""One backfill in this process and on 1, 2 and 4 Dask workers; the stand-in takes 100 ms for an answer.

Writes ``benchmarks/SCALING.md``. ``python -m benchmarks.scaling [--runs N] [--domains N]``. It needs a
PostgreSQL (as the tests find or start one) and the extras ``dask`` and ``postgres``. Scheduler, workers and
command are processes of their own on the loopback; the quota is off, so that waiting for answers is what
there is to share. The answers are delayed by a fault (``slow``), whichever connection they are for.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from extract.standin.server import Standin
from tests import servers
from tests.flows.clusters import cluster

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "benchmarks/SCALING.md"
NIGHT = "2026-03-01T19:15:00Z"
ANSWER_S = 0.1
IN_FLIGHT = 8
THREADS = 2
WORKERS = (0, 1, 2, 4)
SPAN = "1d"
"""Of a request: short, so that there are many requests with few rows each."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One backfill."""

    wall_s: float
    asking_s: float
    """From the first answer to the last."""
    requests: int
    ours_s: float
    """Processor time of command, scheduler and workers."""
    source_s: float
    """Of the stand-in."""


def measured(standin: Standin, directory: Path, workers: int) -> Measured:
    """One backfill into an empty schema."""
    place = directory / f"warehouse-{workers}-{time.monotonic_ns()}"
    os.environ.update(
        {
            "LIVE_TRAFFIC_ENDPOINT": standin.ready["endpoint"],
            "LIVE_TRAFFIC_PROJECT_ID": standin.ready["project_id"],
            "LIVE_TRAFFIC_TOKEN": standin.ready["token"],
            "LIVE_TRAFFIC_WAREHOUSE": servers.postgres_place(place),
            "LIVE_TRAFFIC_REQUESTS_PER_MINUTE": "1000000",
            "LIVE_TRAFFIC_API": "v1",
            "LIVE_TRAFFIC_SPAN": SPAN,
            "PYTHONPATH": str(ROOT),
        }
    )
    standin.world.journal.clear()
    ours, source = _used(resource.RUSAGE_CHILDREN), _used(resource.RUSAGE_SELF)
    try:
        if workers:
            with cluster(directory, workers, THREADS) as machines:
                wall_s = _run("--engine", "dask", "--scheduler", machines.address)
        else:
            wall_s = _run("--engine", "direct")
    finally:
        servers.drop_postgres_place(place)
    answered = [float(str(entry["real_s"])) for entry in standin.requests("traffic")]
    return Measured(
        wall_s,
        max(answered) - min(answered),
        len(answered),
        _used(resource.RUSAGE_CHILDREN) - ours,
        _used(resource.RUSAGE_SELF) - source,
    )


def _used(who: int) -> float:
    found = resource.getrusage(who)
    return found.ru_utime + found.ru_stime


def _run(*engine: str) -> float:
    command = [sys.executable, "-m", "flows", "backfill", "--json", "--as-of", NIGHT, *engine]
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert json.loads(done.stdout)["failed"] == []
    return time.monotonic() - began


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--domains", type=int, default=17, help="one of them only pushes")
    given = parser.parse_args()
    found: dict[int, list[Measured]] = {count: [] for count in WORKERS}
    with (
        tempfile.TemporaryDirectory() as directory,
        Standin(
            domains=given.domains, now=datetime.fromisoformat(NIGHT), requests_per_minute=0
        ) as standin,
    ):
        standin.faults([{"kind": "slow", "operation": "traffic", "seconds": ANSWER_S}])
        for done in range(1, given.runs + 1):
            for count in WORKERS:
                found[count].append(measured(standin, Path(directory), count))
                print(count, found[count][-1], flush=True)
            PAGE.write_text(_page(found, done))


def _median(runs: list[Measured]) -> Measured:
    """The run in the middle by its time."""
    middle = statistics.median_low(run.wall_s for run in runs)
    return next(run for run in runs if run.wall_s == middle)


def _page(found: dict[int, list[Measured]], runs: int) -> str:
    medians = {count: _median(times) for count, times in found.items()}
    one, most = medians[1], medians[WORKERS[-1]]
    rows = [
        f"| {_name(count)} | {run.wall_s:.1f} | {one.wall_s / run.wall_s:.2f} | {run.asking_s:.1f} |"
        f" {run.requests / run.asking_s:.0f} | {max(count, 1) * IN_FLIGHT / ANSWER_S:.0f} |"
        f" {run.ours_s:.1f} | {run.source_s:.1f} |"
        for count, run in medians.items()
    ]
    cores = os.cpu_count() or 1
    busy = (most.ours_s + most.source_s) / (most.wall_s * cores)
    each = one.requests / one.asking_s
    return "\n".join([
        "# More workers, where answers are slow",
        "",
        "Written by `python -m benchmarks.scaling` (part of `make bench`). A backfill of 90 days into PostgreSQL in",
        f"{one.requests:,} requests of one day each, a stand-in that takes {ANSWER_S * 1000:.0f} ms for each answer, no quota. Each worker has",
        f"{THREADS} threads, so {THREADS} batches, and {IN_FLIGHT} requests under way. Stand-in, database, scheduler, workers and command share",
        "the machine.",
        "",
        f"Machine: {cores} cores, load {os.getloadavg()[0]:.0f} at the end, {datetime.now(UTC):%Y-%m-%d}; of {runs} runs that in the middle.",
        "",
        "| engine | command, s | times 1 worker | first to last answer, s | requests/s | most that the waiting allows | processor, ours, s | of the stand-in, s |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        *rows,
        "",
        "## Why",
        "",
        f"- **The waiting is shared.** {IN_FLIGHT} requests under way at {ANSWER_S * 1000:.0f} ms are {IN_FLIGHT / ANSWER_S:.0f} requests a second for each process, so a second worker",
        f"  can only help where one comes near that: one came to {each:.0f}, {WORKERS[-1]} together to {most.requests / most.asking_s:.0f}.",
        f"- **The start is not shared.** {one.wall_s - one.asking_s:.1f} s of the command with one worker and {most.wall_s - most.asking_s:.1f} s with {WORKERS[-1]} lie before the first answer or after the",
        "  last: imports here and in each worker (all at once, on the same cores), the plan, and the summary from the ledger.",
        f"- **The processors are shared.** Ours and the stand-in's together used {one.ours_s + one.source_s:.1f} s of processor time with one worker and",
        f"  {most.ours_s + most.source_s:.1f} s with {WORKERS[-1]} (each worker imports everything for itself: seconds); with {WORKERS[-1]} that is {busy:.0%} of what {cores} cores have in",
        "  that time, without PostgreSQL, which is not counted. What is left over is the waiting; more workers on this machine",
        "  cannot take away more than that, workers on other machines can.",
        "- **Commits into one warehouse go one after the other**, whoever makes them, and batches of one account share its quota.",
        "",
    ])  # fmt: skip


def _name(count: int) -> str:
    if not count:
        return f"direct, {THREADS} batches at a time"
    return f"{count} worker{'s' if count > 1 else ''}"


if __name__ == "__main__":
    main()
