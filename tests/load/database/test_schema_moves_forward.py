"""The tables: what they are made of, whose they are, and how they move from version to version."""

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, inspect, text
from sqlalchemy.exc import DBAPIError

from livetraffic.errors import ConfigError
from livetraffic.table import DOMAINS, TABLES, Kind
from load.database import ddl, schema
from load.database.dialect import Dialect
from load.database.failure import Trouble, cause_of
from load.database.sink import DatabaseSink
from load.warehouse_file import Made
from tests.contract.stores import (
    JANUARY,
    LOADED_AT,
    RUN,
    SETTLE_AFTER,
    STEP,
    ZONE,
    Store,
    covering,
    frame,
    prepared,
)

TYPES = {
    "sqlite": {
        Kind.TEXT: "TEXT",
        Kind.INTEGER: "INTEGER",
        Kind.TIMESTAMP: "TEXT",
        Kind.DATE: "TEXT",
    },
    "postgres": {
        Kind.TEXT: "TEXT",
        Kind.INTEGER: "BIGINT",
        Kind.TIMESTAMP: "TIMESTAMP",
        Kind.DATE: "DATE",
    },
    "mariadb": {
        Kind.TEXT: ("VARCHAR", "TEXT"),
        Kind.INTEGER: "BIGINT",
        Kind.TIMESTAMP: "DATETIME",
        Kind.DATE: "DATE",
    },
}


def test_the_tables_are_those_of_the_one_definition(
    sink: DatabaseSink, dialect: Dialect, name: str
) -> None:
    with dialect.reader.connect() as connection:
        inspector = inspect(connection)
        for table in TABLES:
            found = [c for c in inspector.get_columns(table.name) if c["name"] != "row_id"]
            assert [c["name"] for c in found] == list(table.column_names)
            for column, given in zip(table.columns, found, strict=True):
                assert given["nullable"] == column.nullable, (table.name, column.name)
                assert str(given["type"]).startswith(TYPES[name][column.kind]), given
            key = inspector.get_pk_constraint(table.name)["constrained_columns"]
            assert tuple(c for c in key if c != "row_id") == table.key
        indexes = inspector.get_indexes("load_ledger")
        assert sorted(str(index["name"]) for index in indexes) == [
            "load_ledger_by_domain_window_end",
            "load_ledger_by_fetched_at",
        ]


def test_every_star_shows_the_definition_only(sink: DatabaseSink) -> None:
    """Also where a table needed a key of ours."""
    for table in TABLES:
        found = sink.query(f"SELECT * FROM {table.name}")
        assert found.column_names == list(table.column_names)


def test_the_order_of_text_is_that_of_its_bytes(sink: DatabaseSink) -> None:
    names = ["B", "a", "ä", "a-b", "a.b", "ab", "a b", "例", "\U0001f600"]
    rows = [(name, JANUARY, 1) for name in names]
    sink.upsert(frame(rows), covering(rows), loaded_at=LOADED_AT, run_id=RUN)
    found = sink.query("SELECT domain FROM traffic ORDER BY domain").column(0).to_pylist()
    assert found == sorted(names)


@pytest.mark.parametrize("name", ["postgres"], indirect=True)
def test_the_order_of_text_is_not_left_to_the_server(sink: DatabaseSink) -> None:
    """Its default may be a language's, in which "a-b" comes after "ab"."""
    with sink._dialect.reader.connect() as connection:
        found = connection.execute(
            text(
                "SELECT DISTINCT collation_name FROM information_schema.columns"
                " WHERE table_schema = current_schema() AND data_type = 'text'"
                " AND table_name IN ('traffic', 'traffic_revisions', 'load_ledger', 'domains')"
            )
        )
        assert found.scalars().all() == ["C"]


def test_names_that_differ_in_case_or_blanks_are_different(
    sink: DatabaseSink, store: Store, place: Path
) -> None:
    rows = [(name, JANUARY, i) for i, name in enumerate(["a", "A", "a ", " a", "á", "a\u0301"])]
    sink.upsert(frame(rows), covering(rows), loaded_at=LOADED_AT, run_id=RUN)
    assert store.read(place).values == {row[:2]: row[2] for row in rows}


def test_a_newer_schema_is_refused_by_everything(
    sink: DatabaseSink, dialect: Dialect, store: Store, place: Path
) -> None:
    with dialect.writer.begin() as connection:
        connection.execute(text("INSERT INTO schema_version (version) VALUES (99)"))
    before = store.trace(place)
    later = store.make(place)
    for attempt in (
        lambda: later.prepare(step=STEP, timezone=ZONE, settle_after=SETTLE_AFTER),
        lambda: later.check(step=STEP, timezone=ZONE),
        lambda: later.ledger(),
        lambda: later.domains(),
        lambda: later.put_domains([]),
        lambda: later.query("SELECT 1"),
        lambda: later.upsert(frame([]), [], loaded_at=LOADED_AT, run_id=RUN),
        lambda: later.extend_calendar(JANUARY, JANUARY + 1),
    ):
        with pytest.raises(ConfigError, match="99") as caught:
            attempt()
        assert caught.value.remedy
    assert store.trace(place) == before


def test_a_newer_format_is_refused(sink: DatabaseSink, dialect: Dialect) -> None:
    with dialect.writer.begin() as connection:
        connection.execute(text("UPDATE warehouse SET format_version = 3"))
    with pytest.raises(ConfigError, match="format version 3"):
        sink.ledger()


def test_tables_of_someone_else_are_left_alone(store: Store, place: Path, dialect: Dialect) -> None:
    if not dialect.is_there():
        dialect.make()
    with dialect.writer.begin() as connection:
        dialect.make_schema(connection)
        connection.exec_driver_sql("CREATE TABLE domains (mine INT)")
    sink = store.make(place)
    sink.check(step=STEP, timezone=ZONE)
    assert sink.domains() == []
    with pytest.raises(ConfigError, match="already has a table domains") as caught:
        prepared(store, place)
    assert "schema" in caught.value.remedy
    with dialect.reader.connect() as connection:
        assert inspect(connection).get_table_names() == ["domains"]


def test_whoever_looks_while_it_is_made_finds_nothing_or_all(
    store: Store, place: Path, dialect: Dialect
) -> None:
    """After every statement of the making: MariaDB shows each table as soon as it is created."""
    other = store.make(place)
    maker = store.make(place)
    assert isinstance(maker, DatabaseSink)
    looks = 0

    def look(*_: object) -> None:
        nonlocal looks
        looks += 1
        other.check(step=STEP, timezone=ZONE)
        assert other.made() in {None, Made(STEP, ZONE, SETTLE_AFTER)}
        assert (other.ledger(), other.domains(), other.calendar()) == ([], [], None)

    event.listen(maker._dialect.writer, "after_cursor_execute", look)
    maker.prepare(step=STEP, timezone=ZONE, settle_after=SETTLE_AFTER)
    assert looks > len(TABLES)
    assert other.made() == Made(STEP, ZONE, SETTLE_AFTER)


@pytest.mark.parametrize("name", ["mariadb"])
def test_a_table_that_changed_since_the_snapshot_is_a_conflict(
    sink: DatabaseSink, dialect: Dialect
) -> None:
    """The server asks for the transaction once more; so it is what is tried again."""
    with dialect.reader.connect() as looking:
        looking.execute(text("SELECT * FROM schema_version"))
        with dialect.writer.connect() as other:
            other.execute(text("CREATE TABLE meanwhile (a INT)"))
        with pytest.raises(DBAPIError) as caught:
            looking.execute(text("SELECT * FROM meanwhile"))
    assert dialect.judge(cause_of(caught.value)) is Trouble.CONFLICT


def test_what_a_killed_creation_left_is_finished(
    store: Store, place: Path, dialect: Dialect
) -> None:
    """MariaDB commits every CREATE at once: the first of them says that the rest is ours."""
    dialect.make()
    with dialect.writer.begin() as connection:
        dialect.make_schema(connection)
        connection.exec_driver_sql(ddl.create(ddl.SCHEMA_VERSION, dialect.words))
        connection.exec_driver_sql(ddl.create(TABLES[0], dialect.words))
    prepared(store, place)
    assert store.read(place).settings == (2, STEP, ZONE, SETTLE_AFTER)


def test_what_a_killed_creation_of_version_1_left_is_finished(
    store: Store, place: Path, dialect: Dialect
) -> None:
    """Its ``domains`` lacks the columns of today."""
    dialect.make()
    old = replace(DOMAINS, columns=DOMAINS.columns_of(1))
    with dialect.writer.begin() as connection:
        dialect.make_schema(connection)
        connection.exec_driver_sql(ddl.create(ddl.SCHEMA_VERSION, dialect.words))
        connection.exec_driver_sql(ddl.create(old, dialect.words))
    sink = prepared(store, place)
    assert sink.query("SELECT api FROM domains").num_rows == 0


def test_migrations_run_in_order_and_once(
    sink: DatabaseSink,
    store: Store,
    place: Path,
    dialect: Dialect,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    applied: list[int] = []

    def add(connection: Connection, _: Dialect) -> None:
        applied.append(3)
        connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS added (n INT)")

    def fail(_: Connection, __: Dialect) -> None:
        applied.append(4)
        if applied.count(4) == 1:
            raise RuntimeError

    monkeypatch.setattr(schema, "VERSION", 4)
    monkeypatch.setattr(schema, "MIGRATIONS", {3: add, 4: fail})
    with pytest.raises(RuntimeError):
        prepared(store, place)
    prepared(store, place)
    prepared(store, place)
    assert applied in ([3, 4, 4], [3, 4, 3, 4])
    with dialect.reader.connect() as connection:
        versions = connection.execute(text("SELECT version FROM schema_version")).scalars().all()
        assert inspect(connection).has_table("added")
    assert sorted(versions) == [2, 3, 4]


def test_views_are_created_once_and_replaced_when_their_text_changed(
    sink: DatabaseSink, store: Store, place: Path, dialect: Dialect
) -> None:
    before = store.trace(place)
    prepared(store, place)
    assert store.trace(place) == before
    with dialect.writer.begin() as connection:
        connection.execute(
            text("UPDATE installed_views SET digest = 'old' WHERE name = 'freshness'")
        )
    prepared(store, place)
    with dialect.reader.connect() as connection:
        found = connection.execute(
            text("SELECT digest FROM installed_views WHERE name = 'freshness'")
        ).scalar_one()
    assert found != "old"
    assert sink.query("SELECT * FROM freshness").num_rows == 0
