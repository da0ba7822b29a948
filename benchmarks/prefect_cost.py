"""What Prefect adds: the same backfill as a flow and without, against a running server and with none.

Also the cost of a task: 200 batches that do nothing, as tasks and as a plain loop. Run as a module it is
that measurement, in a process of its own.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests

from benchmarks.contenders import ours, target
from benchmarks.source import NOW, Source, standin
from benchmarks.watching import BenchError, Watched, watch

BATCHES = 200
PATIENCE_S = 120
_CALM = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_LOGGING_LEVEL": "ERROR",
}


def measure(rounds: int) -> dict[str, Any]:
    """Pairs with a server, one run without, and the cost of a task."""
    found: dict[str, Any] = {"direct": [], "prefect": []}
    with (
        standin(domains=50, warm_up=91) as source,
        tempfile.TemporaryDirectory() as home,
        _server(home) as url,
    ):
        with_server = {"PREFECT_HOME": home, "PREFECT_API_URL": url, **_CALM}
        _backfill(source, "prefect", with_server)  # the server's first run is its own warming up
        for _ in range(rounds):
            for engine in ("direct", "prefect"):
                found[engine].append(_backfill(source, engine, with_server).figures())
        task = watch([sys.executable, "-m", "benchmarks.prefect_cost"], environment=with_server)
    with standin(domains=50, warm_up=91) as source, tempfile.TemporaryDirectory() as home:
        try:
            alone = _backfill(source, "prefect", {"PREFECT_HOME": home, **_CALM})
            found["no_server"] = alone.figures()
        except BenchError as error:  # on a busy machine its start may exceed Prefect's patience
            print(f"  without a server: {error}", flush=True)
    found["task"] = task.said
    found["added_s"] = statistics.median(
        flow["wall_s"] - plain["wall_s"]
        for flow, plain in zip(found["prefect"], found["direct"], strict=True)
    )
    found["inside"] = statistics.median(
        flow["inside_s"] / plain["inside_s"]
        for flow, plain in zip(found["prefect"], found["direct"], strict=True)
    )
    print(f"  {found['added_s']:.2f} s more, {found['inside']:.2f} x inside", flush=True)
    return found


def _backfill(source: Source, engine: str, settings: dict[str, str]) -> Watched:
    with target("parquet") as place:
        if place is None:
            raise BenchError("no place for Parquet")
        return ours(source, place.place, ["backfill", "--engine", engine], NOW, **settings)


@contextmanager
def _server(home: str) -> Iterator[str]:
    """A Prefect server in a home of its own."""
    port = 4300 + os.getpid() % 1000
    url = f"http://127.0.0.1:{port}/api"
    line = ["server", "start", "--host", "127.0.0.1", "--port", str(port)]
    child = subprocess.Popen(
        [sys.executable, "-m", "prefect", *line],
        env=dict(os.environ) | {"PREFECT_HOME": home, **_CALM},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait_for(url)
        yield url
    finally:
        child.terminate()
        child.wait()


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    with requests.Session() as session:
        session.trust_env = False
        while time.monotonic() < deadline:
            try:
                if session.get(f"{url}/health", timeout=2).ok:
                    return
            except requests.RequestException:
                time.sleep(0.2)
    raise BenchError("Prefect's server did not start")


def child() -> None:
    """Batches that do nothing, as tasks of a flow and in the direct engine's threads."""
    from prefect import flow
    from prefect.task_runners import ThreadPoolTaskRunner

    from flows.ingest import over_tasks
    from flows.pipeline import WORKERS, in_threads
    from flows.summary import BatchReceipt
    from livetraffic.plan import Batch, Slice
    from livetraffic.window import Window

    batches = [Batch((Slice(f"d{number}", Window(0, 300)),)) for number in range(BATCHES)]

    def nothing(_batch: Batch) -> BatchReceipt:
        return BatchReceipt(slices=1)

    @flow(task_runner=ThreadPoolTaskRunner(max_workers=WORKERS))
    def many(count: int) -> float:
        began = time.perf_counter()
        done = sum(over_tasks(nothing, batches[:count]), BatchReceipt())
        assert done.slices == count
        return time.perf_counter() - began

    many(1)
    tasks = many(BATCHES)
    began = time.perf_counter()
    assert sum(in_threads(nothing, batches), BatchReceipt()).slices == BATCHES
    plain = time.perf_counter() - began
    figures = {"tasks": BATCHES, "prefect_s": tasks, "direct_s": plain}
    print(json.dumps(figures))


if __name__ == "__main__":
    child()
