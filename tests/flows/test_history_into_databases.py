"""The whole way into a SQL database, against the stand-in; read back through the database's driver."""

from datetime import datetime
from pathlib import Path

import pytest

from extract.standin.server import Standin
from livetraffic.limits import V1
from terminal import CommandLine, commands
from tests import servers
from tests.contract.stores import STORES, Store

STEP = 300
NIGHT = "2026-03-01T19:15:00Z"
NEXT_NIGHT = "2026-03-02T19:15:00Z"
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
    with Standin(domains=6, now=at(NIGHT)) as server:
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
    """The command line on a database."""
    return commands(capsys, monkeypatch, standin, URLS[name](place))


def offered(standin: Standin, instant: str) -> dict[tuple[str, int], int]:
    reach = V1.reach(int(at(instant).timestamp()), STEP)
    return {
        (domain, int(moment.timestamp())): value
        for domain in standin.domains("pull")
        for moment, value in standin.truth(domain, reach.starts_at, reach.ends_at).items()
    }


def night(live: CommandLine, command: str, instant: str):
    live.standin.set_clock(at(instant))
    return live.json(command, "--engine", "direct", as_of=instant)


def test_backfill_nightly_coverage_plan_and_sql(live, store: Store, place: Path) -> None:
    plan = live.json("plan", as_of=NIGHT)
    first = night(live, "backfill", NIGHT)
    assert first["exit_code"] == 0
    assert first["requests"] == plan["requests"]
    assert store.read(place).values == offered(live.standin, NIGHT)
    assert first["inserted"] == len(store.read(place).values)

    again = night(live, "nightly", NIGHT)
    assert (again["inserted"], again["updated"]) == (0, 0)
    second = night(live, "nightly", NEXT_NIGHT)
    assert second["exit_code"] == 0
    held = store.read(place).values
    offer = offered(live.standin, NEXT_NIGHT)
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
