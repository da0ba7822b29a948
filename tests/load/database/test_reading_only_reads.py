"""``query`` on a database: the answers of Parquet in the same types, and nothing but reading."""

import tempfile
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from sqlalchemy.exc import DBAPIError

import sql
from livetraffic.domain import Domain
from livetraffic.errors import ConfigError, LiveTrafficError
from livetraffic.reconciliation import Reconciliation
from livetraffic.table import TABLES
from livetraffic.window import DAY
from load.database.dialect import Dialect
from load.database.sink import DatabaseSink
from load.parquet.sink import ParquetSink
from load.sink import Sink
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
)

A, B = "a.example.com", "b.example.com"
INSTANT = pa.timestamp("us", tz="UTC")


def filled(sink: Sink) -> Sink:
    """Two domains, two months, a change, a hole and a domain that left the list."""
    rows = [(A, JANUARY + i * STEP, i * 1_000_003) for i in range(0, 9000, 7)]
    rows += [(B, JANUARY + i * STEP, 2**53 + i) for i in range(300)]
    sink.extend_calendar(JANUARY, JANUARY + 40 * DAY)
    sink.upsert(frame(rows), covering(rows), loaded_at=LOADED_AT, run_id=RUN)
    changed = [(A, JANUARY, 17)]
    entries = [
        *covering(changed, fetched_at=SENT + 5_000_000),
        entry(B, JANUARY + DAY, JANUARY + 2 * DAY, "lost", traffic_bytes=None),
    ]
    sink.upsert(frame(changed), entries, loaded_at=LOADED_AT, run_id="run-2")
    known = Domain(
        A, "pull", "on", "global", "", JANUARY, "acc", "proj", "r", JANUARY, SENT // 1_000_000
    )
    sink.put_domains(
        [
            known,
            known._replace(
                domain=B, unlisted_since=JANUARY + DAY, api="v2", moved_at=JANUARY + STEP
            ),
        ]
    )
    sink.put_reconciliations(
        [
            Reconciliation(
                JANUARY + DAY, RUN, "domain", A, JANUARY, JANUARY + DAY, "v1", "acc", 1, 2, 1, 0,
                "differs",
            )
        ]
    )  # fmt: skip
    return sink


@pytest.fixture
def parquet(tmp_path: Path) -> Sink:
    made = ParquetSink(tmp_path / "files")
    made.prepare(step=STEP, timezone=ZONE, settle_after=SETTLE_AFTER)
    return filled(made)


def _wide(kind: pa.DataType) -> pa.DataType:
    """DuckDB gives a literal 32 bits."""
    return pa.int64() if kind == pa.int32() else kind


def rows_of(table: pa.Table) -> list[dict[str, object]]:
    return sorted(table.to_pylist(), key=repr)


def test_every_table_and_view_answers_as_over_parquet(sink: DatabaseSink, parquet: Sink) -> None:
    filled(sink)
    for name in (*(table.name for table in TABLES), *sql.names("views")):
        expected, found = (s.query(f"SELECT * FROM {name}") for s in (parquet, sink))
        assert found.schema.names == expected.schema.names, name
        assert found.schema.types == [_wide(kind) for kind in expected.schema.types], name
        assert rows_of(found) == rows_of(expected), name


def test_types_do_not_depend_on_rows(sink: DatabaseSink, parquet: Sink) -> None:
    filled(sink)
    for name in (*(table.name for table in TABLES), "traffic_daily", "freshness", "coverage_daily"):
        full = sink.query(f"SELECT * FROM {name}").schema
        if sink._dialect.address.kind != "sqlite":
            empty = sink.query(f"SELECT * FROM {name} WHERE 1 = 0")
            assert empty.schema.types == full.types, name
            assert empty.num_rows == 0
        else:
            assert sink.query(f"SELECT * FROM {name} WHERE 1 = 0").schema.names == full.names


@pytest.mark.parametrize(
    ("expression", "value", "kind"),
    [
        ("SUM(traffic_bytes)", 6, pa.int64()),
        ("COUNT(*)", 3, pa.int64()),
        ("AVG(traffic_bytes)", 2.0, pa.float64()),
        ("MAX(timestamp)", None, INSTANT),
        ("MIN(domain)", A, pa.string()),
        ("MAX(NULL)", None, None),
        ("'x'", "x", pa.string()),
        ("1.5 * 1.0", 1.5, pa.float64()),
    ],
)
def test_expressions_have_plain_types(
    sink: DatabaseSink, expression: str, value: object, kind: pa.DataType | None
) -> None:
    rows = [(A, JANUARY + i * STEP, i + 1) for i in range(3)]
    sink.upsert(frame(rows), covering(rows), loaded_at=LOADED_AT, run_id=RUN)
    found = sink.query(f"SELECT DISTINCT {expression} AS x FROM traffic")
    if kind is not None:
        assert found.schema.types == [kind]
    if value is not None:
        assert found.to_pylist() == [{"x": value}]


@pytest.mark.parametrize("name", ["postgres", "mariadb"], indirect=True)
def test_sums_beyond_64_bits_are_exact(sink: DatabaseSink) -> None:
    rows = [(A, JANUARY + i * STEP, 2**63 - 1) for i in range(3)]
    sink.upsert(frame(rows), covering(rows), loaded_at=LOADED_AT, run_id=RUN)
    found = sink.query("SELECT SUM(traffic_bytes) AS x FROM traffic").to_pylist()
    assert found == [{"x": Decimal(3 * (2**63 - 1))}]


def test_more_rows_than_are_read_at_once(sink: DatabaseSink) -> None:
    rows = [(A, JANUARY + i * STEP, i) for i in range(25_000)]
    sink.upsert(frame(rows), covering(rows), loaded_at=LOADED_AT, run_id=RUN)
    found = sink.query("SELECT timestamp, traffic_bytes FROM traffic ORDER BY timestamp")
    assert found.column("traffic_bytes").to_pylist() == list(range(25_000))
    assert found.schema.types == [INSTANT, pa.int64()]


def test_dates_compare_with_dates(sink: DatabaseSink) -> None:
    filled(sink)
    found = sink.query("SELECT local_date FROM calendar WHERE local_date = '2026-01-05'")
    assert set(found.column(0).to_pylist()) == {date(2026, 1, 5)}


def test_reading_words_are_allowed(sink: DatabaseSink) -> None:
    given = [
        "SELECT 1 AS x",
        "  /* a comment */ -- another\n select 1 AS x",
        "(SELECT 1 AS x)" if sink._dialect.address.kind != "sqlite" else "SELECT 1 AS x",
        "WITH t AS (SELECT 1 AS x) SELECT x FROM t",
        "SELECT 1 AS x UNION ALL SELECT 2",
        "SELECT 1 AS x;",
        "SELECT 'DROP TABLE traffic; INSERT INTO x' AS x",
        "SELECT '100 %' AS x, '%s' AS y, ':z' AS z",
    ]
    for statement in given:
        assert sink.query(statement).num_rows >= 1, statement
    assert sink.query("EXPLAIN SELECT * FROM traffic").num_rows >= 1
    if sink._dialect.address.kind == "postgresql":
        assert sink.query("explain (analyze, costs off) select 1").num_rows >= 1
        assert sink.query("SHOW timezone").to_pylist() == [{"TimeZone": "UTC"}]


HOSTILE = [
    "",
    ";",
    "-- nothing",
    "DELETE FROM traffic",
    "DROP TABLE traffic",
    "DROP VIEW traffic_daily",
    "INSERT INTO run_holder VALUES ('me')",
    "UPDATE traffic SET traffic_bytes = 0",
    "CREATE TABLE mine (n INT)",
    "CREATE TEMPORARY TABLE mine (n INT)",
    "ALTER TABLE traffic ADD COLUMN n INT",
    "SELECT 1; DELETE FROM traffic",
    "SELECT 1; SELECT 2",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "COMMIT; DELETE FROM traffic",
    "/* SELECT */ DELETE FROM traffic",
    "SELECT * FROM nothing_here",
    "SELECT no_column FROM traffic",
    "SELECT FROM WHERE",
    "select \0",
    "select '\ud800'",
]
OWN = {
    "sqlite": [
        "PRAGMA query_only = 0",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA writable_schema = 1",
        "ATTACH DATABASE '/etc/passwd' AS other",
        "VACUUM",
        "VACUUM INTO '{place}/copy.sqlite'",
        "REPLACE INTO run_holder VALUES ('me')",
        "SELECT load_extension('x')",
        "WITH t AS (SELECT 1) DELETE FROM traffic",
        "EXPLAIN DELETE FROM traffic",
    ],
    "postgres": [
        "WITH t AS (DELETE FROM traffic RETURNING *) SELECT * FROM t",
        "SELECT 1 INTO mine",
        "SELECT * FROM traffic FOR UPDATE",
        "EXPLAIN ANALYZE DELETE FROM traffic",
        "EXPLAIN ANALYZE CREATE TABLE mine AS SELECT 1",
        "COPY traffic TO '{place}/copy.csv'",
        "COPY (SELECT 1) TO PROGRAM 'touch {place}/program'",
        "DO $$ BEGIN DELETE FROM traffic; END $$",
        "SET TRANSACTION READ WRITE",
        "SELECT set_config('transaction_read_only', 'off', false)",
        "TRUNCATE traffic",
        "CALL nothing()",
        "LOCK TABLE traffic",
        "VACUUM",
        "SELECT setval(pg_get_serial_sequence('traffic', 'domain'), 1); COMMIT",
    ],
    "mariadb": [
        "SELECT 1 INTO OUTFILE '{place}.csv'",
        "SELECT 1 INTO @x",
        "SELECT 1 /*! INTO OUTFILE '{place}.csv' */",
        "SELECT 1 /*M! INTO OUTFILE '{place}.csv' */",
        "/*! DELETE FROM traffic */",
        "REPLACE INTO run_holder (holder) VALUES ('me')",
        "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE run_holder",
        "SET GLOBAL max_connections = 1",
        "SET STATEMENT max_statement_time=1 FOR DELETE FROM traffic",
        "ANALYZE FORMAT=JSON DELETE FROM traffic",
        "TRUNCATE traffic",
        "HANDLER traffic OPEN",
        "CALL nothing()",
        "WITH t AS (SELECT 1) DELETE FROM traffic",
    ],
}


@pytest.mark.parametrize("name", ["mariadb"])
def test_a_function_that_writes_is_refused_by_the_server(
    sink: DatabaseSink, dialect: Dialect, store: Store, place: Path
) -> None:
    """No word of the statement says so: what stops it is that the transaction can only read."""
    with dialect.writer.connect() as connection:
        connection.exec_driver_sql(
            "CREATE FUNCTION spoil() RETURNS INT MODIFIES SQL DATA"
            " BEGIN INSERT INTO run_holder (holder) VALUES ('me'); RETURN 1; END"
        )
    before = store.trace(place)
    with pytest.raises(ConfigError) as caught:
        sink.query("SELECT spoil()")
    assert caught.value.remedy
    assert store.trace(place) == before


@pytest.mark.parametrize("name", ["mariadb"])
def test_a_connection_that_reads_hands_the_server_no_file(sink: DatabaseSink) -> None:
    """A server may answer any question by asking for a file of this machine."""
    with (
        sink._dialect.reader.connect() as connection,
        pytest.raises(DBAPIError, match="not allowed"),
    ):
        connection.exec_driver_sql(
            f"LOAD DATA LOCAL INFILE '{__file__}' INTO TABLE run_holder (holder)"
        )


FILES = {
    "sqlite": "VACUUM INTO '{}'",
    "postgres": "COPY (SELECT 1) TO PROGRAM 'touch {}'",
    "mariadb": "SELECT 1 INTO OUTFILE '{}'",
}


def test_no_question_makes_a_file(sink: DatabaseSink, name: str) -> None:
    """Nor has the server make one, though a transaction that only reads would let it."""
    with tempfile.TemporaryDirectory(prefix="lt-files-") as directory:
        Path(directory).chmod(0o777)  # a server is another user
        told: list[type[Exception]] = []
        try:
            sink.query(FILES[name].format(Path(directory) / "made"))
        except LiveTrafficError as error:
            told.append(type(error))
        assert list(Path(directory).iterdir()) == []
        assert told == [ConfigError]


def test_anything_but_reading_is_refused_and_nothing_happens(
    sink: DatabaseSink, store: Store, place: Path, name: str
) -> None:
    filled(sink)
    before = store.trace(place)
    for statement in (*HOSTILE, *OWN[name]):
        with pytest.raises(ConfigError) as caught:
            sink.query(statement.replace("{place}", str(place)))
        assert caught.value.exit_code == 2
        assert caught.value.remedy, statement
        assert "\n" not in caught.value.message, statement
    assert store.trace(place) == before
    left = {path.name.split("-")[0] for path in place.glob("*")} if place.exists() else set()
    assert left <= {"warehouse.sqlite"}


def test_a_question_without_a_warehouse(store: Store, place: Path) -> None:
    with pytest.raises(ConfigError, match="no warehouse"):
        store.make(place).query("SELECT 1")
    assert not place.exists()


def test_a_reader_does_not_wait_for_a_writer(sink: DatabaseSink) -> None:
    """And sees what was committed before."""
    filled(sink)
    with sink._dialect.writer.connect() as connection, connection.begin():
        sink._dialect.lock_commits(connection)
        connection.exec_driver_sql("DELETE FROM traffic")
        assert sink.query("SELECT COUNT(*) AS n FROM traffic").to_pylist()[0]["n"] > 0
        assert len(sink.ledger()) > 0
        assert len(sink.domains()) == 2
        connection.get_transaction().rollback()  # type: ignore[union-attr]
