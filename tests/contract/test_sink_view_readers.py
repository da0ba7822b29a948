"""A dashboard that keeps one connection open and asks a view again and again while runs load."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import servers
from tests.contract import database_reader
from tests.contract.processes import Worker, worker
from tests.contract.stores import STEP, Store, prepared
from tests.contract.workers import DOMAINS, POINTS, START

Ask = Callable[[str], list[tuple[Any, ...]]]
SEEN = 12
VIEW = """
SELECT domain, SUM(traffic_bytes), SUM(points), COUNT(*)
FROM traffic_daily
GROUP BY domain
ORDER BY domain
"""


@contextmanager
def _sqlite(place: Path) -> Iterator[Ask]:
    with closing(database_reader.sqlite_connection(place)) as connection:
        yield lambda statement: connection.execute(statement).fetchall()


@contextmanager
def _postgres(place: Path) -> Iterator[Ask]:
    with servers.postgres_connection(place) as connection:
        connection.autocommit = True
        connection.execute("SET jit = off")  # as sql/grants sets it for readers (decision 008)
        yield lambda statement: connection.execute(statement.encode()).fetchall()


@contextmanager
def _mariadb(place: Path) -> Iterator[Ask]:
    with servers.mariadb_connection(place) as connection, connection.cursor() as cursor:
        connection.autocommit(True)

        def ask(statement: str) -> list[tuple[Any, ...]]:
            cursor.execute(statement)
            return list(cursor.fetchall())

        yield ask


READERS = {"sqlite": _sqlite, "postgres": _postgres, "mariadb": _mariadb}


def test_a_reader_of_a_view_sees_whole_commits_and_no_error(
    store: Store, place: Path, request: pytest.FixtureRequest
) -> None:
    """Each commit gives every point of both domains its number; a sum of two numbers is torn."""
    name = str(request.node.callspec.params["store"])
    if name not in READERS:
        pytest.skip("its readers open files: see test_parquet_readers and test_duckdb_file")
    sink = prepared(store, place)
    sink.extend_calendar(START, START + POINTS * STEP)
    with READERS[name](place) as ask:
        assert ask(VIEW) == []
        with worker("generations", name, place) as writer:
            seen = _generations(ask, writer)
    assert seen == sorted(seen), "no reader goes back in time"
    assert len(set(seen)) == SEEN


def _generations(ask: Ask, writer: Worker) -> list[int]:
    """The numbers of the commits that the answers show, until enough have been seen."""
    seen: list[int] = []
    while len(set(seen)) < SEEN:
        assert writer.lives, "the writer goes on"
        answer = [(row[0], int(row[1]), int(row[2])) for row in ask(VIEW)]
        if not answer:
            assert not seen
            continue
        generation, rest = divmod(answer[0][1], POINTS)
        assert rest == 0
        assert answer == [(domain, generation * POINTS, POINTS) for domain in DOMAINS]
        seen.append(generation)
    return seen
