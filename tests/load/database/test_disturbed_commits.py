"""Lost connections, lost answers, deadlocks and many workers: nothing lost, nothing doubled."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest
from sqlalchemy import Connection, event, text

from livetraffic.errors import Locked, SinkError
from livetraffic.table import TRAFFIC
from load.database.retry import ATTEMPTS, retried
from load.database.sink import DatabaseSink
from load.sink import Receipt
from tests.contract.stores import (
    JANUARY,
    LOADED_AT,
    RUN,
    SENT,
    SETTLE_AFTER,
    STEP,
    ZONE,
    Store,
    covering,
    entry,
    frame,
    prepared,
)

A, B = "a.example.com", "b.example.com"
ROWS = [(A, JANUARY + i * STEP, i) for i in range(20)]
SERVERS = pytest.mark.parametrize("name", ["postgres", "mariadb"], indirect=True)
END = {
    "postgres": "SELECT pg_terminate_backend({})",
    "mariadb": "KILL {}",
}
SESSION = {"postgres": "SELECT pg_backend_pid()", "mariadb": "SELECT CONNECTION_ID()"}


def put(sink: DatabaseSink, rows: list[Any], sent: int = SENT) -> Receipt:
    return sink.upsert(
        frame(rows), covering(rows, fetched_at=sent), loaded_at=LOADED_AT, run_id=RUN
    )


def number(connection: Connection, name: str) -> int:
    """The session's number at the server."""
    with connection.connection.driver_connection.cursor() as cursor:  # type: ignore[union-attr]
        cursor.execute(SESSION[name])
        return int(cursor.fetchone()[0])


@contextmanager
def ended_once_at(sink: DatabaseSink, name: str, word: str) -> Iterator[list[int]]:
    """The server ends the sink's session just before its first statement with that word."""
    done: list[int] = []

    def end(connection, _cursor, statement, *_rest) -> None:
        if word in statement and not done:
            done.append(number(connection, name))
            with sink._dialect.reader.connect() as other:
                other.execute(text(END[name].format(done[0])))

    event.listen(sink._dialect.writer, "before_cursor_execute", end)
    yield done
    event.remove(sink._dialect.writer, "before_cursor_execute", end)


@SERVERS
@pytest.mark.parametrize(
    "word", ["overlapping", "INTO staged_changes", "INTO traffic_revisions", "INTO load_ledger"]
)
def test_a_connection_that_is_lost_costs_nothing(
    sink: DatabaseSink, store: Store, place: Path, name: str, word: str
) -> None:
    put(sink, ROWS)
    changed = [(domain, at, value + 1) for domain, at, value in ROWS]
    with ended_once_at(sink, name, word) as ended:
        assert put(sink, changed, SENT + 1) == Receipt(updated=20)
    assert ended
    found = store.read(place)
    assert found.values == {row[:2]: row[2] for row in changed}
    assert len(found.revisions) == 20
    assert len(found.ledger) == 2


@SERVERS
def test_a_commit_whose_answer_is_lost_is_made_once(
    sink: DatabaseSink, store: Store, place: Path, name: str
) -> None:
    """It was committed; told nothing, the sink tries again and finds its rows. The entry is there
    twice, which says nothing new.
    """
    put(sink, ROWS)
    changed = [(domain, at, value + 1) for domain, at, value in ROWS]
    committed: list[int] = []

    def lose(connection: Connection) -> None:
        committed.append(number(connection, name))
        if len(committed) == 2:  # the first is that of the temporary tables
            connection.connection.driver_connection.commit()  # type: ignore[union-attr]
            raise psycopg.OperationalError if name == "postgres" else pymysql.OperationalError(2013)

    event.listen(sink._dialect.writer, "commit", lose)
    put(sink, changed, SENT + 1)
    found = store.read(place)
    assert found.values == {row[:2]: row[2] for row in changed}
    assert len(found.revisions) == 20
    assert {row.fetched_at for row in found.ledger} == {SENT, SENT + 1}
    assert len(found.ledger) == 3


@SERVERS
def test_a_server_that_stays_away_is_given_up(sink: DatabaseSink, name: str) -> None:
    pauses: list[float] = []
    tried: list[int] = []

    def work(connection: Connection) -> None:
        tried.append(number(connection, name))
        with sink._dialect.reader.connect() as other:
            other.execute(text(END[name].format(tried[-1])))
        connection.execute(text("SELECT 1"))

    with pytest.raises(SinkError, match="broke") as caught:
        retried(sink._dialect, work, pauses.append)
    assert len(tried) == ATTEMPTS
    assert len(pauses) == ATTEMPTS - 1
    assert all(0 < pause <= 5 for pause in pauses)
    assert "intact" in caught.value.remedy


@SERVERS
def test_a_deadlock_is_tried_again(sink: DatabaseSink, name: str) -> None:
    """Two pieces of work that take two rows in opposite order: the server ends one of them."""
    with sink._dialect.writer.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE pair (id INT PRIMARY KEY, n INT)")
        connection.exec_driver_sql("INSERT INTO pair VALUES (1, 0), (2, 0)")
    both = threading.Barrier(2, timeout=30)
    tries: list[tuple[int, int]] = []

    def swap(first: int, second: int) -> Callable[[Connection], None]:
        add = text("UPDATE pair SET n = n + 1 WHERE id = :id")

        def work(connection: Connection) -> None:
            tries.append((first, second))
            with connection.begin():
                connection.execute(add, {"id": first})
                if tries.count((first, second)) == 1:
                    both.wait()
                connection.execute(add, {"id": second})

        return work

    with ThreadPoolExecutor(2) as pool:
        jobs = [
            pool.submit(retried, sink._dialect, swap(*order), lambda _: None)
            for order in ((1, 2), (2, 1))
        ]
        for job in jobs:
            job.result(60)
    assert len(tries) > 2
    with sink._dialect.reader.connect() as connection:
        found = connection.execute(text("SELECT n FROM pair")).scalars().all()
    assert list(found) == [2, 2]


def test_workers_of_one_run_neither_lose_nor_double(
    store: Store, place: Path, sink: DatabaseSink
) -> None:
    """Eight threads of one sink, each with windows that overlap the others', in any order."""
    said = {at: at % 1000 for at in range(JANUARY, JANUARY + 60 * STEP, STEP)}
    windows = [(JANUARY + first * STEP, JANUARY + (first + 20) * STEP) for first in range(0, 41, 2)]

    def load(given: tuple[int, tuple[int, int]]) -> Receipt:
        index, (start, end) = given
        rows = [(name, at, said[at]) for name in (A, B) for at in range(start, end, STEP)]
        loaded_at = LOADED_AT + timedelta(seconds=index)
        entries = covering(rows, fetched_at=SENT + index)
        return sink.upsert(frame(rows), entries, loaded_at=loaded_at, run_id=f"run-{index}")

    with ThreadPoolExecutor(8) as pool:
        receipts = sum(pool.map(load, enumerate(windows)), Receipt())
    found = store.read(place)
    assert found.values == {(name, at): said[at] for name in (A, B) for at in said}
    assert found.revisions == []
    assert len(found.ledger) == 2 * len(windows)
    assert receipts.inserted == len(found.values)
    assert receipts.updated == 0


def test_what_was_read_last_stays_whoever_is_first(
    store: Store, place: Path, sink: DatabaseSink
) -> None:
    """Workers with different values: the answer sent last holds, in whatever order they commit."""
    points = range(JANUARY, JANUARY + 10 * STEP, STEP)

    def load(number: int) -> Receipt:
        rows = [(A, at, number) for at in points]
        return put(sink, rows, SENT + number)

    with ThreadPoolExecutor(6) as pool:
        receipts = list(pool.map(load, range(12)))
    found = store.read(place)
    assert set(found.values.values()) == {11}
    updated = sum(receipt.updated for receipt in receipts)
    assert len(found.revisions) == updated
    assert sum(r.inserted for r in receipts) == 10
    olds = {row[3] for row in found.revisions}
    assert all(row[4] > row[3] for row in found.revisions), olds


@SERVERS
def test_a_commit_waits_for_the_one_before_it(
    store: Store, place: Path, sink: DatabaseSink
) -> None:
    """A newer answer that comes while an older one is being written is written after it, not between
    the look and the write.
    """
    put(sink, [(A, JANUARY, 0)])
    newer = threading.Thread(
        target=put, args=(store.make(place), [(A, JANUARY, 2)], SENT + 2), daemon=True
    )

    def begin(_connection, _cursor, statement, *_rest) -> None:
        if "INTO traffic_revisions" in statement and not newer.ident:
            newer.start()
            newer.join(1)

    event.listen(sink._dialect.writer, "before_cursor_execute", begin)
    put(sink, [(A, JANUARY, 1)], SENT + 1)
    newer.join(60)
    found = store.read(place)
    assert found.values == {(A, JANUARY): 2}
    assert [row[3:5] for row in found.revisions] == [(0, 1), (1, 2)]


def test_a_read_that_is_committed_while_a_batch_is_laid_out_still_counts(
    store: Store, place: Path, sink: DatabaseSink
) -> None:
    """There was nothing to compare with when the batch was laid out; a later answer, that the point
    is idle, came before its commit.
    """
    later = store.make(place)
    idle = entry(A, JANUARY, JANUARY + STEP, fetched_at=SENT + 1, detail="idle_omitted")
    done: list[Receipt] = []

    def overtake(_: Connection) -> None:
        if not done:  # the first commit is that of the temporary tables
            done.append(later.upsert(frame([]), [idle], loaded_at=LOADED_AT, run_id=RUN))

    event.listen(sink._dialect.writer, "commit", overtake)
    assert put(sink, [(A, JANUARY, 7)]) == Receipt(superseded=1)
    assert done
    assert store.read(place).traffic == {}


@SERVERS
def test_a_commit_that_waited_in_vain_is_tried_again(
    store: Store, place: Path, sink: DatabaseSink, url: str, name: str, monkeypatch: Any
) -> None:
    """The wait for another worker's commit ends, and nothing is written without the lock."""
    module = type(sink._dialect).__module__
    monkeypatch.setattr(f"{module}.COMMIT_WAIT_SECONDS", 1)
    pauses: list[float] = []
    with sink._dialect.writer.connect() as holder:
        holder.begin()
        sink._dialect.lock_commits(holder)

        def release(pause: float) -> None:
            pauses.append(pause)
            holder.invalidate()

        in_the_end = threading.Timer(4, holder.invalidate)
        in_the_end.start()
        assert put(DatabaseSink(url, sleeper=release), ROWS) == Receipt(inserted=20)
        in_the_end.cancel()
    assert pauses
    assert len(store.read(place).traffic) == 20


def test_many_that_start_at_once_make_one_warehouse(
    store: Store, place: Path, name: str, url: str
) -> None:
    start = threading.Barrier(6, timeout=60)

    def make(_: int) -> None:
        start.wait()
        prepared(store, place)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(make, range(6)))
    assert len(store.read(place).settings) == 4
    with DatabaseSink(url)._dialect.reader.connect() as connection:
        for table, rows in (("schema_version", 1), ("warehouse", 1)):
            assert connection.execute(text(f"SELECT COUNT(*) FROM {table}")).scalar() == rows


@SERVERS
def test_a_run_whose_lock_was_lost_ends_in_peace(
    sink: DatabaseSink, store: Store, place: Path, name: str
) -> None:
    """The session of the run lock is ended by the server: another run may begin, and this one's
    commits stay safe by themselves.
    """
    sessions: list[int] = []

    def note(connection, _cursor, statement, *_rest) -> None:
        if "run_holder" in statement and not sessions:
            sessions.append(number(connection, name))

    for engine in {sink._dialect.writer, sink._dialect.reader}:
        event.listen(engine, "before_cursor_execute", note)
    with sink.run_lock(wait=0, holder="first"):
        with pytest.raises(Locked, match="first"), store.make(place).run_lock(wait=0, holder="x"):
            pass
        with store.make(place)._dialect.reader.connect() as other:  # type: ignore[attr-defined]
            other.execute(text(END[name].format(sessions[0])))
        with store.make(place).run_lock(wait=20, holder="second"):
            put(sink, ROWS)
    assert len(store.read(place).traffic) == 20


@SERVERS
def test_a_view_that_somebody_is_reading_is_replaced_in_the_end(
    store: Store, place: Path, sink: DatabaseSink, url: str
) -> None:
    """It is waited for only for seconds at a time: later readers wait behind whoever waits."""
    with sink._dialect.writer.begin() as connection:
        connection.execute(text("UPDATE installed_views SET digest = 'old'"))
    with sink._dialect.reader.connect() as reader:
        reader.execute(text("SELECT COUNT(*) FROM freshness")).all()
        pauses: list[float] = []

        def release(pause: float) -> None:
            pauses.append(pause)
            reader.rollback()

        again = DatabaseSink(url, sleeper=release)
        again.prepare(step=STEP, timezone=ZONE, settle_after=SETTLE_AFTER)
        assert pauses
    with sink._dialect.reader.connect() as connection:
        left = "SELECT COUNT(*) FROM installed_views WHERE digest = 'old'"
        assert connection.execute(text(left)).scalar() == 0


@pytest.mark.parametrize("name", ["postgres"], indirect=True)
def test_a_server_with_defaults_of_its_own_stores_and_counts_the_same(
    sink: DatabaseSink, url: str, store: Store, place: Path
) -> None:
    """Another zone and another encoding, as a database or a user may be set up."""
    given = "options=-c%20timezone%3DAsia/Shanghai%20-c%20client_encoding%3DLATIN1"
    other = DatabaseSink(f"{url}&{given}")
    rows = [("ä.example", JANUARY - STEP, 1), ("ä.example", JANUARY, 2)]
    put(other, rows)
    assert store.read(place).values == {row[:2]: row[2] for row in rows}
    assert {month: found.rows for month, found in other.months(TRAFFIC).items()} == {
        "2025-12": 1,
        "2026-01": 1,
    }
    read = [batch.to_pylist() for batch in other.read_month(TRAFFIC, "2026-01")]
    assert [[row["traffic_bytes"] for row in rows] for rows in read] == [[2]]


@pytest.mark.parametrize("name", ["postgres"], indirect=True)
def test_a_server_that_can_only_be_read_says_so(sink: DatabaseSink, url: str) -> None:
    """A standby, or a user whose transactions only read."""
    reading = DatabaseSink(f"{url}&options=-c%20default_transaction_read_only%3Don")
    reading.check(step=STEP, timezone=ZONE)
    assert reading.ledger() == []
    with pytest.raises(SinkError, match="can only be read") as caught:
        put(reading, ROWS)
    assert "LIVE_TRAFFIC_WAREHOUSE" in caught.value.remedy
