"""Servers that are killed, or shut down, and started again: in a commit, and under a whole run."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pymysql
import pytest
from sqlalchemy import event, make_url

from extract.standin.server import Standin
from livetraffic.errors import SinkError
from load.database.sink import DatabaseSink
from terminal import settings_of
from tests.contract.stores import SENT, SETTLE_AFTER, STEP, ZONE, at, covering, put
from tests.figures import Figures, long_form
from tests.private_servers import PrivateMariadb, PrivatePostgres, UnavailableError
from tests.source import offered

KINDS = {"postgres": PrivatePostgres, "mariadb": PrivateMariadb}
A = "a.example.com"
NIGHT = "2026-03-01T19:15:00Z"


@pytest.fixture(scope="module", params=KINDS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def server(name: str) -> Iterator[PrivatePostgres | PrivateMariadb]:
    """A server that nobody else uses; PostgreSQL's user could not reach a directory of pytest's."""
    with tempfile.TemporaryDirectory(prefix="lt-stopped-") as directory:
        try:
            own = KINDS[name](Path(directory))
        except UnavailableError as why:
            if os.environ.get("REQUIRE_SERVERS") == "1":
                raise
            pytest.skip(str(why))
        try:
            yield own
        finally:
            own.close()


@pytest.fixture
def url(server: PrivatePostgres | PrivateMariadb) -> str:
    """An empty database there."""
    server.start()
    statements = "DROP DATABASE IF EXISTS warehouse", "CREATE DATABASE warehouse"
    if isinstance(server, PrivatePostgres):
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(f"{statements[0]} WITH (FORCE)")
            connection.execute(statements[1])
    else:
        with closing(mariadb(server.url, None)) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
    return make_url(server.url).set(database="warehouse").render_as_string(hide_password=False)


def mariadb(url: str, database: str | None) -> pymysql.Connection:
    return pymysql.connect(
        host="127.0.0.1", port=make_url(url).port, user="root", database=database, autocommit=True
    )


def stored(url: str) -> dict[tuple[str, int], int]:
    """Every row, through the database's driver."""
    select = "SELECT domain, timestamp, traffic_bytes FROM traffic"
    if url.startswith("postgresql"):
        with psycopg.connect(url) as connection:
            rows = connection.execute(select).fetchall()
        found = [(domain, moment, value) for domain, moment, value in rows]
    else:
        with closing(mariadb(url, "warehouse")) as connection, connection.cursor() as cursor:
            cursor.execute(select)
            found = [(d, moment.replace(tzinfo=UTC), value) for d, moment, value in cursor]
    values = {(domain, int(moment.timestamp())): value for domain, moment, value in found}
    assert len(values) == len(found), "a key stands twice"
    return values


@contextmanager
def stopped_at(
    sink: DatabaseSink, server: PrivatePostgres | PrivateMariadb, wanted: int
) -> Iterator[list[int]]:
    """The server is stopped before the statement of that number; killed at every second one."""
    seen: list[int] = []

    def stop(*_: object) -> None:
        seen.append(1)
        if len(seen) == wanted:
            server.stop(kill=wanted % 2 == 0)

    event.listen(sink._dialect.writer, "before_cursor_execute", stop)
    try:
        yield seen
    finally:
        event.remove(sink._dialect.writer, "before_cursor_execute", stop)


@pytest.mark.parametrize("comes_back", [True, False], ids=["comes back", "stays away"])
def test_a_server_that_stops_at_any_statement_loses_nothing(
    server: PrivatePostgres | PrivateMariadb,
    url: str,
    name: str,
    comes_back: bool,
    figures: Figures,
) -> None:
    """While a batch waits to try again, the server comes back; or it does not, and that is said."""
    sink = DatabaseSink(url, sleeper=lambda _: server.start() if comes_back else None)
    sink.prepare(step=STEP, timezone=ZONE, settle_after=SETTLE_AFTER)
    rows = [(A, at(point), 0) for point in range(20)]
    put(sink, rows)
    stride = 1 if long_form() else 4
    number, value, stops = 1 - stride, 0, 0
    while True:
        number += stride
        rows = [(A, at(point), number) for point in range(20)]
        with stopped_at(sink, server, number) as seen:
            try:
                put(sink, rows, covering(rows, fetched_at=SENT + number))
            except SinkError as error:
                assert not comes_back
                assert error.remedy
                server.start()
            else:
                value = number
        assert stored(url) == {(A, at(point)): value for point in range(20)}
        if len(seen) < number:
            break
        stops += 1
    assert stops > 8 // stride
    words = "comes back" if comes_back else "stays away"
    figures("vanishing databases", f"the server stops at a statement and {words}", stops, sink=name)


def test_a_server_that_takes_its_time_to_come_back_is_waited_for(
    server: PrivatePostgres | PrivateMariadb, url: str
) -> None:
    """The connection broke; then it refuses others for a while, as it was not there at all."""
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            server.start()

    sink = DatabaseSink(url, sleeper=pause)
    sink.prepare(step=STEP, timezone=ZONE, settle_after=SETTLE_AFTER)
    with stopped_at(sink, server, 1):
        put(sink, [(A, at(0), 7)])
    assert len(pauses) == 3
    assert stored(url) == {(A, at(0)): 7}


@pytest.mark.parametrize("kill", [False, True], ids=["shut down", "killed"])
def test_a_run_outlives_a_restart_of_its_server(
    server: PrivatePostgres | PrivateMariadb,
    url: str,
    name: str,
    kill: bool,
    tmp_path: Path,
    figures: Figures,
) -> None:
    """The run itself goes on, or the next one does the rest: in the end it is what the source has."""
    began = datetime.fromisoformat(NIGHT)
    with Standin(domains=3, now=began, requests_per_minute=0) as standin:
        standin.faults([{"kind": "slow", "seconds": 0.2, "operation": "traffic", "times": 100}])
        given = {**settings_of(standin, tmp_path), "LIVE_TRAFFIC_WAREHOUSE": url}
        command = [
            sys.executable, "-m", "flows", "backfill", "--engine", "direct", "--as-of", NIGHT,
            "--json",
        ]  # fmt: skip

        def begun() -> "subprocess.Popen[str]":
            return subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                env={**os.environ, **given},
            )  # fmt: skip

        with begun() as run:
            while len(standin.requests("traffic")) < 4:
                assert run.poll() is None, run.communicate()
            server.stop(kill=kill)
            server.start()
            out, err = run.communicate(timeout=200)
        assert "Traceback" not in err
        assert run.returncode in {0, 1}, (out, err)
        if run.returncode:
            with begun() as run:
                out, err = run.communicate(timeout=200)
            assert run.returncode == 0, (out, err)
        assert stored(url) == offered(standin, NIGHT)
    figures("vanishing databases", "the server restarts under a run", 1, sink=name)
