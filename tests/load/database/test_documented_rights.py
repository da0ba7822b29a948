"""The grants in ``docs/how-do-i-keep-it-in-a-database.md`` are enough, and not too many."""

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pymysql
import pytest
from sqlalchemy import make_url

from livetraffic.errors import LiveTrafficError
from load.database.sink import DatabaseSink
from tests import servers
from tests.contract.stores import (
    JANUARY,
    LOADED_AT,
    RUN,
    SENT,
    SETTLE_AFTER,
    STEP,
    ZONE,
    covering,
    frame,
)

PAGE = Path(__file__).parents[3] / "docs" / "how-do-i-keep-it-in-a-database.md"


def documented(kind: str, role: str, names: dict[str, str]) -> list[str]:
    """The statements of one block of the page, with names of this test's own."""
    (block,) = re.findall(
        rf"```sql\n-- {kind}: {role}\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL
    )
    for old, new in names.items():
        block = re.sub(rf"\b{old}\b", new, block)
    return [statement for statement in block.split(";\n") if statement.strip()]


@pytest.fixture
def postgres_urls(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The URLs of a loader and a reader."""
    name = servers._name(tmp_path)
    url = make_url(servers.postgres())
    names = {"loader": f"{name}_l", "reader": f"{name}_r", "traffic": name,
             "warehouse": f'"{url.database}"'}  # fmt: skip
    with servers.postgres_connection() as connection:
        for role in ("loader", "reader"):
            connection.execute(f"CREATE ROLE {names[role]} LOGIN PASSWORD 'x'".encode())
            for statement in documented("postgresql", role, names):
                connection.execute(statement.encode())
        made = [
            url.set(username=names[role], password="x").update_query_dict({"schema": name})
            for role in ("loader", "reader")
        ]
        yield made[0].render_as_string(False), made[1].render_as_string(False)
        connection.execute(f"DROP SCHEMA {name} CASCADE".encode())
        for role in ("loader", "reader"):
            connection.execute(f"DROP OWNED BY {names[role]}".encode())
            connection.execute(f"DROP ROLE {names[role]}".encode())


@pytest.fixture
def mariadb_urls(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The URLs of a loader and a reader."""
    url = make_url(servers.mariadb_place(tmp_path))
    name = str(url.database)
    names = {"loader": f"{name}_l", "reader": f"{name}_r", "warehouse": name}
    with servers.mariadb_connection() as connection, connection.cursor() as cursor:
        for role in ("loader", "reader"):
            cursor.execute(f"CREATE USER {names[role]} IDENTIFIED BY 'x'")
            for statement in documented("mariadb", role, names):
                cursor.execute(statement)
        made = [url.set(username=names[role], password="x") for role in ("loader", "reader")]
        yield made[0].render_as_string(False), made[1].render_as_string(False)
        for role in ("loader", "reader"):
            cursor.execute(f"DROP USER {names[role]}")
    servers.drop_mariadb_place(tmp_path)


@pytest.fixture(params=["postgres", "mariadb"])
def urls(request: pytest.FixtureRequest) -> tuple[str, str]:
    try:
        found = request.getfixturevalue(f"{request.param}_urls")
    except (psycopg.errors.InsufficientPrivilege, pymysql.OperationalError) as error:
        pytest.skip(f"the test's own user may not make users: {error}")
    return tuple(found)


def test_the_documented_rights_are_enough_and_a_reader_writes_nothing(
    urls: tuple[str, str],
) -> None:
    loader, reader = map(DatabaseSink, urls)
    rows = [("a.example", JANUARY + i * STEP, i) for i in range(1000)]
    with loader.run_lock(wait=0, holder="loader"):
        loader.prepare(step=STEP, timezone=ZONE, settle_after=SETTLE_AFTER)
        loader.extend_calendar(JANUARY, JANUARY + STEP)
        for sent in (SENT, SENT + 1):
            loader.upsert(
                frame([(domain, at, value + sent - SENT) for domain, at, value in rows]),
                covering(rows, fetched_at=sent),
                loaded_at=LOADED_AT,
                run_id=RUN,
            )
        loader.prepare(step=STEP, timezone=ZONE, settle_after=1)
    assert reader.query("SELECT SUM(points) AS n FROM traffic_daily").to_pylist() == [{"n": 1000}]
    assert len(reader.ledger()) == 2
    with pytest.raises(LiveTrafficError) as caught:
        reader.upsert(frame(rows), covering(rows), loaded_at=LOADED_AT, run_id=RUN)
    assert "right" in caught.value.message
    with pytest.raises(LiveTrafficError):
        reader.prepare(step=STEP, timezone=ZONE, settle_after=2)
