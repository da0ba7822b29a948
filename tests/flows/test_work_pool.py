"""Two Prefect workers on one work pool, and one warehouse in PostgreSQL."""

import re

import pytest

from extract.standin.server import Standin
from terminal import commands
from test_history_into_databases import NIGHT, at
from test_prefect_cancels import WORKER, at_work, deployed, new_run, state_of, until
from tests import servers
from tests.contract.stores import STORES
from tests.figures import long_form
from tests.source import offered

pytestmark = [
    pytest.mark.prefect,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not long_form(), reason="a minute or two: make reliability"),
]


@pytest.fixture
def standin():
    """A stand-in whose clock stands still and whose answers take their time."""
    with Standin(domains=6, now=at(NIGHT), requests_per_minute=0) as server:
        server.faults([{"kind": "slow", "operation": "traffic", "seconds": 0.5, "times": 15}])
        yield server


@pytest.fixture
def place(place_in_postgres):
    return place_in_postgres


def ended(worker) -> str:
    """What it has said."""
    worker.terminate()
    return str(worker.communicate(timeout=100)[0])


def test_two_workers_share_a_pool_and_no_row_stands_twice(
    prefect_api, monkeypatch, capsys, standin, place, figures
):
    """Both deployments at once, one on each worker: the second waits for the first one's lock."""
    monkeypatch.setenv("PREFECT_API_URL", prefect_api)
    monkeypatch.setenv("LIVE_TRAFFIC_REQUESTS_PER_MINUTE", "100000")
    commands(capsys, monkeypatch, standin, servers.postgres_place(place))
    deployed("backfill")
    deployed("nightly")
    one_each = [(*WORKER, "--limit", "1", "--name", name) for name in ("first", "second")]
    with at_work(*one_each[0]) as first, at_work(*one_each[1]) as second:
        runs = [new_run(prefect_api, f"{name}/{name}", first) for name in ("backfill", "nightly")]
        for run in runs:
            until(lambda run=run: state_of(prefect_api, run) == "COMPLETED", first)
        told = [ended(worker) for worker in (first, second)]
    took = [re.findall(r"submitting flow run '([^']+)'", said) for said in told]
    assert sorted(took) == sorted([[run] for run in runs]), took
    assert STORES["postgres"].read(place).values == offered(standin, NIGHT)
    asked = [(e["domain"], e["start_time"]) for e in standin.requests("traffic") if e["domain"]]
    assert len(asked) == 15 + 5, "what the first has settled the second does not ask for"
    figures("writers", "two Prefect workers on one pool", 2, sink="postgres")
