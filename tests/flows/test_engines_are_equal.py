"""The mapper is the only difference between the engines: same requests, same rows, same ledger."""

import threading

import duckdb
import pytest

from clusters import cluster
from extract.standin.server import Standin
from flows.pipeline import in_threads
from flows.progress import Silent
from flows.running import Job, chosen_engine, run_job
from livetraffic.errors import LiveTrafficError
from test_history_into_warehouse import NIGHT, at, offered, stored


@pytest.fixture
def standin():
    """A stand-in whose clock stands still."""
    with Standin(domains=6, now=at(NIGHT)) as server:
        yield server


@pytest.fixture(scope="session")
def prefect_server():
    """Prefect's temporary server, once for all tests that need it."""
    from flows.settings import calm_prefect

    calm_prefect()
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=180):
        yield


def by_loop(load, batches):
    return [load(batch) for batch in batches]


@pytest.fixture
def scheduler(live, tmp_path):
    """A Dask cluster of two workers with the run's settings."""
    with cluster(tmp_path, 2) as machines:
        yield machines.address


def run_with(engine: str, job: Job):
    stop, watcher = threading.Event(), Silent()
    if engine == "prefect":
        from flows import ingest

        return ingest.run_flow(job, stop, watcher)
    mapper = {"loop": by_loop, "direct": in_threads, "dask": by_loop}[engine]
    return run_job(job, mapper, stop, watcher)


def ledger(warehouse):
    return sorted(
        duckdb.sql(
            "SELECT domain, window_start, window_end, state, points, expected_points, traffic_bytes,"
            f" detail FROM read_parquet('{warehouse}/load_ledger/*/data.parquet')"
        ).fetchall()
    )


@pytest.mark.parametrize(
    "engine",
    [
        "loop",
        "direct",
        "dask",
        pytest.param("prefect", marks=[pytest.mark.prefect, pytest.mark.timeout(400)]),
    ],
)
def test_every_engine_does_the_same(live, standin, engine, request):
    """Requests, rows and ledger are those of the plain loop, and the rows are the source's."""
    if engine == "prefect":
        request.getfixturevalue("prefect_server")
    where = request.getfixturevalue("scheduler") if engine == "dask" else ""
    summary = run_with(engine, Job("nightly", as_of=NIGHT, scheduler=where))
    again = run_with(engine, Job("backfill", as_of=NIGHT, start="2026-02-01", scheduler=where))
    assert (summary.exit_code, again.exit_code) == (0, 0)
    # Beside the data: v2's summaries of a month and of the year, and the tenant's totals.
    assert summary.requests_by_operation == {"traffic": 15 + 3, "summary_v2": 1 + 11}
    assert again.requests_by_operation == {"traffic": 5, "summary_v2": 1}
    assert stored(live.warehouse) == offered(standin, NIGHT)
    states = [row[3] for row in ledger(live.warehouse)]
    assert len(states) == len(ledger(live.warehouse))
    assert set(states) == {"read"}


@pytest.mark.prefect
@pytest.mark.timeout(400)
def test_the_flow_reads_well_in_prefect(live, standin, prefect_server):
    """Tasks are named by window and domains; the summary is an artifact; no secret is a parameter."""
    import asyncio

    from prefect.client.orchestration import get_client

    from flows import ingest

    ingest.run_flow(Job("nightly", as_of=NIGHT), threading.Event(), Silent())

    async def seen():
        async with get_client() as client:
            runs = await client.read_flow_runs()
            tasks = await client.read_task_runs()
            artifacts = await client.read_artifacts()
            return runs, tasks, artifacts

    runs, tasks, artifacts = asyncio.run(seen())
    assert any(task.name.endswith("5 domains") for task in tasks)
    assert any(a.key == "live-traffic-nightly" and "All read" in a.data for a in artifacts)
    assert {a.key for a in artifacts} >= {"live-traffic-coverage", "live-traffic-domains"}
    assert any(set(run.tags) == {"live-traffic", "command line"} for run in runs)
    seen_by_all = [run.parameters for run in runs], [a.data for a in artifacts]
    assert standin.ready["token"] not in repr(seen_by_all)


@pytest.mark.prefect
@pytest.mark.timeout(400)
def test_a_flow_hands_its_batches_to_a_dask_cluster(live, standin, prefect_server, scheduler):
    """In one task, whatever the number of batches."""
    from flows import ingest

    job = Job("backfill", as_of=NIGHT, scheduler=scheduler)
    summary = ingest.run_flow(job, threading.Event(), Silent())
    assert summary.exit_code == 0
    assert stored(live.warehouse) == offered(standin, NIGHT)


@pytest.mark.prefect
@pytest.mark.timeout(400)
def test_a_mistake_in_a_flow_is_a_sentence(live, prefect_server, monkeypatch):
    """The flow fails with our sentence; the terminal shows no traceback; the exit code is ours."""
    monkeypatch.setenv("LIVE_TRAFFIC_TOKEN", "wrong-token")
    outcome = live("nightly", "--engine", "prefect", as_of=NIGHT)
    assert outcome.code == 2
    assert "Traceback" not in outcome.err


@pytest.mark.prefect
@pytest.mark.timeout(400)
def test_slices_that_fail_make_the_flow_fail_after_the_others_are_kept(
    live, standin, prefect_server
):
    """An orchestrator must notice; what was read is committed."""
    standin.faults([{"kind": "not_json", "operation": "traffic", "domain": "play002.example.com"}])
    outcome = live(
        "backfill", "--start", "2026-02-01", "--engine", "prefect", "--json", as_of=NIGHT
    )
    assert outcome.code == 5
    assert outcome.document["rows_fetched"] > 0


def test_a_dead_prefect_api_is_named(live, monkeypatch):
    """Exit 1, with the remedy; nothing hangs."""
    outcome = live_process(
        "nightly", "--engine", "prefect", PREFECT_API_URL="http://127.0.0.1:9/api"
    )
    assert outcome.returncode == 1
    assert "PREFECT_API_URL" in outcome.stderr
    assert "Traceback" not in outcome.stderr


def live_process(*arguments, **environment):
    """A command in a process of its own: Prefect reads its settings once."""
    import os
    import subprocess
    import sys

    return subprocess.run(
        [sys.executable, "-m", "flows", *arguments],
        capture_output=True, text=True, env={**os.environ, **environment}, timeout=100,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("profiles", "variables", "engine"),
    [
        (None, {}, "direct"),
        (None, {"PREFECT_API_URL": "http://127.0.0.1:4200/api"}, "prefect"),
        ('active = "x"\n[profiles.x]\nPREFECT_API_URL = "http://h/api"', {}, "prefect"),
        (
            'active = "x"\n[profiles.x]\n[profiles.y]\nPREFECT_API_URL = "http://h/api"',
            {},
            "direct",
        ),
        ('active = "x"\n[profiles.y]\nPREFECT_API_URL = "u"', {"PREFECT_PROFILE": "y"}, "prefect"),
        ("not toml [", {}, "direct"),
    ],
)
def test_auto_is_prefect_where_an_api_is_configured(
    monkeypatch, tmp_path, profiles, variables, engine
):
    """By variable or by profile, found out without importing Prefect."""
    for name in ("PREFECT_API_URL", "PREFECT_PROFILE", "PREFECT_PROFILES_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    if profiles is not None:
        (tmp_path / "profiles.toml").write_text(profiles)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert chosen_engine("auto") == engine
    assert chosen_engine("direct") == "direct"


def test_an_error_of_ours_carries_code_and_remedy():
    """What the engines hand on."""
    error = LiveTrafficError("It broke.", "Mend it.")
    assert (str(error), error.exit_code) == ("It broke. Mend it.", 1)
