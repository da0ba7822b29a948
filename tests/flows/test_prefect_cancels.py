"""A run that is cancelled in Prefect, on a real server: it keeps what it read and is Cancelled."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from extract.standin.server import Standin
from test_history_into_warehouse import NIGHT, at, offered, stored
from test_killed_and_stopped import temporaries
from test_signals import MANY, SILENCE, SOON, finished_by_the_next, silent
from tests.figures import long_form

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 100
PREFECT = (sys.executable, "-m", "prefect", "--no-prompt")
pytestmark = [pytest.mark.prefect, pytest.mark.timeout(600)]


@pytest.fixture
def api(prefect_api, monkeypatch) -> str:
    """The server, which is used by what this test starts."""
    monkeypatch.setenv("PREFECT_API_URL", prefect_api)
    return prefect_api


@pytest.fixture
def standin():
    """Six domains, a clock that stands still; after four answers it is silent."""
    with Standin(domains=6, now=at(NIGHT), requests_per_minute=0) as server:
        slow = {"kind": "slow", "seconds": SILENCE, "operation": "traffic", "after": 4}
        server.faults([{**slow, "times": MANY}])
        yield server


@contextmanager
def at_work(*command: str) -> Iterator[subprocess.Popen]:
    """A process that executes runs, looking for them every second."""
    quick = {"PREFECT_WORKER_QUERY_SECONDS": "1", "PREFECT_RUNNER_POLL_FREQUENCY": "1"}
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **quick},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            if command != WORKER:  # how Prefect's own worker ends is not ours to promise
                raise


WORKER = (*PREFECT, "worker", "start", "--pool", "live-traffic", "--type", "process")
SERVE = (sys.executable, "-m", "flows", "serve", "--cron", "0 0 1 1 *")


def until(holds, process, longest=PATIENCE_SECONDS):
    """Poll until it holds; what it gave."""
    deadline = time.monotonic() + longest
    while not (found := holds()):
        assert process.poll() is None, process.communicate()
        if time.monotonic() > deadline:
            process.kill()
            pytest.fail(f"the condition never held: {process.communicate()}")
        time.sleep(0.1)
    return found


def new_run(api: str, deployment: str, process) -> str:
    """The id of a run that was asked for now."""

    def known():
        answer = requests.get(f"{api}/deployments/name/{deployment}", timeout=30)
        found = answer.json()
        return answer.ok and found["status"] == "READY" and found["id"]

    now = {"scheduled_time": datetime.now(UTC).isoformat()}
    made = requests.post(
        f"{api}/deployments/{until(known, process)}/create_flow_run",
        json={
            "parameters": {"as_of": NIGHT},
            "state": {"type": "SCHEDULED", "name": "Scheduled", "state_details": now},
        },
        timeout=30,
    ).json()
    return str(made["id"])


def started(api: str, deployment: str, process, standin) -> str:
    """The id of a new run to which the source is silent."""
    run = new_run(api, deployment, process)
    until(lambda: silent(standin) >= 2, process)
    return run


def deployed(name: str = "backfill") -> None:
    """A work pool of processes and a deployment of ``prefect.yaml``, as the docs make them."""
    for words in (
        ["work-pool", "create", "live-traffic", "--type", "process", "--overwrite"],
        ["deploy", "-n", name],
    ):
        made = subprocess.run([*PREFECT, *words], cwd=ROOT, capture_output=True, text=True)
        assert made.returncode == 0, made.stdout + made.stderr


def state_of(api: str, run: str) -> str:
    return str(requests.get(f"{api}/flow_runs/{run}", timeout=30).json()["state"]["type"])


def cancel(api: str, run: str) -> None:
    """What the button of the UI and ``prefect flow-run cancel`` do."""
    asked = {"state": {"type": "CANCELLING", "name": "Cancelling"}}
    requests.post(f"{api}/flow_runs/{run}/set_state", json=asked, timeout=30).raise_for_status()


def said(api: str, run: str, words: str) -> bool:
    """Whether the words come into the run's log, as the UI shows it, which is sent in parcels."""
    wanted = {"logs": {"flow_run_id": {"any_": [run]}}}
    deadline = time.monotonic() + SOON
    while time.monotonic() < deadline:
        lines = requests.post(f"{api}/logs/filter", json=wanted, timeout=30).json()
        if any(words in line["message"] for line in lines):
            return True
        time.sleep(0.2)
    return False


def kept(live) -> None:
    """What had been read is there and right, and the next run does the rest."""
    held, offer = stored(live.warehouse), offered(live.standin, NIGHT)
    assert held.items() <= offer.items()
    assert held, "four answers came"
    assert temporaries(live.warehouse) == []
    finished_by_the_next(live)


RUNNERS = {"worker": (WORKER, "backfill/backfill"), "serve": (SERVE, "nightly/nightly")}
STOPS = {"SIGINT": (signal.SIGINT, 130), "SIGTERM": (signal.SIGTERM, 143)}


def tried(kinds):
    """All of them in the long form, else the first: each takes half a minute."""
    return list(kinds) if long_form() else list(kinds)[:1]


@pytest.mark.parametrize("runner", tried(RUNNERS))
def test_a_cancelled_run_keeps_what_it_read(api, live, figures, runner):
    """Cancelled within ten seconds while the source is silent: finished or left out, and named so."""
    command, deployment = RUNNERS[runner]
    if command is WORKER:
        deployed()
    with at_work(*command) as process:
        run = started(api, deployment, process, live.standin)
        began = time.monotonic()
        cancel(api, run)
        until(lambda: state_of(api, run) not in ("RUNNING", "CANCELLING"), process)
        took = time.monotonic() - began
    assert state_of(api, run) == "CANCELLED"
    assert took < SOON
    assert said(api, run, "Stopped on request")
    kept(live)
    figures("signals", "cancelled in Prefect", 1)


@pytest.mark.parametrize("stop", tried(STOPS))
def test_a_schedule_that_is_stopped_ends_its_run_first(api, live, figures, stop):
    """``serve`` exits with the signal's code; its run has kept what it read, and is not left Running.

    How Prefect calls it is Prefect's business: its runner tells the run of no cancellation then.
    """
    number, code = STOPS[stop]
    with at_work(*SERVE) as process:
        run = started(api, "nightly/nightly", process, live.standin)
        process.send_signal(number)
        out, _ = process.communicate(timeout=100)
    assert process.returncode == code, out
    assert state_of(api, run) in {"CANCELLED", "CRASHED"}
    assert said(api, run, "Stopped on request")
    kept(live)
    figures("signals", "of a schedule", 1)
