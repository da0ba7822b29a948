"""What is particular to a warehouse in a DuckDB file: who holds it when, and what others see in it."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

import sql
from livetraffic.errors import ConfigError, SinkError
from livetraffic.table import TABLES
from load import views
from load.duckdb import before_image
from load.duckdb import schema as duckdb_schema
from load.duckdb.sink import DuckDbSink
from load.sink import Receipt
from tests.contract.stores import (
    JANUARY,
    LOADED_AT,
    RUN,
    SETTLE_AFTER,
    STEP,
    ZONE,
    covering,
    entry,
    frame,
)
from tests.sql.test_reading_only_reads import HOSTILE, READING

ROWS = [("a.example", JANUARY, 1), ("b.example", JANUARY, 2)]
HOLD = """
import sys, duckdb
with duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "read"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "warehouse.duckdb"


@pytest.fixture
def sink(path: Path) -> DuckDbSink:
    """A prepared sink that waits for nobody for long."""
    made = DuckDbSink(path, patience=0.2)
    made.prepare(step=STEP, timezone=ZONE, settle_after=SETTLE_AFTER)
    return made


def put(sink: DuckDbSink, rows: list[tuple[str, int, int]]) -> Receipt:
    return sink.upsert(frame(rows), covering(rows), loaded_at=LOADED_AT, run_id=RUN)


@contextmanager
def held(path: Path, how: str) -> Iterator[subprocess.Popen[str]]:
    """Another program has the file open."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        yield child
        child.kill()


def test_any_duckdb_sees_the_tables_and_views(sink: DuckDbSink, path: Path) -> None:
    sink.extend_calendar(JANUARY, JANUARY + 1)
    put(sink, ROWS)
    with duckdb.connect(str(path), read_only=True) as connection:
        names = {name for (name,) in connection.execute("SHOW TABLES").fetchall()}
        assert names >= {*(table.name for table in TABLES), *sql.names("views")}
        found = connection.execute("SELECT domain, traffic_bytes FROM traffic_daily ORDER BY 1")
        assert found.fetchall() == [("a.example", 1), ("b.example", 2)]


def test_between_two_commits_the_file_is_free(sink: DuckDbSink, path: Path) -> None:
    with sink.run_lock(wait=0, holder="run"):
        put(sink, ROWS)
        with held(path, "write"):
            pass
        assert put(sink, ROWS) == Receipt(unchanged=2)


@pytest.mark.parametrize("how", ["read", "write"])
def test_a_writer_that_meets_the_lock_waits_and_then_says_so(
    sink: DuckDbSink, path: Path, how: str
) -> None:
    with held(path, how), pytest.raises(SinkError) as caught:
        put(sink, ROWS)
    assert str(path) in caught.value.message
    assert caught.value.remedy
    assert caught.value.exit_code == 1
    assert put(sink, ROWS) == Receipt(inserted=2)


def test_a_reader_that_meets_a_writer_waits_and_then_says_so(sink: DuckDbSink, path: Path) -> None:
    with held(path, "write"):
        for look in (sink.ledger, sink.domains, lambda: sink.query("FROM traffic")):
            with pytest.raises(SinkError, match=r"warehouse\.duckdb"):
                look()
    with held(path, "read"):
        assert sink.query("SELECT count(*) AS n FROM traffic").to_pylist() == [{"n": 0}]


def test_who_waits_gets_the_file_when_it_is_free(path: Path, sink: DuckDbSink) -> None:
    patient = DuckDbSink(path, patience=60)
    with held(path, "read") as child:
        threading.Timer(0.3, child.kill).start()
        assert put(patient, ROWS) == Receipt(inserted=2)


def test_who_waits_among_writers_that_get_on_is_not_told_that_one_holds_it(
    path: Path, sink: DuckDbSink
) -> None:
    """Sixty seconds without a commit are a program that does not let go; with commits they are not."""
    seconds, naps = 0.0, 0

    def nap(_: float) -> None:
        nonlocal seconds, naps
        seconds, naps = seconds + 40, naps + 1
        if naps <= 5:
            os.utime(path, ns=(naps, naps))  # as another writer's commit does

    patient = DuckDbSink(path, sleeper=nap, clock=lambda: seconds)
    with held(path, "write"), pytest.raises(SinkError, match="more than 60 s"):
        put(patient, ROWS)
    assert naps == 5 + 2


def test_threads_of_one_process_take_turns(path: Path, sink: DuckDbSink) -> None:
    failures = list[BaseException]()

    def work(number: int) -> None:
        try:
            own = DuckDbSink(path)
            for point in range(5):
                put(own, [(f"d{number}.example", JANUARY + point * STEP, point)])
                own.query("SELECT count(*) FROM traffic_daily")
                own.ledger()
        except BaseException as error:  # noqa: BLE001 - told to the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert sink.query("SELECT count(*) AS n FROM traffic").to_pylist() == [{"n": 20}]


def test_what_a_killed_writer_had_committed_is_there(path: Path, sink: DuckDbSink) -> None:
    """DuckDB's log beside the file is read again by whoever comes next."""
    code = (
        "import duckdb, os, sys; c = duckdb.connect(sys.argv[1]);"
        "c.execute(\"INSERT INTO traffic VALUES ('x', TIMESTAMPTZ '2026-01-01 00:00:00+00', 7, 'v1',"
        " TIMESTAMPTZ '2026-01-01 00:00:00+00')\"); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert sink.query("SELECT traffic_bytes AS b FROM traffic").to_pylist() == [{"b": 7}]
    sink.prepare(step=STEP, timezone=ZONE, settle_after=SETTLE_AFTER)
    put(sink, ROWS)
    assert sink.query("SELECT count(*) AS n FROM traffic").to_pylist() == [{"n": 3}]


def test_what_a_commit_may_write_over_is_kept_before_it(sink: DuckDbSink, path: Path) -> None:
    """A large commit makes a checkpoint by itself, so it is kept before the first statement."""
    put(sink, ROWS)
    image = before_image.path_of(path)
    assert not image.exists()
    header = path.read_bytes()[: before_image.HEADER]
    with sink._door.writing():
        assert image.read_bytes()[: before_image.HEADER] == header
    assert not image.exists()


def test_a_failing_commit_leaves_nothing(sink: DuckDbSink, monkeypatch: pytest.MonkeyPatch) -> None:
    put(sink, ROWS)
    real = sql.statement

    def broken(name: str, dialect: str | None = None) -> str:
        return "SELECT no_such_thing()" if name == "duckdb/update" else real(name, dialect)

    monkeypatch.setattr("load.duckdb.upsert.statement", broken)
    changed = [("a.example", JANUARY, 5), ("c.example", JANUARY, 5)]
    with pytest.raises(SinkError, match="could not be written"):
        put(sink, changed)
    assert sink.query("SELECT count(*) AS n FROM traffic").to_pylist() == [{"n": 2}]
    assert sink.query("SELECT count(*) AS n FROM traffic_revisions").to_pylist() == [{"n": 0}]
    assert len(sink.ledger()) == 2
    monkeypatch.undo()
    assert put(sink, changed) == Receipt(inserted=1, updated=1)


def test_no_warehouse_no_database_and_someone_elses(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        DuckDbSink(tmp_path / "nowhere").query("SELECT 1")
    text = tmp_path / "text.duckdb"
    text.write_text("hello " * 1000)
    with pytest.raises(SinkError, match=r"text\.duckdb"):
        DuckDbSink(text).ledger()
    other = tmp_path / "other.duckdb"
    with duckdb.connect(str(other)) as connection:
        connection.execute("CREATE TABLE mine (a INTEGER)")
    assert DuckDbSink(other).ledger() == []
    DuckDbSink(other).prepare(step=STEP, timezone=ZONE, settle_after=0)
    assert DuckDbSink(other).query("SELECT count(*) AS n FROM mine").to_pylist() == [{"n": 0}]
    with pytest.raises(ConfigError):
        DuckDbSink(text / "below").prepare(step=STEP, timezone=ZONE, settle_after=0)


def test_a_newer_warehouse_is_refused(sink: DuckDbSink, path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute("UPDATE warehouse SET format_version = 99")
    with pytest.raises(ConfigError, match="99"):
        DuckDbSink(path).prepare(step=STEP, timezone=ZONE, settle_after=0)


def test_views_of_another_version_are_replaced(sink: DuckDbSink, path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE OR REPLACE VIEW ledger_edges AS SELECT 1 AS a")
        connection.execute("UPDATE installed_views SET digest = 'old' WHERE name = 'ledger_edges'")
        connection.execute("CREATE VIEW gone AS SELECT 1 AS a")
        connection.execute("INSERT INTO installed_views VALUES ('gone', 'x')")
        assert not duckdb_schema.has_views(connection)
    sink.prepare(step=STEP, timezone=ZONE, settle_after=SETTLE_AFTER)
    assert sink.query("SELECT count(*) AS n FROM coverage_daily").to_pylist() == [{"n": 0}]
    with duckdb.connect(str(path), read_only=True) as connection:
        names = {name for (name,) in connection.execute("SHOW TABLES").fetchall()}
        assert "gone" not in names
        stored = connection.execute("SELECT name, digest FROM installed_views").fetchall()
        assert dict(stored) == views.digests(views.DUCKDB)


def test_what_reads_is_answered_and_nothing_else(sink: DuckDbSink, path: Path) -> None:
    before = path.read_bytes()
    for statement in READING:
        assert sink.query(statement).num_columns > 0
    for statement in HOSTILE:
        with pytest.raises(ConfigError) as refused:
            sink.query(statement.replace("{root}", str(path.parent)))
        assert refused.value.remedy, statement
        assert "\n" not in str(refused.value)
    assert path.read_bytes() == before


def test_a_question_reaches_no_other_file(sink: DuckDbSink, path: Path) -> None:
    """A file's name in the place of a table reads like one; what refuses it is the connection."""
    beside = path.with_name("beside.csv")
    beside.write_text("secret\n1\n")
    with pytest.raises(ConfigError):
        sink.query(f"SELECT * FROM '{beside}'")
    with duckdb.connect() as connection:
        assert connection.execute(f"SELECT * FROM '{beside}'").fetchall() == [(1,)]


def test_a_commit_reads_only_what_is_around_the_batch(sink: DuckDbSink) -> None:
    """Late writers, revisions and neighbours far apart in time, in one batch."""
    far = JANUARY + 400 * 86_400
    put(sink, [("a.example", JANUARY, 1), ("a.example", far, 2)])
    rows = [("a.example", JANUARY, 3), ("a.example", far, 4), ("b.example", far, 5)]
    later = LOADED_AT + timedelta(hours=1)
    done = sink.upsert(
        frame(rows),
        [entry("a.example", JANUARY, far + STEP), entry("b.example", far, far + STEP)],
        loaded_at=later,
        run_id=RUN,
    )
    assert done == Receipt(inserted=1, updated=2)
    found = sink.query("SELECT old_bytes, new_bytes FROM traffic_revisions ORDER BY timestamp")
    assert [tuple(row.values()) for row in found.to_pylist()] == [(1, 3), (2, 4)]
