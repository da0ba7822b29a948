"""The plans of questions on a year of data: which indexes they use, and that nothing reads all of it."""

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from livetraffic.ledger import Entry
from livetraffic.window import DAY
from load.database import ddl
from load.database.dialect import Dialect
from load.database.sink import DatabaseSink
from load.records import entries_as_arrow
from tests.contract.stores import JANUARY, SENT, STEP, entry

PAGE = Path(__file__).parents[3] / "docs" / "how-do-i-query-a-database.md"
YEAR = 365 * DAY // STEP
NAMES = [f"play{number:03}.example.com" for number in range(30)]
WITH_ROWS = {"sqlite": 2, "postgres": 4, "mariadb": 2}
"""PostgreSQL rightly reads all of a table where a domain has half of it."""
MONTH = "local_date >= '2026-06-01' AND local_date < '2026-07-01'"
INSTANT = "'2026-06-01 00:00:00.000000'"
QUESTIONS = {
    "a domain's month": f"SELECT * FROM traffic_daily WHERE domain = '{NAMES[0]}' AND {MONTH}",
    "its coverage": f"SELECT * FROM coverage_daily WHERE domain = '{NAMES[0]}' AND {MONTH}",
    "its peaks": f"SELECT * FROM bandwidth_daily_peak WHERE domain = '{NAMES[0]}' AND {MONTH}",
    "its percentile": "SELECT * FROM bandwidth_monthly_p95"
    f" WHERE domain = '{NAMES[0]}' AND local_month = '2026-06'",
    "its hours": f"SELECT * FROM traffic_hourly WHERE domain = '{NAMES[0]}'"
    " AND local_date = '2026-06-01'",
    "its bandwidth": f"SELECT * FROM bandwidth WHERE domain = '{NAMES[0]}'"
    f" AND timestamp >= {INSTANT}",
    "freshness": "SELECT * FROM freshness",
    "what was read since": "SELECT domain, window_start, window_end FROM load_ledger"
    " WHERE fetched_at >= {since}",
}
OF_ONE_DOMAIN = [name for name in QUESTIONS if name.startswith(("a ", "its "))]


def entries() -> list[Entry]:
    """A night's entry for each domain and day."""
    sent = SENT - 365 * DAY * 1_000_000
    return [
        entry(
            name,
            JANUARY + day * DAY,
            JANUARY + (day + 1) * DAY,
            fetched_at=sent + day * DAY * 1_000_000,
            run_id=f"run-{day}",
        )
        for day in range(365)
        for name in NAMES
    ]


def traffic(domains: int) -> pa.Table:
    """Every point of the year of the first domains."""
    seconds = np.arange(JANUARY, JANUARY + YEAR * STEP, STEP, dtype=np.int64)
    stamps = pa.array(np.tile(seconds, domains) * 1_000_000).cast(pa.timestamp("us", tz="UTC"))
    names = pa.DictionaryArray.from_arrays(np.repeat(np.arange(domains), YEAR), NAMES[:domains])
    count = domains * YEAR
    return pa.table(
        {
            "domain": names.cast(pa.string()),
            "timestamp": stamps,
            "traffic_bytes": pa.array(np.arange(count, dtype=np.int64)),
            "source": pa.array(["v1"] * count),
            "loaded_at": stamps,
        }
    )


@pytest.fixture
def year(sink: DatabaseSink, dialect: Dialect, name: str) -> Dialect:
    """Filled without the sink's checks, and known to the planner."""
    sink.extend_calendar(JANUARY, JANUARY + YEAR * STEP)
    with dialect.writer.begin() as connection:
        dialect.insert(connection, "traffic", traffic(WITH_ROWS[name]))
        dialect.insert(connection, "load_ledger", entries_as_arrow(entries()))
    table = " TABLE" if name == "mariadb" else ""
    analyze = f"ANALYZE{table} traffic, load_ledger, calendar" if name != "sqlite" else "ANALYZE"
    with dialect.writer.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql(analyze)
    return dialect


def plan(dialect: Dialect, name: str, question: str) -> list[str]:
    """The plan's lines; on MariaDB table, kind of access and key."""
    since = str(dialect.instant(SENT - DAY * 1_000_000)).replace("+00:00", "")
    asked = question.format(since=f"'{since}'").replace("%", "%%")
    explain = "EXPLAIN QUERY PLAN " if name == "sqlite" else "EXPLAIN "
    with dialect.writer.connect() as connection:
        if name == "postgres":  # with helpers it reads all of a small table sooner
            connection.exec_driver_sql("SET max_parallel_workers_per_gather = 0")
        rows = list(connection.exec_driver_sql(explain + asked).mappings())
    if name == "mariadb":
        return [f"{row['type']} {row['table']} {row['key'] or '-'}" for row in rows]
    return [str(list(row.values())[-1]) for row in rows]


WHOLE = {
    "sqlite": r"\bSCAN traffic\b",
    "postgres": r"Seq Scan on traffic\b",
    "mariadb": r"^(ALL|index) traffic\b",
}
"""How a plan says that all of a table is read."""


def test_every_index_is_used_and_no_question_about_a_domain_reads_everything(
    year: Dialect, name: str
) -> None:
    """The page's table names exactly the indexes that there are; each stands in some plan."""
    plans = {label: plan(year, name, asked) for label, asked in QUESTIONS.items()}
    for label in OF_ONE_DOMAIN:
        assert not [line for line in plans[label] if re.search(WHOLE[name], line)], plans[label]
    said = "\n".join(line for lines in plans.values() for line in lines)
    documented = re.findall(r"^\| `(\w+) \((\w+(?:, \w+)*)\)` \|", PAGE.read_text(), re.MULTILINE)
    names = {ddl.index_name(table, columns.split(", ")) for table, columns in documented}
    assert names == {made for made in existing(year, name) if "_by_" in made}
    assert {made for made in names if made not in said} == set()


def existing(dialect: Dialect, name: str) -> set[str]:
    """The names of the indexes that are no keys, by the database's own catalogue."""
    asked = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
        "postgres": "SELECT indexname FROM pg_indexes WHERE schemaname = current_schema()"
        " AND indexdef NOT LIKE '%% UNIQUE %%'",
        "mariadb": "SELECT DISTINCT index_name FROM information_schema.statistics"
        " WHERE table_schema = DATABASE() AND non_unique = 1",
    }[name]
    with dialect.writer.connect() as connection:
        return {str(row[0]) for row in connection.exec_driver_sql(asked)}
