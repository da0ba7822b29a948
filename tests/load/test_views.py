"""Installing views: only what changed is replaced, readers are not disturbed, grants survive."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import psycopg
import pytest

import sql
from livetraffic.table import TABLES
from load import views
from load.database.sink import DatabaseSink
from load.duckdb import schema as duckdb_schema
from tests import servers

VIEWS = set(sql.names("views"))
ABOVE_SPANS = {"ledger_edges", "freshness", "coverage_grid", "coverage_daily", "traffic_daily"}


@pytest.fixture
def duck() -> Iterator[duckdb.DuckDBPyConnection]:
    """The tables, without views."""
    with duckdb.connect(":memory:") as connection:
        for table in TABLES:
            columns = ", ".join(f'"{c.name}" {duckdb_schema.TYPES[c.kind]}' for c in table.columns)
            connection.execute(f"CREATE TABLE {table.name} ({columns})")
        yield connection


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
    """A schema with the tables and views of a warehouse."""
    url = servers.postgres_place(tmp_path)
    DatabaseSink(url).prepare(step=300, timezone="UTC", settle_after=0)
    with servers.postgres_connection(tmp_path) as connection:
        connection.execute("SET jit = off")
        yield connection
    servers.drop_postgres_place(tmp_path)


@pytest.fixture
def with_spans(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Changes the text of ``ledger_spans``, as a later version might."""
    real = views.views

    def change(old: str, new: str) -> None:
        def changed(dialect: str) -> tuple[tuple[str, str], ...]:
            return tuple(
                (name, text.replace(old, new, 1) if name == "ledger_spans" else text)
                for name, text in real(dialect)
            )

        monkeypatch.setattr(views, "views", changed)

    return change


def installed(connection: "psycopg.Connection[tuple[object, ...]]") -> dict[str, str]:
    found = connection.execute("SELECT name, digest FROM installed_views").fetchall()
    return {str(name): str(digest) for name, digest in found}


@pytest.mark.parametrize("dialect", views.DIALECTS)
def test_what_is_installed_is_not_touched(dialect: str) -> None:
    calls = list[str]()
    first = views.install(calls.append, dialect, {})
    assert set(first) == VIEWS
    assert len(calls) >= len(VIEWS)
    assert first == views.digests(dialect)
    calls.clear()
    assert views.install(calls.append, dialect, first) == first
    assert calls == []


@pytest.mark.parametrize("dialect", views.DIALECTS)
def test_a_changed_view_takes_those_above_it_along(
    dialect: str, with_spans: Callable[[str, str], None]
) -> None:
    before = views.digests(dialect)
    with_spans("window_end,", "window_end, 1 AS extra,")
    calls = list[str]()
    after = views.install(calls.append, dialect, before)
    changed = {name for name in VIEWS if before[name] != after[name]}
    assert changed >= {"ledger_spans", *ABOVE_SPANS}
    assert not changed & {"bandwidth", "bandwidth_total", "bandwidth_daily_peak"}
    assert all(any(f"VIEW {name} AS" in call for call in calls) for name in changed)
    assert not any("VIEW bandwidth AS" in call for call in calls)


def test_a_view_that_is_no_more_is_dropped(duck: duckdb.DuckDBPyConnection) -> None:
    first = views.install(duck.execute, views.DUCKDB, {})
    duck.execute("CREATE VIEW gone AS SELECT domain FROM ledger_spans")
    assert views.install(duck.execute, views.DUCKDB, {**first, "gone": "x"}) == first
    with pytest.raises(duckdb.CatalogException):
        duck.execute("SELECT * FROM gone")


def test_views_that_are_no_more_may_read_each_other(
    postgres: "psycopg.Connection[tuple[object, ...]]",
) -> None:
    before = installed(postgres)
    postgres.execute("CREATE VIEW b_gone AS SELECT domain FROM ledger_spans")
    postgres.execute("CREATE VIEW a_gone AS SELECT domain FROM b_gone")
    views.install(postgres.execute, views.POSTGRESQL, {**before, "a_gone": "x", "b_gone": "x"})
    found = postgres.execute("SELECT to_regclass('a_gone'), to_regclass('b_gone')").fetchall()
    assert found == [(None, None)]


@pytest.mark.parametrize(
    ("old", "new"),
    [("state <> 'read'", "state NOT IN ('read')"), ("window_start,", "1 AS extra, window_start,")],
    ids=["same-columns", "other-columns"],
)
def test_postgresql_replaces_a_view_whatever_became_of_its_columns(
    postgres: "psycopg.Connection[tuple[object, ...]]",
    with_spans: Callable[[str, str], None],
    old: str,
    new: str,
) -> None:
    before = installed(postgres)
    postgres.execute("GRANT SELECT ON ledger_spans, bandwidth TO PUBLIC")
    with_spans(old, new)
    with postgres.transaction():
        after = views.install(postgres.execute, views.POSTGRESQL, before)
    assert after != before
    for name in VIEWS:
        postgres.execute(f"SELECT * FROM {name}")
    kept = "SELECT count(*) FROM information_schema.table_privileges WHERE grantee = 'PUBLIC'"
    ((count,),) = postgres.execute(f"{kept} AND table_schema = current_schema()").fetchall()
    assert count == (2 if "NOT IN" in new else 1)


def test_a_reader_of_a_view_is_waited_for(
    postgres: "psycopg.Connection[tuple[object, ...]]",
    with_spans: Callable[[str, str], None],
    tmp_path: Path,
) -> None:
    """Within lock_timeout the replacement gives up and leaves everything; then it succeeds."""
    before = installed(postgres)
    with_spans("state <> 'read'", "state NOT IN ('read')")
    with servers.postgres_connection(tmp_path) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM freshness").fetchall() == [(0,)]
        postgres.execute("SET lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable), postgres.transaction():
            views.install(postgres.execute, views.POSTGRESQL, before)
        assert reader.execute("SELECT count(*) FROM freshness").fetchall() == [(0,)]
        postgres.execute("SET lock_timeout = '30s'")
        threading.Timer(0.2, reader.execute, ("COMMIT",)).start()
        with postgres.transaction():
            views.install(postgres.execute, views.POSTGRESQL, before)


def test_no_file_speaks_of_what_a_dialect_lacks() -> None:
    """MariaDB casts to no BIGINT, SQLite has no EXTRACT."""
    for _, text in views.definitions(views.MYSQL):
        assert "AS BIGINT" not in text
        assert "EXTRACT" not in text
    for _, text in views.definitions(views.SQLITE):
        assert "EXTRACT" not in text
