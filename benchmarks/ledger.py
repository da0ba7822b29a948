"""A long ledger: how long a run takes to read and fold it before it asks for anything, and its memory.

Every domain has an entry a night, on an API that reaches back a year, so that all of them count.
``python -m benchmarks.ledger CHILD PLACE DOMAINS NIGHTS`` is one measurement in a process of its own.
"""

import json
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.source import NOW
from benchmarks.watching import watch
from benchmarks.years import END, LOADED_AT, STEP, batched_entries, domain, frame, nights, timed
from flows import settings
from flows.outlook import look
from flows.warehouse import open_sink, rules_of
from livetraffic.ledger import Entry
from livetraffic.window import DAY, Window, to_seconds
from load.sink import Sink
from tests import servers

SIZES = (
    ("parquet", 1_000, 90),
    ("parquet", 1_000, 365),
    ("parquet", 4_000, 365),
    ("postgresql", 1_000, 365),
)
"""Store, domains and nights."""
A_COMMIT = 20_000


def measure() -> dict[str, Any]:
    """The ledger of each size, read and folded once."""
    return {"runs": [_measured(*size) for size in SIZES]}


def _measured(store: str, domains: int, count: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        warehouse = Path(folder) / "warehouse"
        place = servers.postgres_place(warehouse) if store == "postgresql" else str(warehouse)
        try:
            size = [str(domains), str(count)]
            watch([sys.executable, "-m", "benchmarks.ledger", "fill", place, *size])
            seen = watch([sys.executable, "-m", "benchmarks.ledger", "fold", place, *size])
        finally:
            if store == "postgresql":
                servers.drop_postgres_place(place)
            else:
                shutil.rmtree(warehouse)
    found = {"store": store, "domains": domains, "nights": count, **seen.figures(), **seen.said}
    print(f"  {store} {found['entries']:,}: {found['seconds']:.2f} s", flush=True)
    return found


def _names(count: int) -> tuple[str, ...]:
    return tuple(f"many{number:05}.example.com" for number in range(count))


def fill(place: str, domains: int, count: int) -> dict[str, Any]:
    """Note an entry a night and domain."""
    sink = open_sink(settings.load({"warehouse": place, "api": "v2"}))
    sink.prepare(step=STEP, timezone="Asia/Shanghai", settle_after=DAY)
    noted = nights(_names(domains), Window(END - count * DAY, END))
    for some in batched_entries([entry._replace(source="v2") for entry in noted], A_COMMIT):
        sink.upsert(frame((), Window(0, STEP)), some, loaded_at=LOADED_AT, run_id="nights")
    return {"entries": len(noted)}


class _Timed:
    """A warehouse that keeps how long its ledger took to read."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.seconds = 0.0
        self.entries = 0

    def ledger(self, since: int | None = None) -> list[Entry]:
        """As ``Sink.ledger``."""
        found, seconds = timed(lambda: self._sink.ledger(since))
        self.seconds += seconds
        self.entries = len(found)
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sink, name)


def fold(place: str, domains: int, count: int) -> dict[str, Any]:
    """Read it, fold it, and plan; seconds, and MiB beyond what the process had before."""
    loaded = settings.load({"warehouse": place, "api": "v2"})
    sink, rules = _Timed(open_sink(loaded)), rules_of(loaded)
    sink.domains()
    known = [domain(name, "v2") for name in _names(domains)]
    before, began = _peak_mib(), time.process_time()
    _, seconds = timed(lambda: look(sink, known, rules, now=to_seconds(NOW)))  # type: ignore[arg-type]
    return {
        "entries": sink.entries,
        "seconds": seconds,
        "cpu_inside_s": time.process_time() - began,
        "read_s": sink.seconds,
        "beyond_mib": _peak_mib() - before,
    }


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


CHILDREN: dict[str, Callable[[str, int, int], Any]] = {"fill": fill, "fold": fold}

if __name__ == "__main__":
    print(json.dumps(CHILDREN[sys.argv[1]](sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))))
