"""How a run on a Dask cluster ends before its time: scheduler lost, stop asked for, workers refused."""

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from clusters import cluster
from extract.standin.server import Standin
from flows import cluster as dask_cluster
from flows.pipeline import in_threads
from flows.progress import Silent
from flows.running import Job, run_job
from livetraffic.errors import LiveTrafficError, Stopped
from terminal import commands
from test_history_into_databases import NIGHT, at
from tests import servers
from tests.contract.stores import STORES
from tests.source import offered

ROOT = Path(__file__).parents[2]
ALL = 45
"""Requests of a backfill: 5 domains in 9 windows."""
PATIENCE_S = 120
SOON_S = 20
"""From the loss of a scheduler to the end of the run, on a busy machine."""
SLOW = {"kind": "slow", "operation": "traffic", "seconds": 0.3}


@pytest.fixture
def standin():
    """A stand-in whose clock stands still and whose answers take their time; each window is one entry."""
    with Standin(domains=5, plain=True, now=at(NIGHT), requests_per_minute=0) as server:
        server.faults([SLOW])
        yield server


@pytest.fixture
def place(place_in_postgres):
    return place_in_postgres


@pytest.fixture
def live(capsys, monkeypatch, standin, place):
    """The command line on PostgreSQL, with many batches: 9 of 5 requests."""
    monkeypatch.setenv("LIVE_TRAFFIC_REQUESTS_PER_MINUTE", "100000")
    monkeypatch.setenv("LIVE_TRAFFIC_API", "v1")
    monkeypatch.setenv("LIVE_TRAFFIC_SPAN", "10d")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return commands(capsys, monkeypatch, standin, servers.postgres_place(place))


@pytest.fixture
def machines(live, tmp_path):
    """Two workers with the run's settings in their environment."""
    with cluster(tmp_path, 2) as found:
        yield found


def begun(machines):
    """A run in a process of its own."""
    command = [sys.executable, "-m", "flows", "backfill", "--as-of", NIGHT]
    return subprocess.Popen(
        [*command, "--engine", "dask", "--scheduler", machines.address],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def reached(holds, process):
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline, "the moment never came"
        time.sleep(0.02)


def settled(place):
    """Domain and window of every committed read, by another road than the sink."""
    query = "SELECT domain, window_start, window_end FROM load_ledger WHERE state = 'read'"
    try:
        with servers.postgres_connection(place) as connection:
            return {tuple(map(str, row)) for row in connection.execute(query).fetchall()}
    except servers.psycopg.errors.UndefinedTable:
        return set()


def asked(standin):
    return len(standin.requests("traffic"))


def due(live):
    return live.json("plan", as_of=NIGHT)["requests"]


def finished_by_the_next(live, standin, place):
    """Exactly the rest is asked for, and then the warehouse is the source."""
    rest = ALL - len(settled(place))
    assert due(live) == rest
    before = asked(standin)
    standin.faults([])
    again = live("backfill", "--engine", "direct", "--json", as_of=NIGHT)
    assert (again.code, again.document["failed"]) == (0, [])
    assert asked(standin) - before == rest
    assert STORES["postgres"].read(place).values == offered(standin, NIGHT)


def test_a_scheduler_that_is_lost_ends_the_run_in_a_sentence_and_keeps_what_is_committed(
    live, machines, standin, place
):
    """kill -9 in the middle; the workers end by themselves, and soon."""
    run = begun(machines)
    reached(lambda: settled(place), run)
    machines.scheduler.send_signal(signal.SIGKILL)
    began = time.monotonic()
    _, err = run.communicate(timeout=PATIENCE_S)
    assert time.monotonic() - began < SOON_S
    assert run.returncode == 1, err
    told = [line for line in err.splitlines() if line.startswith("live-traffic: ")]
    assert len(told) == 1, err
    assert f"The connection to the Dask scheduler {machines.address} was lost." in told[0]
    assert "Traceback" not in err, err
    for worker in machines.workers:
        worker.wait(timeout=PATIENCE_S)
    assert 0 < len(settled(place)) < ALL
    assert STORES["postgres"].read(place).values.items() <= offered(standin, NIGHT).items()
    finished_by_the_next(live, standin, place)


def test_a_scheduler_that_is_frozen_counts_as_lost(live, machines, standin, place, monkeypatch):
    """SIGSTOP: no connection breaks, and no answer comes."""
    monkeypatch.setattr(dask_cluster, "QUIET_S", 1.0)
    monkeypatch.setattr(dask_cluster, "ANSWER_S", 2.0)

    def freeze():
        while asked(standin) < 10:
            time.sleep(0.02)
        machines.scheduler.send_signal(signal.SIGSTOP)

    freezing = threading.Thread(target=freeze)
    freezing.start()
    try:
        with pytest.raises(LiveTrafficError, match=r"scheduler .* was lost"):
            run_job(over(machines), in_threads, threading.Event(), Silent())
    finally:
        freezing.join()
    machines.scheduler.kill()
    for worker in machines.workers:
        worker.wait(timeout=PATIENCE_S)
    finished_by_the_next(live, standin, place)


def test_a_stop_reaches_the_batches_of_the_workers(live, machines, standin, place):
    """SIGTERM to the command: soon nothing is asked for, and the same workers do the rest."""
    run = begun(machines)
    reached(lambda: settled(place), run)
    run.send_signal(signal.SIGTERM)
    _, err = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 128 + signal.SIGTERM, err
    assert "Traceback" not in err, err
    sent = asked(standin)
    assert sent < ALL - 5
    time.sleep(1)  # three answers' time
    assert asked(standin) == sent
    standin.faults([])
    again = live("backfill", "--engine", "dask", "--scheduler", machines.address, as_of=NIGHT)
    assert again.code == 0
    assert STORES["postgres"].read(place).values == offered(standin, NIGHT)


def test_a_stop_that_the_workers_are_not_told_of_waits_for_all_batches(
    live, machines, standin, place, monkeypatch
):
    """The twin: it is the event that ends their batches."""
    monkeypatch.setattr(dask_cluster._Ending, "look", lambda _: None)
    stop = threading.Event()

    def ask():
        while asked(standin) < 10:
            time.sleep(0.02)
        stop.set()

    asking = threading.Thread(target=ask)
    asking.start()
    with pytest.raises(Stopped):
        run_job(over(machines), in_threads, stop, Silent())
    asking.join()
    assert asked(standin) == ALL


def over(machines):
    return Job("backfill", as_of=NIGHT, scheduler=machines.address)


def forged_version(directory):
    """What a worker with another release has on its path."""
    (directory / "live_traffic-9.9.9.dist-info").mkdir(parents=True)
    told = directory / "live_traffic-9.9.9.dist-info" / "METADATA"
    told.write_text("Metadata-Version: 2.1\nName: live-traffic\nVersion: 9.9.9\n")
    return f"{directory}:{ROOT}"


def test_a_worker_that_differs_is_refused(live, standin, place, tmp_path, monkeypatch):
    """In a sentence, before it asks or writes anything."""
    differences = {
        "LIVE_TRAFFIC_SETTLE_AFTER": ("1h", "A worker has another LIVE_TRAFFIC_SETTLE_AFTER"),
        "PYTHONPATH": (
            forged_version(tmp_path / "other"),
            "A worker has live-traffic 9.9.9, the run has",
        ),
    }
    with cluster(tmp_path, 0) as machines:
        for name, (value, told) in differences.items():
            with monkeypatch.context() as elsewhere:
                elsewhere.setenv(name, value)
                machines.add_workers(1)
            options = ("--engine", "dask", "--scheduler", machines.address)
            outcome = live("backfill", *options, as_of=NIGHT)
            assert outcome.code == 2, outcome.err
            assert told in outcome.err
            assert "Traceback" not in outcome.err
            machines.workers[-1].kill()
            machines.workers[-1].wait()
    assert asked(standin) == 0
    assert STORES["postgres"].read(place).traffic == {}
