"""A warehouse a year old: an upsert into it, a night on it, its coverage, and a plan for a thousand domains.

The year is written by the sink itself, with the ledger of 365 nights. ``python -m benchmarks.years CHILD``
is one measurement in a process of its own.
"""

import json
import shutil
import statistics
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

from benchmarks.cold import DOMAINS
from benchmarks.contenders import BENCH, HERE, ours
from benchmarks.source import NOW, standin
from benchmarks.watching import watch
from flows import settings
from flows.covered import covered
from flows.outlook import Rules, look
from flows.warehouse import open_sink, rules_of
from livetraffic.domain import Domain
from livetraffic.ledger import MICROSECONDS, Entry, State
from livetraffic.window import DAY, HOUR, Window, cut, to_seconds
from load.sink import Sink

STEP = 300
END = to_seconds(NOW) - DAY
YEAR = Window(END - 365 * DAY, END)
HUNDRED = tuple(f"year{number:03}.example.com" for number in range(100))
CHANGED_POINTS = 10_000
LOADED_AT = datetime(2026, 11, 19, tzinfo=UTC)


def frame(names: tuple[str, ...], window: Window, salt: int = 0) -> pd.DataFrame:
    """Rows of all these domains in a window."""
    seconds = np.arange(window.start, window.end, STEP, dtype=np.int64)
    values = np.random.default_rng(window.start).integers(0, 2**36, len(names) * len(seconds))
    codes = pa.DictionaryArray.from_arrays(np.repeat(np.arange(len(names)), len(seconds)), names)
    return pa.table(
        {
            "domain": codes.cast(pa.large_string()),
            "timestamp": pa.array(np.tile(seconds, len(names)) * MICROSECONDS).cast(
                pa.timestamp("us", tz="UTC")
            ),
            "traffic_bytes": pa.array(values + salt),
            "source": pa.repeat(pa.scalar("v1", pa.large_string()), len(values)),
        }
    ).to_pandas()


def entry(name: str, window: Window, fetched_at: int) -> Entry:
    """A whole read."""
    points = window.points(STEP)
    who = ("v1", "default", "project", "cn-north-4")
    return Entry(
        name, window.start, window.end, State.READ, points, points, 0, *who, fetched_at, "bench"
    )


def nights(names: tuple[str, ...], window: Window) -> list[Entry]:
    """What a night's run notes, every night: the last two days of every domain."""
    return [
        entry(
            name, Window(max(night - 2 * DAY, window.start), night), (night + HOUR) * MICROSECONDS
        )
        for night in range(window.start + DAY, window.end + 1, DAY)
        for name in names
    ]


def fill(place: str, names: tuple[str, ...], window: Window) -> None:
    """Write rows month by month and the ledger of every night."""
    sink = open_sink(settings.load({"warehouse": place}))
    sink.prepare(step=STEP, timezone="Asia/Shanghai", settle_after=DAY)
    sink.extend_calendar(window.start, window.end)
    noted = nights(names, window)
    for part in cut(window, 30 * DAY):
        read = [entry(name, part, (part.end + 2 * DAY) * MICROSECONDS) for name in names]
        sink.upsert(frame(names, part), read, loaded_at=LOADED_AT, run_id="year")
    for some in batched_entries(noted, 2_000):
        sink.upsert(frame((), Window(0, STEP)), some, loaded_at=LOADED_AT, run_id="nights")


def _filled(place: str) -> None:
    fill(place, HUNDRED, YEAR)
    sink = open_sink(settings.load({"warehouse": place}))
    sink.put_domains([domain(name) for name in HUNDRED])


def batched_entries(entries: list[Entry], size: int) -> list[list[Entry]]:
    """The entries in parts."""
    return [entries[first : first + size] for first in range(0, len(entries), size)]


def upsert(place: str) -> dict[str, Any]:
    """A million rows, all changed, over the last months of the year."""
    sink = open_sink(settings.load({"warehouse": place}))
    window = Window(END - CHANGED_POINTS * STEP, END)
    rows = frame(HUNDRED, window, salt=1)
    noted = [entry(name, window, (END + 3 * DAY) * MICROSECONDS) for name in HUNDRED]
    receipt, seconds = timed(lambda: sink.upsert(rows, noted, loaded_at=LOADED_AT, run_id="upsert"))
    held = sink.query("SELECT count(*) AS n FROM traffic").to_pylist()[0]["n"]
    return {"seconds": seconds, "updated": receipt.updated, "rows": int(held)}


def coverage(place: str) -> dict[str, Any]:
    """The grid of a hundred domains and a year: by the view, and by the ledger's fold."""
    loaded = settings.load({"warehouse": place})
    sink, rules = open_sink(loaded), rules_of(loaded)
    statement = "SELECT state, count(*) AS days FROM coverage_daily GROUP BY state"
    sink.query("SELECT 1")  # the engine is started once a process
    by_view = [timed(lambda: sink.query(statement))[1] for _ in range(3)]
    by_fold = [timed(lambda: covered(sink, rules, to_seconds(NOW), None, ()))[1] for _ in range(3)]
    return {"view_s": statistics.median(by_view), "seconds": statistics.median(by_fold)}


def plan(place: str) -> dict[str, Any]:
    """What is due for a thousand domains: new ones on v2, and ones with a year of nights."""
    loaded = settings.load({"warehouse": place, "api": "v2"})
    sink, rules = open_sink(loaded), rules_of(loaded)
    names = tuple(f"many{number:04}.example.com" for number in range(1000))
    domains = [domain(name, "v2") for name in names]
    empty, fresh_s = timed(lambda: _looked(sink, domains, rules))
    entries = [item._replace(source="v2") for item in nights(names, YEAR)]
    old, old_s = timed(lambda: _looked(_Kept(sink, entries), domains, rules))
    return {
        "seconds": fresh_s,
        "requests": len(empty.slices),
        "year_s": old_s,
        "year_entries": len(entries),
        "year_requests": len(old.slices),
    }


class _Kept:
    """A warehouse's ledger held in memory: planning alone, without reading."""

    def __init__(self, sink: Sink, entries: list[Entry]) -> None:
        self._sink, self._entries = sink, entries

    def ledger(self, since: int | None = None) -> list[Entry]:
        """As ``Sink.ledger``."""
        return self._entries

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sink, name)


def domain(name: str, api: str = "v1") -> Domain:
    """A domain of the list, known since the year began."""
    said = ("pull", "online", "mainland_china", "", None, "default", "project", "cn-north-4")
    return Domain(name, *said, YEAR.start, END, api=api)


def _looked(sink: Any, domains: list[Domain], rules: Rules) -> Any:
    return look(sink, domains, rules, now=to_seconds(NOW))


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What it gives, and the seconds it took."""
    began = time.perf_counter()
    return work(), time.perf_counter() - began


def measure(rounds: int) -> dict[str, Any]:
    """All of it on Parquet; each measurement in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        year = f"{folder}/year"
        _child("fill", year)
        found = {"coverage": _child("coverage", year), "plan": _child("plan", f"{folder}/none")}
        found["upsert"] = _medians(
            [_on_copy(year, lambda place: _child("upsert", place)) for _ in range(rounds)]
        )
        found["script"] = _on_copy(year, _script)
        shutil.rmtree(year)
        found |= _nights(Path(folder), rounds)
    return found


def _script(place: str) -> dict[str, Any]:
    """The peers' way: read the months, concatenate, keep the last, write."""
    line = [str(BENCH), str(HERE / "peers" / "year.py"), place, str(CHANGED_POINTS), str(END)]
    return _said(watch(line))


def _child(name: str, place: str) -> dict[str, Any]:
    found = _said(watch([sys.executable, "-m", "benchmarks.years", name, place]))
    print(f"  {name:9} {found.get('seconds', found['wall_s']):.2f} s", flush=True)
    return found


def _said(watched: Any) -> dict[str, Any]:
    return {**watched.figures(), **watched.said}


def _on_copy(year: str, work: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    copy = f"{year}-copy"
    shutil.copytree(year, copy)
    try:
        return work(copy)
    finally:
        shutil.rmtree(copy)


def _medians(runs: list[dict[str, Any]]) -> dict[str, Any]:
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def _nights(folder: Path, rounds: int) -> dict[str, Any]:
    """The same night on a new warehouse and on one that is a year old."""
    new, old = folder / "new", folder / "old"
    with standin(domains=len(DOMAINS), warm_up=92) as source:
        ours(source, str(new), ["backfill", "--engine", "direct"], NOW)
        shutil.copytree(new, old)
        _child("age", str(old))
        runs: dict[str, list[dict[str, Any]]] = {"night_new": [], "night_old": []}
        for _ in range(rounds + 2):
            for name, place in (("night_new", new), ("night_old", old)):
                night = ours(source, str(place), ["nightly", "--engine", "direct"], NOW)
                runs[name].append(night.figures())
    for name, of in runs.items():
        print(f"  {name} {statistics.median(run['cpu_s'] for run in of):.2f} s CPU", flush=True)
    return {name: _medians(of) for name, of in runs.items()}


CHILDREN: dict[str, Callable[[str], Any]] = {
    "fill": _filled,
    "age": lambda place: fill(place, DOMAINS, Window(YEAR.start, END - 91 * DAY)),
    "upsert": upsert,
    "coverage": coverage,
    "plan": plan,
}


if __name__ == "__main__":
    print(json.dumps(CHILDREN[sys.argv[1]](sys.argv[2])))
