"""A server that ends the session at each statement of a commit, one after the other."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, text

from livetraffic.errors import SinkError
from load.database.sink import DatabaseSink
from tests.contract.stores import SENT, STORES, at, covering, prepared, put
from tests.figures import Figures, long_form

END = {"postgres": "SELECT pg_terminate_backend({})", "mariadb": "KILL {}"}
SESSION = {"postgres": "SELECT pg_backend_pid()", "mariadb": "SELECT CONNECTION_ID()"}
A = "a.example.com"


@pytest.fixture(params=END, ids=str)
def name(request: pytest.FixtureRequest) -> str:
    STORES[request.param].find()
    return str(request.param)


@pytest.fixture
def place(tmp_path: Path, name: str) -> Iterator[Path]:
    yield tmp_path / "warehouse"
    STORES[name].drop(tmp_path / "warehouse")


@pytest.fixture
def sink(name: str, place: Path) -> DatabaseSink:
    made = prepared(STORES[name], place)
    assert isinstance(made, DatabaseSink)
    made._sleeper = lambda _: None
    return made


@contextmanager
def ended_at(sink: DatabaseSink, name: str, wanted: int, *, lasting: bool) -> Iterator[list[int]]:
    """The session is ended before its statement of that number; ``lasting``: at every later one too."""
    seen: list[int] = []

    def end(connection: Connection, *_: object) -> None:
        seen.append(1)
        if len(seen) == wanted or (lasting and len(seen) > wanted):
            with connection.connection.driver_connection.cursor() as cursor:  # type: ignore[union-attr]
                cursor.execute(SESSION[name])
                number = cursor.fetchone()[0]
            with sink._dialect.reader.connect() as other:
                other.execution_options(isolation_level="AUTOCOMMIT")
                other.exec_driver_sql(END[name].format(number))

    def before(connection: Connection, _: object, statement: str, *rest: object) -> None:
        if statement != END[name].format(0) and not statement.startswith(
            ("KILL", "SELECT pg_term")
        ):
            end(connection)

    event.listen(sink._dialect.writer, "before_cursor_execute", before)
    try:
        yield seen
    finally:
        event.remove(sink._dialect.writer, "before_cursor_execute", before)


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "lasting"])
def test_a_session_that_is_ended_at_any_statement_loses_nothing(
    sink: DatabaseSink, place: Path, name: str, lasting: bool, figures: Figures
) -> None:
    put(sink, [(A, at(point), 0) for point in range(20)])
    # All of them tried again six times each takes its time: in the short form some of them.
    stride = 5 if lasting and not long_form() else 1
    number, value, cuts = 1 - stride, 0, 0
    while True:
        number += stride
        rows = [(A, at(point), number) for point in range(20)]
        with ended_at(sink, name, number, lasting=lasting) as seen:
            try:
                put(sink, rows, covering(rows, fetched_at=SENT + number))
            except SinkError as error:
                assert lasting
                assert "broke" in error.message
                assert "intact" in error.remedy
            else:
                value = number
        if len(seen) < number:
            break
        cuts += 1
        found = STORES[name].read(place)
        assert set(found.values.values()) == {value}
        assert len(found.values) == 20
    with sink._dialect.reader.connect() as connection:
        assert connection.execute(text("SELECT COUNT(*) FROM traffic")).scalar() == 20
    assert cuts > 8 // stride
    words = "at every later statement too" if lasting else "once"
    figures("vanishing databases", f"the session is ended, {words}", cuts, sink=name)
