"""A run spread over a Dask cluster: real scheduler and workers, killed and refused."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from clusters import cluster
from extract.standin.server import Standin
from flows import cluster as dask_cluster
from flows.progress import Silent
from flows.running import Job, run_job
from livetraffic.errors import ConfigError, LiveTrafficError
from terminal import commands
from test_history_into_databases import NIGHT, at
from tests import servers
from tests.contract.stores import STORES
from tests.source import offered

ROOT = Path(__file__).parents[2]


@pytest.fixture
def standin():
    """A stand-in whose clock stands still."""
    with Standin(domains=6, now=at(NIGHT), requests_per_minute=0) as server:
        yield server


@pytest.fixture
def place(place_in_postgres):
    return place_in_postgres


@pytest.fixture
def live(capsys, monkeypatch, standin, place):
    """The command line on PostgreSQL; no quota to wait for."""
    monkeypatch.setenv("LIVE_TRAFFIC_REQUESTS_PER_MINUTE", "100000")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return commands(capsys, monkeypatch, standin, servers.postgres_place(place))


@pytest.fixture
def machines(live, tmp_path):
    """Two workers with the run's settings in their environment."""
    with cluster(tmp_path, 2) as found:
        yield found


def read(place):
    return STORES["postgres"].read(place)


def over(machines, *more):
    return ("--engine", "dask", "--scheduler", machines.address, *more)


def test_a_worker_that_is_killed_costs_its_batch_and_no_row_stands_twice(
    live, machines, standin, place
):
    """kill -9 while it waits for answers: another worker reads the batch again, in the same run."""
    standin.faults([{"kind": "slow", "operation": "traffic", "seconds": 0.4, "times": 12}])
    victim = machines.workers[0]

    def kill():
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            if len(standin.world.journal.entries("traffic")) >= 1:
                victim.send_signal(signal.SIGKILL)
                return
            time.sleep(0.02)

    killer = threading.Thread(target=kill)
    killer.start()
    outcome = live("backfill", *over(machines, "--json"), as_of=NIGHT)
    killer.join()
    assert victim.poll() is not None, outcome
    assert victim.wait(timeout=10) == -signal.SIGKILL
    assert (outcome.code, outcome.document["failed"]) == (0, [])
    assert read(place).values == offered(standin, NIGHT)
    again = live("backfill", *over(machines, "--json"), as_of=NIGHT)
    assert (again.code, again.document["inserted"], again.document["updated"]) == (0, 0, 0)


@pytest.mark.prefect
def test_where_prefect_runs_it_the_cluster_is_one_task(
    live, machines, standin, place, prefect_api, monkeypatch
):
    """Its batches cost Prefect nothing: one task in the server's list, and the same warehouse."""
    monkeypatch.setenv("PREFECT_API_URL", prefect_api)
    began = datetime.now(UTC).isoformat()
    command = ["backfill", "--engine", "prefect", "--scheduler", machines.address, "--json"]
    run = subprocess.run(
        [sys.executable, "-m", "flows", *command, "--as-of", NIGHT],
        capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["inserted"] == len(read(place).values)
    assert read(place).values == offered(standin, NIGHT)
    since = {"task_runs": {"start_time": {"after_": began}}}
    tasks = requests.post(f"{prefect_api}/task_runs/filter", json=since, timeout=30).json()
    ours = [task for task in tasks if task["state"]["type"] == "COMPLETED"]
    assert [task["name"].rsplit("-", 1)[0] for task in ours] == ["load on a Dask cluster"]


def test_what_travels_holds_no_secret(live, standin):
    """Neither the token nor the password of a warehouse."""
    import pickle

    from flows import settings

    url = "postgresql://user:top-secret@127.0.0.1/database"
    loaded = settings.load({"warehouse": url})
    words = dask_cluster.words_of({"warehouse": url}, None, (), loaded)
    told = pickle.dumps(words)
    assert b"top-secret" not in told
    assert standin.ready["token"].encode() not in told


@pytest.mark.parametrize(
    ("arguments", "told", "code"),
    [
        (["--engine", "dask"], "Give --scheduler", 2),
        (["--engine", "direct", "--scheduler", "tcp://x:1"], "has no use", 2),
        (["--engine", "dask", "--scheduler", "tcp://127.0.0.1:9"], "cannot be reached", 1),
        (["--engine", "dask", "--scheduler", "nonsense://x"], "cannot be reached", 1),
    ],
)
def test_mistakes_get_one_sentence(live, monkeypatch, arguments, told, code):
    """With the right exit code and no traceback."""
    monkeypatch.setattr(dask_cluster, "CONNECT_S", 1)
    outcome = live("backfill", *arguments, as_of=NIGHT)
    assert outcome.code == code
    assert told in outcome.err
    assert "Traceback" not in outcome.err


def test_a_duckdb_file_is_refused(live, tmp_path):
    """One process writes it."""
    flags = {"warehouse": f"duckdb:///{tmp_path}/x.duckdb"}
    job = Job("backfill", flags, as_of=NIGHT, scheduler="tcp://127.0.0.1:9")
    with pytest.raises(ConfigError, match="DuckDB"):
        run_job(job, None, threading.Event(), Silent())


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"warehouse": "./here"}, "The warehouse is a file of this machine"),
        ({"warehouse": "sqlite:///here.db"}, "The warehouse is a file of this machine"),
        ({"warehouse": "s3://bucket/x"}, "The rate budget is a file of this machine"),
        ({"warehouse": "postgresql://h/d", "state": "x.sqlite"}, "The rate budget is a file"),
    ],
)
def test_workers_elsewhere_need_a_warehouse_and_a_budget_for_all(values, told):
    """A path names another file on each machine."""
    from flows.settings import Settings

    with pytest.raises(LiveTrafficError, match=told):
        dask_cluster._check_place(Settings(**values), {"elsewhere"})
    shared = Settings(warehouse="s3://bucket/x", state="postgresql://h/d")
    dask_cluster._check_place(shared, {"elsewhere"})
    dask_cluster._check_place(Settings(**values), {os.uname().nodename})
