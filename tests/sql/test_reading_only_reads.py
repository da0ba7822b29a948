"""``load.parquet.reading`` answers what reads the warehouse, and refuses everything else."""

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from livetraffic.errors import ConfigError
from load.parquet.reading import connect, query
from tests.sql.local_grid import months
from tests.sql.warehouses import write_parquet

READING = [
    "SELECT 1",
    "select count(*) from traffic;",
    "-- a note\nSELECT 1 /* and another */",
    "WITH a AS (SELECT 1 AS x), b AS MATERIALIZED (FROM a) SELECT * FROM b UNION ALL SELECT 2",
    "WITH RECURSIVE r AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM r WHERE a < 3) SELECT * FROM r",
    "FROM traffic_daily",
    "TABLE warehouse",
    "VALUES (1), (2)",
    "(SELECT 1)",
    "SELECT * FROM range(3)",
    "SELECT unnest([1, 2])",
    "SELECT local_month FROM calendar QUALIFY row_number() OVER (ORDER BY ordinal) = 1",
    "PIVOT traffic ON domain IN ('a') USING sum(traffic_bytes)",
    "DESCRIBE traffic_daily",
    "SHOW TABLES",
    "SUMMARIZE warehouse",
    "EXPLAIN SELECT 1",
    "explain analyze select * from coverage_daily",
    "EXPLAIN (FORMAT json) SELECT 1",
    "EXPLAIN (ANALYZE, FORMAT json) (SELECT 1)",
    "SELECT date_trunc('month', timestamp) FROM traffic",
    "SELECT 'COPY x TO y; DROP TABLE z' AS text",
]

HOSTILE = [
    "",
    "   ",
    "-- nothing",
    ";",
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP VIEW traffic",
    "SELECT 1 /* */; /* */ COPY traffic TO '{root}/x.csv'",
    "INSERT INTO traffic VALUES (1)",
    "UPDATE traffic SET traffic_bytes = 0",
    "DELETE FROM traffic",
    "TRUNCATE traffic",
    "CREATE TABLE x AS SELECT 1",
    "CREATE OR REPLACE VIEW traffic AS SELECT 1",
    "CREATE MACRO f() AS 1",
    "CREATE SECRET s (TYPE s3)",
    "DROP VIEW traffic",
    "ALTER VIEW traffic RENAME TO y",
    "COMMENT ON VIEW traffic IS 'x'",
    "COPY traffic TO '{root}/x.csv'",
    "COPY (SELECT 1) TO '{root}/traffic/month=2026-01/data.parquet'",
    "EXPORT DATABASE '{root}/x'",
    "IMPORT DATABASE '{root}/x'",
    "ATTACH '{root}/x.db'",
    "ATTACH ':memory:' AS other",
    "DETACH memory",
    "USE memory",
    "INSTALL httpfs",
    "LOAD httpfs",
    "UPDATE EXTENSIONS",
    "PRAGMA database_list",
    "PRAGMA enable_profiling",
    "SET enable_external_access = true",
    "SET memory_limit = '1GB'",
    "RESET ALL",
    "CALL pragma_version()",
    "CALL enable_logging(storage = 'file', storage_path = '{root}/log')",
    "CHECKPOINT",
    "VACUUM",
    "ANALYZE",
    "BEGIN",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "SELECT ?",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{root}/x.csv'",
    "EXPLAIN (ANALYZE) COPY (SELECT 1) TO '{root}/x.csv'",
    "EXPLAIN COPY (SELECT 1) TO '{root}/x.csv'",
    "EXPLAIN /* /* */ SELECT 1 -- */ ANALYZE COPY (SELECT 1) TO '{root}/x.csv'",
    "EXPLAIN ANALYZE CREATE TABLE x AS SELECT 1",
    "WITH x AS (COPY (SELECT 1) TO '{root}/x.csv') SELECT * FROM x",
    "WITH x AS (INSERT INTO traffic VALUES (1) RETURNING *) SELECT * FROM x",
    "EXPLAIN ANALYZE WITH x AS (COPY (SELECT 1) TO '{root}/x.csv') SELECT * FROM x",
    "SELECT * FROM (WITH x AS (COPY (SELECT 1) TO '{root}/x.csv') SELECT * FROM x)",
    "PIVOT traffic ON domain USING sum(traffic_bytes)",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('/proc/self/environ')",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM system.main.read_csv('/etc/passwd')",
    "SELECT * FROM '/etc/passwd.csv'",
    'SELECT * FROM "/etc/passwd.csv"',
    "SELECT (SELECT count(*) FROM read_csv('/etc/passwd'))",
    "SELECT * FROM read_parquet('{root}/../other.parquet')",
    "SELECT * FROM '{root}/../other.parquet'",
    "SELECT * FROM read_parquet('https://example.com/x.parquet')",
    "SELECT * FROM 'https://example.com/x.parquet'",
    "SELECT * FROM 's3://bucket/x.parquet'",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM parquet_metadata('/tmp/x.parquet')",
    "SELECT * FROM enable_logging(storage = 'file', storage_path = '{root}/log')",
    "SELECT * FROM enable_profiling(save_location = '{root}/p.json')",
    "SELECT * FROM query('SELECT * FROM read_text(''/etc/passwd'')')",
    "SELECT * FROM query_table('/etc/passwd.csv')",
    "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
    "SELECT * FROM arrow_scan(1, 2, 3)",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM import_database('{root}')",
    "SELECT * FROM force_checkpoint()",
    "SELECT getenv('HOME')",
    "SELECT * FROM local_rows",
    "SELECT * FROM postgres_scan('', '', '')",
    "SELECT * FROM nowhere",
    "SELECT nothing FROM traffic",
    "SELEC 1",
    "SELECT 'a\0b'",
    "SELECT '\ud800'",
]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse beside a file that is not its own; every test leaves it as it is."""
    home = tmp_path_factory.mktemp("beside") / "warehouse"
    home.mkdir()
    write_parquet(
        home,
        {
            "warehouse": [
                {
                    "format_version": 2,
                    "step_seconds": 3600,
                    "timezone": "UTC",
                    "settle_after_seconds": 86400,
                }
            ],
            "calendar": months("UTC", "2026-01", "2026-01", 3600, 86400),
        },
    )
    pq.write_table(pa.table({"secret": [1]}), home.parent / "other.parquet")
    return home


def _tree(root: Path) -> dict[str, tuple[int, int]]:
    paths = [path for path in root.parent.rglob("*") if path.is_file()]
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in paths}


@pytest.mark.parametrize("statement", READING)
def test_what_reads_is_answered(statement: str, root: Path) -> None:
    before = _tree(root)
    assert query(root, statement).num_columns > 0
    assert _tree(root) == before


@pytest.mark.parametrize("statement", HOSTILE)
def test_what_does_more_is_refused_with_a_remedy(statement: str, root: Path) -> None:
    local_rows = pa.table({"a": [1]})
    before = _tree(root)
    with pytest.raises(ConfigError) as refused:
        query(root, statement.replace("{root}", str(root)))
    assert refused.value.exit_code == 2
    assert refused.value.message
    assert refused.value.remedy
    assert "\n" not in str(refused.value)
    assert _tree(root) == before
    assert local_rows.num_rows == 1


def test_the_connection_cannot_leave_the_warehouse_either(root: Path) -> None:
    """The second belt: were a statement let through, DuckDB itself would refuse it."""
    with connect(root) as connection:
        for statement in (
            "SELECT * FROM read_text('/etc/passwd')",
            f"SELECT * FROM read_parquet('{root}/../other.parquet')",
            f"COPY (SELECT 1) TO '{root}/../x.csv'",
            "SET enable_external_access = true",
            "INSTALL httpfs",
        ):
            with pytest.raises(duckdb.Error):
                connection.execute(statement).fetchall()


def test_an_unknown_name_is_answered_with_those_there_are(root: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere.*There are .*coverage_daily.*traffic_daily"):
        query(root, "SELECT * FROM nowhere")
