"""Real processes on one state file: the quota holds, none starves, a killed one leaves no block."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from extract.budget_file import SqliteBudget

WINDOW_S = 0.5
QUOTA = 10

WORKER = f"""
import sys, threading, time
from extract.budget_file import SqliteBudget
path, seconds, out = sys.argv[1], float(sys.argv[2]), open(sys.argv[3], "w", buffering=1)
stop = threading.Event()
budget = SqliteBudget(path, clock=time.time, sleep=stop.wait, window_s={WINDOW_S})
print("ready", flush=True)
sys.stdin.readline()
until = time.time() + seconds
def work():
    while time.time() < until:
        with budget.acquire("a", "traffic", {QUOTA}):
            out.write(f"{{time.time()}}\\n")
threads = [threading.Thread(target=work) for _ in range(3)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


@pytest.fixture
def workers(tmp_path):
    """Starts workers, lets them go together, and ends what is left of them."""
    running = []

    def start(count, seconds):
        for _ in range(count):
            out = tmp_path / f"worker-{len(running)}"
            command = [sys.executable, "-c", WORKER, str(tmp_path / "rate.sqlite")]
            process = subprocess.Popen(
                [*command, str(seconds), str(out)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            running.append((process, out))
        for process, _ in running:
            assert process.stdout.readline() == "ready\n"
        for process, _ in running:
            process.stdin.write("go\n")
            process.stdin.flush()
        return running

    yield start
    for process, _ in running:
        if process.poll() is None:
            process.kill()
        process.communicate()


def instants(out):
    return [float(line) for line in out.read_text().split()]


def test_processes_share_the_quota_and_none_starves(workers):
    """Three processes of three threads, full speed, a shortened window."""
    running = workers(3, 2.5)
    for process, _ in running:
        assert process.wait(timeout=30) == 0
    each = [instants(out) for _, out in running]
    merged = sorted(at for found in each for at in found)
    # An instant is written down a little after it was granted: allow for that on both sides.
    short = WINDOW_S - 0.1
    for number, at in enumerate(merged[QUOTA:]):
        assert at - merged[number] > short
    assert len(merged) >= 0.9 * QUOTA * 2.5 / WINDOW_S
    assert min(len(found) for found in each) >= len(merged) / 3 / 2


def test_a_killed_process_leaves_nothing_behind(workers, tmp_path):
    """kill -9 in full flight; the next one goes on within a window."""
    ((process, _),) = workers(1, 60)
    deadline = time.monotonic() + 10
    while not instants(tmp_path / "worker-0") and time.monotonic() < deadline:
        os.sched_yield()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    stop = threading.Event()
    budget = SqliteBudget(
        tmp_path / "rate.sqlite", clock=time.time, sleep=stop.wait, window_s=WINDOW_S
    )
    started = time.monotonic()
    with budget.acquire("a", "traffic", QUOTA):
        took = time.monotonic() - started
    budget.close()
    assert took < WINDOW_S + 1
