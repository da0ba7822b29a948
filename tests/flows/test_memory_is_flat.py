"""Memory is bounded by a batch: what a run holds after each commit does not grow with the history."""

import gc
import json
import subprocess
import sys
import threading
import tracemalloc

import pyarrow as pa
import pytest

from flows.progress import Silent
from flows.running import Job, run_job

NOW = "2026-03-01T19:15:00Z"
BYTES_A_POINT = 16
"""What a point takes at the very least: its time and its value."""


@pytest.fixture
def endpoint(monkeypatch, tmp_path):
    """A stand-in in a process of its own, so that its memory is not ours."""
    command = [sys.executable, "-m", "extract.standin", "--json", "--plain", "--now", NOW]
    child = subprocess.Popen([*command, "--domains", "6"], stdout=subprocess.PIPE, text=True)
    try:
        ready = json.loads(child.stdout.readline())
        for name in ("endpoint", "iam_endpoint", "project_id", "token"):
            monkeypatch.setenv(f"LIVE_TRAFFIC_{name.upper()}", ready[name])
        monkeypatch.setenv("LIVE_TRAFFIC_WAREHOUSE", str(tmp_path / "warehouse"))
        yield ready["endpoint"]
    finally:
        child.terminate()
        child.communicate()


class Weigher(Silent):
    """Notes what is held, and how many points came so far, when a batch is committed."""

    def __init__(self) -> None:
        self.points = 0
        self.held = []

    def batch_done(self, batch, receipt):
        self.points += receipt.rows_fetched
        gc.collect()
        held = tracemalloc.get_traced_memory()[0] + pa.total_allocated_bytes()
        self.held.append((self.points, held))


def one_by_one(load, batches):
    return [load(batch) for batch in batches]


def test_what_a_run_holds_does_not_grow_with_what_it_has_read(endpoint, monkeypatch):
    """Thirteen batches: from the third to the last less than half of what keeping them would take."""
    monkeypatch.setenv("LIVE_TRAFFIC_SPAN", "7d")
    weigher = Weigher()
    tracemalloc.start()
    try:
        summary = run_job(Job("backfill", as_of=NOW), one_by_one, threading.Event(), weigher)
    finally:
        tracemalloc.stop()
    assert summary.exit_code == 0
    assert len(weigher.held) >= 12
    (points, before), (all_points, after) = weigher.held[2], weigher.held[-1]
    assert all_points - points > 90_000
    assert after - before < BYTES_A_POINT * (all_points - points) / 2
