"""What a batch costs the database, by the database's own counters."""

import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from livetraffic.errors import SinkError
from load.database.dialect import Dialect
from load.database.mysql import Mysql
from load.database.sink import DatabaseSink
from load.sink import Receipt
from tests import servers
from tests.contract.stores import (
    JANUARY,
    LOADED_AT,
    RUN,
    SENT,
    STEP,
    Store,
    covering,
    entry,
    frame,
)

A, B = "a.example.com", "b.example.com"
ROWS = [(domain, JANUARY + i * STEP, i) for domain in (A, B) for i in range(400)]
CHANGED = [(domain, at, value + (1 if value % 20 == 0 else 0)) for domain, at, value in ROWS]


def put(sink: DatabaseSink, rows, *, sent: int = SENT, hours: int = 0) -> Receipt:
    entries = covering(rows, fetched_at=sent)
    return sink.upsert(
        frame(rows), entries, loaded_at=LOADED_AT + timedelta(hours=hours), run_id=RUN
    )


COUNTED = {
    "sqlite": [
        "CREATE TABLE counted (what TEXT)",
        "CREATE TRIGGER u AFTER UPDATE ON traffic BEGIN INSERT INTO counted VALUES ('update'); END",
        "CREATE TRIGGER i AFTER INSERT ON traffic BEGIN INSERT INTO counted VALUES ('insert'); END",
    ],
    "mariadb": [
        "CREATE TABLE counted (what VARCHAR(10))",
        "CREATE TRIGGER u AFTER UPDATE ON traffic FOR EACH ROW INSERT INTO counted VALUES ('update')",
        "CREATE TRIGGER i AFTER INSERT ON traffic FOR EACH ROW INSERT INTO counted VALUES ('insert')",
    ],
}


@pytest.mark.parametrize("name", ["sqlite", "mariadb"], indirect=True)
def test_only_new_and_changed_rows_are_written(
    sink: DatabaseSink, dialect: Dialect, name: str
) -> None:
    put(sink, ROWS)
    with dialect.writer.begin() as connection:
        for statement in COUNTED[name]:
            connection.exec_driver_sql(statement)
    new = [(A, JANUARY + 400 * STEP, 7)]
    assert put(sink, [*CHANGED, *new], sent=SENT + 1) == Receipt(1, 40, 760)
    with dialect.reader.connect() as connection:
        found = connection.execute(text("SELECT what, COUNT(*) FROM counted GROUP BY what")).all()
    assert dict(map(tuple, found)) == {"insert": 1, "update": 40}


@pytest.mark.parametrize("name", ["postgres"], indirect=True)
def test_unchanged_rows_are_not_even_locked(sink: DatabaseSink, store: Store, place: Path) -> None:
    """ON CONFLICT DO UPDATE ... WHERE would leave its mark (xmax) on every row it did not update."""
    put(sink, ROWS)
    before = _rows(place)
    assert put(sink, CHANGED, sent=SENT + 1) == Receipt(updated=40, unchanged=760)
    after = _rows(place)
    assert len(before & after) == 760
    assert {xmax for *_, xmax in after} == {"0"}
    assert _counters(place) == (800, 40)


def _rows(place: Path) -> set[tuple[object, ...]]:
    with servers.postgres_connection(place) as connection:
        statement = "SELECT domain, timestamp, ctid::text, xmin::text, xmax::text FROM traffic"
        return set(connection.execute(statement).fetchall())


def _counters(place: Path) -> tuple[int, int]:
    """The server's counts of inserted and updated rows; a backend reports them when it ends."""
    statement = (
        "SELECT n_tup_ins, n_tup_upd FROM pg_stat_user_tables"
        " WHERE relname = 'traffic' AND schemaname = current_schema()"
    )
    deadline = time.monotonic() + 20
    with servers.postgres_connection(place) as connection:
        while True:
            found = connection.execute(statement).fetchone()
            if found == (800, 40) or time.monotonic() > deadline:
                return found
            time.sleep(0.1)


def test_what_nothing_was_read_of_goes_straight_into_traffic(
    sink: DatabaseSink, statements: list[str]
) -> None:
    assert put(sink, ROWS) == Receipt(inserted=800)
    assert not any("staged_changes (" in s for s in statements if s.startswith("INSERT"))
    statements.clear()
    put(sink, ROWS, sent=SENT + 1)
    assert any("staged_changes (" in s for s in statements if s.startswith("INSERT"))
    assert not any(s.startswith("UPDATE") for s in statements)


@pytest.fixture
def statements(sink: DatabaseSink) -> list[str]:
    """What is sent through SQLAlchemy from now on."""
    from sqlalchemy import event

    seen: list[str] = []

    def note(_connection, _cursor, statement, *_rest) -> None:
        seen.append(statement.strip())

    event.listen(sink._dialect.writer, "before_cursor_execute", note)
    return seen


@pytest.mark.parametrize("count", [2, 2000], ids=["few", "by the bulk path"])
def test_a_row_that_the_ledger_does_not_know_is_compared_all_the_same(
    sink: DatabaseSink, dialect: Dialect, store: Store, place: Path, count: int
) -> None:
    """Somebody wrote it by hand: going straight meets its key, and the batch goes the other way.

    LOAD DATA LOCAL would pass over the row and say nothing.
    """
    with dialect.writer.begin() as connection:
        connection.execute(
            text("INSERT INTO traffic VALUES (:domain, :at, 5, 'v1', :at)"),
            {"domain": A, "at": dialect.instant(JANUARY * 1_000_000)},
        )
    rows = [(A, JANUARY + i * STEP, 6 + i) for i in range(count)]
    assert put(sink, rows) == Receipt(count - 1, 1)
    found = store.read(place)
    assert found.values == {row[:2]: row[2] for row in rows}
    assert [row[3:5] for row in found.revisions] == [(5, 6)]
    assert len(found.ledger) == 1


@pytest.mark.parametrize("name", ["mariadb"], indirect=True)
def test_a_server_without_local_files_is_loaded_all_the_same(
    sink: DatabaseSink, store: Store, place: Path
) -> None:
    dialect = sink._dialect
    assert isinstance(dialect, Mysql)
    dialect.__dict__["writer"] = dialect._engine(local_infile=False)
    many = [(A, JANUARY + i * STEP, i) for i in range(2000)]
    assert put(sink, many) == Receipt(inserted=2000)
    assert not dialect._by_file
    assert store.read(place).values == {row[:2]: row[2] for row in many}


@pytest.mark.parametrize("name", ["mariadb"], indirect=True)
def test_what_a_file_would_bend_is_refused(sink: DatabaseSink, store: Store, place: Path) -> None:
    """LOAD DATA LOCAL makes warnings of errors: a name that is cut would become another's."""
    long = [("x" * 254, JANUARY + i * STEP, i) for i in range(2000)]
    with pytest.raises(SinkError, match="domain"):
        put(sink, long)
    assert store.read(place).traffic == {}


@pytest.mark.parametrize("name", ["mariadb"], indirect=True)
def test_what_a_lenient_server_would_bend_is_refused(
    sink: DatabaseSink, store: Store, place: Path
) -> None:
    """Left to its own mode it may cut a name and only warn, also where no file is needed."""
    with pytest.raises(SinkError, match="domain"):
        put(sink, [("x" * 254, JANUARY, 1)])
    assert store.read(place).traffic == {}


def test_a_ledger_of_many_entries_is_loaded_whole(sink: DatabaseSink) -> None:
    """More than a few go by the bulk path, with empty and null values among them."""
    given = [
        entry(A, JANUARY + i * STEP, JANUARY + (i + 1) * STEP, "failed", traffic_bytes=None,
              detail="" if i % 2 else 'a "quoted", \\ and\nlong; reason', fetched_at=SENT + i)
        for i in range(1500)
    ]  # fmt: skip
    sink.upsert(frame([]), given, loaded_at=LOADED_AT, run_id=RUN)
    assert sorted(sink.ledger(), key=repr) == sorted(given, key=repr)
    whole = [made._replace(state="read", traffic_bytes=1) for made in given]
    sink.upsert(frame([]), whole, loaded_at=LOADED_AT, run_id=RUN)
    assert sorted(sink.ledger(), key=repr) == sorted([*given, *whole], key=repr)


@pytest.mark.parametrize("name", ["sqlite"], indirect=True)
def test_a_file_that_may_not_grow_is_a_full_disk(
    sink: DatabaseSink, dialect: Dialect, store: Store, place: Path
) -> None:
    from sqlalchemy import event

    put(sink, ROWS)
    before = store.read(place)

    @event.listens_for(sink._dialect.writer, "connect")
    def _limit(connection, _) -> None:
        with closing(connection.execute("PRAGMA page_count")) as cursor:
            (count,) = cursor.fetchone()
        connection.execute(f"PRAGMA max_page_count = {count}")

    many = [("c.example", JANUARY + i * STEP, i) for i in range(20_000)]
    with pytest.raises(Exception, match="no space"):
        put(sink, many)
    assert store.read(place) == before
