"""Damage in the tables of each database: found, mended, read again, equal to the source in the end."""

from pathlib import Path

import duckdb
import pytest
from sqlalchemy import create_engine, text

from extract.standin.server import Standin
from livetraffic.limits import V1
from terminal import CommandLine, commands
from test_history_into_warehouse import at, later
from tests import servers
from tests.contract import version_1
from tests.contract.stores import STORES, Store
from tests.figures import Figures, long_form

NIGHT = "2026-02-10T19:15:00Z"
URLS = {
    "sqlite": lambda place: f"sqlite:///{place}/warehouse.sqlite",
    "duckdb": lambda place: f"duckdb:///{place}/warehouse.duckdb",
    "postgres": servers.postgres_place,
    "mariadb": servers.mariadb_place,
}
FIRST = "(SELECT d FROM (SELECT MIN(domain) AS d FROM traffic) AS x)"


@pytest.fixture
def standin():
    with Standin(domains=2, now=at(NIGHT), requests_per_minute=0) as server:
        yield server


@pytest.fixture(params=URLS, ids=str)
def name(request) -> str:
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
    """The command line on a database that a night has filled."""
    for key, value in (("RETENTION", "5d"), ("API", "v1"), ("REQUESTS_PER_MINUTE", "100000")):
        monkeypatch.setenv(f"LIVE_TRAFFIC_{key}", value)
    line = commands(capsys, monkeypatch, standin, URLS[name](place))
    assert line.json("nightly", "--engine", "direct", as_of=NIGHT)["exit_code"] == 0
    return line


def offer(live: CommandLine) -> dict:
    since = at(later(NIGHT, days=-5, hours=1))
    until = V1.reach(int(at(NIGHT).timestamp()), 300).ends_at
    return {
        (domain, int(moment.timestamp())): value
        for domain in live.standin.domains("pull")
        for moment, value in live.standin.truth(domain, since, until).items()
    }


def execute(live: CommandLine, place: Path, name: str, *statements: str) -> None:
    """Past the sink, as a stranger with a client would."""
    if name == "duckdb":
        with duckdb.connect(str(place / "warehouse.duckdb")) as connection:
            for statement in statements:
                connection.execute(statement)
        return
    if name == "postgres":
        with servers.postgres_connection(place) as postgres:
            for statement in statements:
                postgres.execute(statement.encode())
    elif name == "mariadb":
        with servers.mariadb_connection(place) as mariadb, mariadb.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
    else:
        engine = create_engine(f"sqlite:///{place}/warehouse.sqlite")
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))
        engine.dispose()


DAMAGES = {
    "negative": f"UPDATE traffic SET traffic_bytes = -5 WHERE domain = {FIRST}"
    " AND timestamp = '2026-02-07 00:00:00.000000'",
    "missing": f"DELETE FROM traffic WHERE domain = {FIRST}"
    " AND timestamp < '2026-02-07 00:00:00.000000'",
    "different": f"UPDATE traffic SET traffic_bytes = 5 WHERE domain = {FIRST}"
    " AND timestamp = '2026-02-07 00:00:00.000000'",
    "unrecorded": "DELETE FROM load_ledger",
    "calendar": "UPDATE calendar SET local_hour = 3",
}


@pytest.mark.parametrize("kind", DAMAGES if long_form() else ["negative", "missing"])
def test_damaged_tables_are_mended(live, store, place, name, kind, figures: Figures):
    held = offer(live)
    execute(live, place, name, DAMAGES[kind])
    found = live.json("fsck", as_of=NIGHT)
    assert found["exit_code"] == 3
    assert kind in {item["kind"] for item in found["findings"]}
    document = live.json("fsck", "--repair", as_of=NIGHT)
    assert document["exit_code"] == 0, document["left"]
    assert bool(document["set_aside"]) == (kind == "negative")
    assert bool(document["due"]) == (kind != "calendar")
    assert live.json("nightly", "--engine", "direct", as_of=NIGHT)["exit_code"] == 0
    assert store.read(place).values == held
    sound = live.json("fsck", as_of=NIGHT)
    assert sound["exit_code"] == 0, sound["findings"]
    figures("damage", f"rows: {kind}", 1, sink=name)


@pytest.mark.parametrize(
    ("what", "statement"),
    [
        ("a view", "DROP VIEW freshness"),
        ("a table", "DROP TABLE reconciliations"),
        ("a column", "ALTER TABLE domains DROP COLUMN previous_account"),
    ][: 3 if long_form() else 1],
)
def test_what_is_missing_of_the_tables_is_made(
    live, store, place, name, what, statement, figures: Figures
):
    if what == "a table":  # views that read it go with it
        views = ["reconciliation_latest"]
        execute(live, place, name, *(f"DROP VIEW IF EXISTS {view}" for view in views), statement)
    else:
        execute(live, place, name, statement)
    found = live.json("fsck", as_of=NIGHT)
    assert found["exit_code"] == 3
    assert {item["kind"] for item in found["findings"]} == {"half_moved"}
    document = live.json("fsck", "--repair", as_of=NIGHT)
    assert document["exit_code"] == 0, document["left"]
    assert live.json("nightly", "--engine", "direct", as_of=NIGHT)["exit_code"] == 0
    assert store.read(place).values == offer(live)
    assert len(live.json("sql", "SELECT * FROM freshness")) == 2
    figures("damage", f"{what} is gone", 1, sink=name)


def test_a_key_that_stands_twice_is_found_where_the_database_keeps_none(
    live, store, place, name, figures: Figures
):
    if name != "duckdb":
        pytest.skip("its key forbids it")
    execute(live, place, name, "INSERT INTO traffic SELECT * FROM traffic LIMIT 3")
    found = live.json("fsck", as_of=NIGHT)
    assert "duplicate" in {item["kind"] for item in found["findings"]}
    assert live.json("fsck", "--repair", as_of=NIGHT)["exit_code"] == 0
    assert live.json("nightly", "--engine", "direct", as_of=NIGHT)["exit_code"] == 0
    assert store.read(place).values == offer(live)
    figures("damage", "rows: duplicate", 1, sink=name)


def test_a_version_1_database_is_told_and_moved(
    capsys, monkeypatch, standin, store, place, name, figures: Figures
):
    version_1.MADE[name](place)
    live = commands(capsys, monkeypatch, standin, URLS[name](place))
    found = live.json("fsck", as_of=NIGHT)
    assert found["exit_code"] == 3
    assert {item["kind"] for item in found["findings"]} == {"half_moved"}
    repaired = live.json("fsck", "--repair", as_of=NIGHT)
    assert {item["kind"] for item in repaired["left"]} == set(), repaired
    assert store.read(place).settings[0] == 2
    figures("damage", "half moved", 1, sink=name)


@pytest.mark.parametrize("content", [b"not a database at all" * 400, None], ids=["foreign", "cut"])
def test_a_damaged_file_is_set_aside_whole(live, store, place, name, content, figures: Figures):
    path = place / f"warehouse.{name}"
    if name not in {"sqlite", "duckdb"}:
        pytest.skip("not a file of ours")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if content is None else content)
    for ending in ("-wal", "-shm", ".wal"):
        path.with_name(f"{path.name}{ending}").unlink(missing_ok=True)
    damaged = path.read_bytes()
    found = live.json("fsck", as_of=NIGHT)
    assert found["exit_code"] == 3
    assert {item["kind"] for item in found["findings"]} <= {"damaged", "half_moved"}
    document = live.json("fsck", "--repair", as_of=NIGHT)
    assert document["exit_code"] == 0, document["left"]
    assert damaged in [Path(each).read_bytes() for each in document["set_aside"]]
    assert live.json("nightly", "--engine", "direct", as_of=NIGHT)["exit_code"] == 0
    assert store.read(place).values == offer(live)
    figures("damage", "the database's file", 1, sink=name)
