"""The whole way into a SQL database, against the stand-in; read back through the database's driver."""

import dataclasses
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from extract.standin.server import Standin
from livetraffic.limits import V1
from livetraffic.window import DAY, to_seconds
from terminal import CommandLine, commands
from tests import servers
from tests.contract.stores import STORES, Store
from tests.source import offered

NIGHT = "2026-03-01T19:15:00Z"
NEXT_NIGHT = "2026-03-02T19:15:00Z"
OFFERED = dataclasses.replace(V1, retention=40 * DAY)
"""Two windows a domain are as good as three: how far back v1 reaches is no matter of the database."""
URLS = {
    "sqlite": lambda place: f"sqlite:///{place}/warehouse.sqlite",
    "postgres": servers.postgres_place,
    "mariadb": servers.mariadb_place,
}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.fixture
def standin():
    """A stand-in whose clock stands still."""
    with Standin(domains=6, now=at(NIGHT), requests_per_minute=0) as server:
        yield server


@pytest.fixture(params=URLS, ids=str)
def name(request) -> str:
    """A kind of database that is there."""
    STORES[request.param].find()
    return str(request.param)


@pytest.fixture
def store(name) -> Store:
    return STORES[name]


@pytest.fixture
def place(tmp_path, store):
    yield tmp_path / "warehouse"
    store.drop(tmp_path / "warehouse")


@pytest.fixture
def live(capsys, monkeypatch, standin, name, place: Path) -> CommandLine:
    """The command line on a database; no quota to wait for."""
    monkeypatch.setenv("LIVE_TRAFFIC_REQUESTS_PER_MINUTE", "100000")
    monkeypatch.setenv("LIVE_TRAFFIC_RETENTION", "40d")
    return commands(capsys, monkeypatch, standin, URLS[name](place))


def night(live: CommandLine, command: str, instant: str):
    live.standin.set_clock(at(instant))
    return live.json(command, "--engine", "direct", as_of=instant)


def test_backfill_nightly_coverage_plan_and_sql(live, store: Store, place: Path) -> None:
    plan = live.json("plan", as_of=NIGHT)
    first = night(live, "backfill", NIGHT)
    assert first["exit_code"] == 0
    assert first["requests_by_operation"]["traffic"] == plan["requests"]
    assert store.read(place).values == offered(live.standin, NIGHT, OFFERED)
    assert first["inserted"] == len(store.read(place).values)

    again = night(live, "nightly", NIGHT)
    assert (again["inserted"], again["updated"]) == (0, 0)
    second = night(live, "nightly", NEXT_NIGHT)
    assert second["exit_code"] == 0
    held = store.read(place).values
    offer = offered(live.standin, NEXT_NIGHT, OFFERED)
    assert {key: held.get(key) for key in offer} == offer

    coverage = live.json("coverage", as_of=NEXT_NIGHT)
    assert {row["state"] for row in coverage["intervals"]} == {"complete", "provisional"}
    (row,) = live.json("sql", "SELECT COUNT(*) AS n, SUM(traffic_bytes) AS b FROM traffic")
    assert row == {"n": len(held), "b": sum(held.values())}
    days = live.json("sql", "SELECT * FROM traffic_daily WHERE local_date = '2026-02-01'")
    assert len(days) == len(live.standin.domains("pull"))
    assert {day["complete"] for day in days} == {True}
    assert live("sql", "DELETE FROM traffic").code == 2
    assert live.json("doctor")["checks"][1]["ok"]
    assert not list(place.parent.glob("**/.state.sqlite"))[1:], "one state file, in the state home"


def test_both_services_and_their_sums(capsys, monkeypatch, name, store: Store, place: Path) -> None:
    """A new, a moved and an old domain: split at the move, sums agree, a planted row is mended."""
    monkeypatch.setenv("LIVE_TRAFFIC_REQUESTS_PER_MINUTE", "100000")
    monkeypatch.setenv("LIVE_TRAFFIC_RETENTION", "60d")
    monkeypatch.setenv("LIVE_TRAFFIC_V2_RETENTION", "70d")
    with Standin(domains=1, now=at(NIGHT), services=True, requests_per_minute=0) as standin:
        live = commands(capsys, monkeypatch, standin, URLS[name](place))
        summary = night(live, "nightly", NIGHT)
        assert summary["exit_code"] == 0, summary
        assert {row["state"] for row in summary["reconciliations"]} == {"agrees"}
        moved = to_seconds(at(NIGHT)) // DAY * DAY - 40 * DAY
        held = store.read(place)
        for (domain, moment), (_, source, _) in held.traffic.items():
            if domain == "moved001.example.com":
                assert source == ("v1" if moment < moved else "v2")
        found = {row.domain: (row.api, row.moved_at) for row in held.domains}
        assert found == {
            "play001.example.com": ("v1", None),
            "new001.example.com": ("v2", None),
            "moved001.example.com": ("v2", moved),
        }
        agreed = live.json("sql", "SELECT COUNT(*) AS n FROM reconciliation_latest")
        assert agreed[0]["n"] == len(summary["reconciliations"])
        standin.restate("new001.example.com", timestamp=at("2026-02-20T12:00:00Z"), traffic=7**15)
        outcome = live.json("reconcile", as_of=NIGHT)
        assert outcome["exit_code"] == 0, outcome
        (mended,) = [row for row in outcome["reconciliations"] if row["detail"]]
        assert mended["domain"] == "new001.example.com"
        (change,) = live.json("revisions", "--since", "1d", as_of=NIGHT)["revisions"]
        assert change["new_bytes"] == 7**15


def test_two_runs_at_once_neither_lose_nor_double(
    live, store: Store, place: Path, name, figures
) -> None:
    """The second waits for the first, then finds nothing left but what is provisional."""
    arguments = ["nightly", "--engine", "direct", "--as-of", NIGHT, "--json"]
    runs = [
        subprocess.Popen([sys.executable, "-m", "flows", *arguments], stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    said = [run.communicate(timeout=300)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    assert store.read(place).values == offered(live.standin, NIGHT, OFFERED)
    windows, sums, provisional = 5 * 2, 2, 5
    assert len(live.standin.requests("traffic")) == windows + sums + provisional
    figures("writers", "two runs at once", 2, sink=name)
