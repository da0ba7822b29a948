"""Who runs the same job: ours and the peers, and how each is started on a target."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from benchmarks import meters
from benchmarks.source import Source
from benchmarks.watching import BenchError, Watched, watch

HERE = Path(__file__).parent
ROOT = HERE.parent
BENCH = ROOT / ".venv-bench" / "bin" / "python"
KINDS = ("parquet", "duckdb", "postgresql")
NAMES = {
    "ours": "live-traffic",
    "floor": "floor",
    "script": "script",
    "dlt_arrow": "dlt, Arrow",
    "dlt_rest": "dlt, rest_api",
}
UNMETERED = "1000000"


@dataclass(frozen=True, slots=True)
class Job:
    """The same points for everyone: these domains, from start to end, at this clock."""

    domains: Sequence[str]
    start: datetime
    end: datetime
    now: datetime
    api: str = "v1"


@dataclass(frozen=True, slots=True)
class Target:
    """A place of one contender's own; ``folder`` is its working directory."""

    kind: str
    place: str
    folder: Path

    @property
    def plain(self) -> str:
        """The place as a library without SQLAlchemy takes it."""
        if self.kind == "duckdb":
            return self.place.removeprefix("duckdb:///")
        if self.kind == "postgresql":
            url, _, schema = self.place.rpartition("schema=")
            return f"{url}options={quote(f'-csearch_path={schema}')}"
        return self.place


@contextmanager
def target(kind: str) -> Iterator[Target | None]:
    """A fresh place; None where there is no server. It is removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        place = meters.fresh_place(kind, folder)
        yield None if place is None else Target(kind, place, folder)
    finally:
        meters.drop_place(kind, folder)
        shutil.rmtree(folder, ignore_errors=True)


def environment(source: Source, place: str, **more: str) -> dict[str, str]:
    """Our settings for a stand-in and a warehouse."""
    ready = source.ready
    return {
        "LIVE_TRAFFIC_ENDPOINT": ready["endpoint"],
        "LIVE_TRAFFIC_IAM_ENDPOINT": ready["iam_endpoint"],
        "LIVE_TRAFFIC_PROJECT_ID": ready["project_id"],
        "LIVE_TRAFFIC_TOKEN": ready["token"],
        "LIVE_TRAFFIC_WAREHOUSE": place,
        "LIVE_TRAFFIC_REQUESTS_PER_MINUTE": UNMETERED,
        "LIVE_TRAFFIC_V2_REQUESTS_PER_MINUTE": UNMETERED,
        **more,
    }


def command(*words: str) -> list[str]:
    """Our command line, as a user's shell starts it."""
    return [str(Path(sys.executable).with_name("live-traffic")), *words]


def ours(
    source: Source, place: str, words: Sequence[str], now: datetime, **settings: str
) -> Watched:
    """A run of ours that must end well."""
    line = command(*words, "--json", "--as-of", now.isoformat())
    return watch(line, environment=environment(source, place, **settings))


def run(who: str, job: Job, source: Source, place: Target) -> Watched:
    """Let one contender do the job."""
    if who == "ours":
        words = ["backfill", "--engine", "direct"]
        return ours(source, place.place, words, job.now, LIVE_TRAFFIC_API=_api(job))
    told = {
        "endpoint": source.ready["endpoint"],
        "project": source.ready["project_id"],
        "token": source.ready["token"],
        "api": job.api,
        "domains": list(job.domains),
        "start": job.start.isoformat(),
        "end": job.end.isoformat(),
        "kind": place.kind,
        "place": place.plain,
    }
    line = [str(BENCH), str(HERE / "peers" / f"{who}.py"), json.dumps(told)]
    return watch(line, folder=place.folder)


def _api(job: Job) -> str:
    return "auto" if job.api == "v1" else job.api


def read_back(who: str, place: Target) -> dict[str, Any]:
    """What the target holds, read by another road, by domain."""
    line = [str(BENCH), str(HERE / "peers" / "reading.py"), who, place.kind, place.plain]
    done = subprocess.run(line, capture_output=True, text=True, check=False, cwd=place.folder)
    if done.returncode:
        raise BenchError(done.stderr[-2000:])
    return dict(json.loads(done.stdout.splitlines()[-1]))


def made_environment(python: Path = BENCH) -> None:
    """Make the peers' environment from their own pins, where it is not there yet.

    Raises:
        BenchError: it could not be made.
    """
    pins = HERE / "peers" / "requirements.txt"
    stamp = python.parent.parent / ".pins"
    if stamp.exists() and stamp.read_text() == pins.read_text():
        return
    print("Making the peers' environment, once (about two minutes) ...", flush=True)
    quiet = ["-q", "--disable-pip-version-check"]
    for line in (
        ["python3", "-m", "venv", "--clear", str(python.parent.parent)],
        [str(python), "-m", "pip", "install", *quiet, "-r", str(pins)],
    ):
        if subprocess.run(line, check=False, env=dict(os.environ)).returncode:
            raise BenchError(f"the peers' environment could not be made: {' '.join(line)}")
    stamp.write_text(pins.read_text())
