"""Every sink beside its floor: first load, and a re-read in which one row in twenty has changed.

``python -m benchmarks.sinks`` (or ``make bench``) runs each engine in turn, floor and sink in child
processes of their own, several times over, and writes ``benchmarks/SINKS.md``. The floor is the plainest
bulk load of the same rows into the same keyed table: no ledger, no revisions, no locks, no second look.

Rows: 50 domains x 90 days x 5 minutes = 1,296,000, in three batches of 30 days. Figures are medians;
compare the ratios, not the seconds, between machines.
"""

import argparse
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv

from benchmarks import floors, meters
from flows import settings
from flows.warehouse import open_sink
from livetraffic.ledger import Entry, State
from livetraffic.window import DAY, Window, cut

STEP = 300
DOMAINS = 50
DAYS = 90
START = 20_000 * DAY
ENGINES = ("parquet", "duckdb", "sqlite", "postgresql", "mariadb")
RESULTS = Path(__file__).with_name("SINKS.md")
LOADED_AT = datetime(2026, 1, 1, tzinfo=UTC)


def batch(window: Window, *, every: int = 1, salt: int = 0) -> pd.DataFrame:
    """The rows of all domains in a window, sorted; the last ``1/every`` of it when given."""
    start = window.end - (window.seconds // every) // STEP * STEP
    seconds = np.arange(start, window.end, STEP, dtype=np.int64)
    names = [f"play{number:03}.example.com" for number in range(DOMAINS)]
    count = len(seconds)
    values = np.random.default_rng(window.start).integers(0, 2**36, DOMAINS * count) + salt
    codes = pa.DictionaryArray.from_arrays(np.repeat(np.arange(DOMAINS), count), pa.array(names))
    table = pa.table(
        {
            "domain": codes.cast(pa.large_string()),
            "timestamp": pa.array(np.tile(seconds, DOMAINS) * 1_000_000).cast(
                pa.timestamp("us", tz="UTC")
            ),
            "traffic_bytes": pa.array(values),
            "source": pa.repeat(pa.scalar("v1", pa.large_string()), DOMAINS * count),
        }
    )
    return table.to_pandas()


def entries(window: Window, fetched_at: int) -> list[Entry]:
    """The ledger entries of a batch that was read whole."""
    points = window.points(STEP)
    return [
        Entry(
            f"play{number:03}.example.com",
            window.start,
            window.end,
            State.READ,
            points,
            points,
            0,
            "v1",
            "bench",
            "project",
            "region",
            fetched_at * 1_000_000,
            "run",
        )
        for number in range(DOMAINS)
    ]


def windows() -> list[Window]:
    """The three batches of 30 days."""
    return list(cut(Window(START, START + DAYS * DAY), 30 * DAY))


def measured(work: Callable[[], None], meter: "meters.Meter") -> dict[str, float]:
    """Seconds of wall and CPU, bytes written and statements of one piece of work."""
    before, cpu, began = meter.read(), time.process_time(), time.perf_counter()
    work()
    wall = time.perf_counter() - began
    after = meter.read()
    return {
        "wall_s": wall,
        "cpu_s": time.process_time() - cpu,
        "written_bytes": after.written_bytes - before.written_bytes,
        "statements": after.statements - before.statements,
    }


def run_sink(engine: str, place: str) -> dict[str, Any]:
    """First load and re-read through the sink, in this process."""
    sink = open_sink(settings.load({"warehouse": place}))
    sink.prepare(step=STEP, timezone="Asia/Shanghai", settle_after=DAY)
    sink.extend_calendar(START, START + DAYS * DAY)
    meter = meters.meter(engine, place)
    now = START + (DAYS + 2) * DAY
    given = [(batch(window), entries(window, now)) for window in windows()]

    def load() -> None:
        for frame, noted in given:
            sink.upsert(frame, noted, loaded_at=LOADED_AT, run_id="load")

    first = measured(load, meter)
    last = windows()[-1]
    changed, noted = batch(last, every=20 * 30 // DAYS, salt=1), entries(last, now + DAY)
    again = measured(
        lambda: _ignore(sink.upsert(changed, noted, loaded_at=LOADED_AT, run_id="again")), meter
    )
    rows = sink.query("SELECT count(*) AS n, sum(traffic_bytes) AS s FROM traffic").to_pylist()[0]
    revised = sink.query("SELECT count(*) AS n FROM traffic_revisions").to_pylist()[0]["n"]
    assert rows["n"] == sum(len(frame) for frame, _ in given), rows
    assert revised == len(changed), revised
    return {"first": first, "again": again, "again_rows": len(changed), "rows": int(rows["n"])}


def run_floor(engine: str, place: str) -> dict[str, Any]:
    """The same rows, bulk loaded as plainly as the engine can."""
    floor = floors.FLOORS[engine](place)
    meter = meters.meter(engine, place)
    given = [batch(window) for window in windows()]

    def load() -> None:
        for frame in given:
            floor(frame)

    return {"first": measured(load, meter), "rows": sum(map(len, given))}


def _ignore(_value: object) -> None:
    """Turn an expression into a statement."""


def child(kind: str, engine: str, place: str) -> None:
    """One measurement in a process of its own; the figures as JSON on standard output."""
    baseline = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    figures = {"sink": run_sink, "floor": run_floor}[kind](engine, place)
    figures["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures["imported_mib"] = baseline / 1024
    print(json.dumps(figures))


def one(kind: str, engine: str) -> dict[str, Any] | None:
    """Run a child in a fresh place; None where the engine's server is not there."""
    directory = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        place = meters.fresh_place(engine, directory)
        if place is None:
            return None
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.sinks", "--child", kind, engine, place],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            print(done.stderr[-2000:], file=sys.stderr)
            raise SystemExit(1)
        return dict(json.loads(done.stdout.splitlines()[-1]))
    finally:
        meters.drop_place(engine, directory)
        shutil.rmtree(directory, ignore_errors=True)


def median(runs: list[dict[str, Any]], *path: str) -> float:
    """The median of one figure over the runs."""
    values = []
    for run in runs:
        value: Any = run
        for key in path:
            value = value[key]
        values.append(float(value))
    return statistics.median(values)


def line(engine: str, floor: list[dict[str, Any]], sink: list[dict[str, Any]]) -> str:
    """One row of the table."""
    rows, again_rows = sink[0]["rows"], sink[0]["again_rows"]
    floor_s, first_s = median(floor, "first", "wall_s"), median(sink, "first", "wall_s")
    ratio = statistics.median(
        s["first"]["wall_s"] / f["first"]["wall_s"] for f, s in zip(floor, sink, strict=True)
    )
    again_s = median(sink, "again", "wall_s")
    return (
        f"| {engine} | {floor_s:.2f} | {first_s:.2f} | {ratio:.2f} | {rows / first_s:,.0f} | "
        f"{median(sink, 'peak_mib'):,.0f} ({median(floor, 'peak_mib'):,.0f}) | "
        f"{counted(median(sink, 'first', 'statements'))} | "
        f"{median(sink, 'first', 'written_bytes') / 2**20:,.0f} "
        f"({median(floor, 'first', 'written_bytes') / 2**20:,.0f}) | "
        f"{again_s:.2f} | {again_rows / again_s:,.0f} | "
        f"{median(sink, 'again', 'written_bytes') / 2**20:,.1f} |"
    )


def counted(statements: float) -> str:
    """The number of statements; a dash where they are not counted."""
    return f"{statements:,.0f}" if statements else "–"


HEAD = """# Sinks beside their floors

Written by `make bench`. {rows:,} rows first ({domains} domains x {days} days x 5 minutes, three batches), then
a re-read of {again:,} rows that have all changed (5 %), each with its revision. Floor: the plainest bulk
load of the same rows into the same keyed table, without ledger, revisions, calendar or locks. Medians of
{runs} runs, floor and sink in turn, each in a process of its own; the ratio is the median of the pairs.
Peak memory is that of the client process, the rows themselves and all imports included. Written: what the
engine or the process says it wrote (see `benchmarks/meters.py`); statements: those that the client sent
(Parquet: files made durable; DuckDB: not counted). The floor of DuckDB has a primary key; the sink does without
one (decision 008).

Machine: {machine}, {date}.

| engine | floor s | first load s | ratio | rows/s | peak MiB (floor) | statements | MiB written (floor) | re-read s | rows/s | MiB written |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
"""


def main() -> None:
    """Run the engines that are asked for and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--engine", action="append", choices=ENGINES)
    parser.add_argument("--child", nargs=3, metavar=("KIND", "ENGINE", "PLACE"))
    given = parser.parse_args()
    if given.child:
        child(*given.child)
        return
    lines, rows, again = [], 0, 0
    for engine in given.engine or ENGINES:
        floor: list[dict[str, Any]] = []
        sink: list[dict[str, Any]] = []
        for _ in range(given.runs):
            for kind, runs in (("floor", floor), ("sink", sink)):
                figures = one(kind, engine)
                if figures is not None:
                    runs.append(figures)
        if not sink:
            lines.append(f"| {engine} | no server |" + " |" * 9)
            continue
        rows, again = sink[0]["rows"], sink[0]["again_rows"]
        lines.append(line(engine, floor, sink))
        print(lines[-1], flush=True)
    machine = f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
    head = HEAD.format(
        rows=rows,
        again=again,
        domains=DOMAINS,
        days=DAYS,
        runs=given.runs,
        machine=machine,
        date=datetime.now(UTC).date(),
    )
    if not given.engine:
        RESULTS.write_text(head + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
