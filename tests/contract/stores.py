"""The stores that the suite holds to the contract, each with a reader that is not the sink.

A new sink is one line in ``STORES`` and one function that reads its tables by another road.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow.parquet as pq

from livetraffic.domain import Domain
from livetraffic.ledger import Entry
from load.parquet import ParquetSink
from load.sink import Sink

STEP = 300
ZONE = "Asia/Shanghai"
SETTLE_AFTER = 86_400
JANUARY = 1_767_225_600
"""2026-01-01T00:00:00Z, in seconds."""
SENT = 1_772_000_000_000_000
"""2026-02-25T06:13:20Z, in microseconds: when a request was sent, unless a test says otherwise."""
LOADED_AT = datetime(2026, 3, 1, 4, 5, 6, 789, tzinfo=UTC)
RUN = "run-1"

Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Contents:
    """Everything a warehouse holds; instants in seconds, except where a name ends in ``_us``."""

    traffic: dict[Key, tuple[int, str, int]] = field(default_factory=dict)
    """Key to bytes, source and ``loaded_at`` in microseconds."""
    revisions: list[tuple[str, int, int, int, int, str]] = field(default_factory=list)
    """Domain, time, ``revised_at`` in microseconds, old, new, run; sorted."""
    ledger: list[Entry] = field(default_factory=list)
    """In any order."""
    domains: list[Domain] = field(default_factory=list)
    calendar: list[tuple[int, int, int, date, int, str, str, int]] = field(default_factory=list)

    @property
    def values(self) -> dict[Key, int]:
        """Only the bytes."""
        return {key: row[0] for key, row in self.traffic.items()}


@dataclass(frozen=True, slots=True)
class Store:
    """One sink under test.

    Attributes:
        make: opens the sink over a place; twice the same place is the same warehouse, reopened.
        read: what is stored there, without the sink.
        trace: what differs as soon as anything was written there, without the sink.
    """

    make: Callable[[Path], Sink]
    read: Callable[[Path], Contents]
    trace: Callable[[Path], object]


@cache
def _duckdb() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_external_file_cache = false")
    connection.execute("SET parquet_metadata_cache = false")
    connection.execute("SET threads = 1")
    return connection


def read_parquet_files(root: Path) -> Contents:
    """The warehouse's files through DuckDB, which knows nothing of this program.

    Raises:
        AssertionError: a key stands twice, or a row is in the file of another month.
    """
    with _duckdb().cursor() as connection:

        def rows(name: str, columns: str) -> list[tuple[Any, ...]]:
            pattern = root / name
            if not list(root.glob(name)):
                return []
            statement = f"SELECT {columns} FROM read_parquet('{pattern}', hive_partitioning=true)"
            return connection.execute(statement).fetchall()

        traffic = rows(
            "traffic/*/data.parquet",
            "domain, epoch_us(timestamp), traffic_bytes, source, epoch_us(loaded_at),"
            " month, strftime(timestamp, '%Y-%m')",
        )
        revisions = rows(
            "traffic_revisions/*/data.parquet",
            "domain, epoch_us(timestamp), epoch_us(revised_at), old_bytes, new_bytes, run_id,"
            " month, strftime(revised_at, '%Y-%m')",
        )
        ledger = rows(
            "load_ledger/*/data.parquet",
            "domain, epoch_us(window_start) // 1000000, epoch_us(window_end) // 1000000, state,"
            " points, expected_points, traffic_bytes, source, account, project_id, region,"
            " epoch_us(fetched_at), run_id, detail, month, strftime(fetched_at, '%Y-%m')",
        )
        domains = rows(
            "domains.parquet",
            "domain, domain_type, status, service_area, related_domain,"
            " epoch_us(create_time) // 1000000, account, project_id, region,"
            " epoch_us(first_seen) // 1000000, epoch_us(last_seen) // 1000000,"
            " epoch_us(unlisted_since) // 1000000",
        )
        calendar = rows(
            "calendar.parquet",
            "epoch_us(timestamp) // 1000000, ordinal, epoch_us(hour_start) // 1000000, local_date,"
            " local_hour, local_week, local_month, epoch_us(settles_at) // 1000000",
        )
    assert all(row[-1] == row[-2] for row in traffic + revisions + ledger)
    assert all(row[1] % 1_000_000 == 0 for row in traffic + revisions)
    assert len({row[:2] for row in traffic}) == len(traffic)
    assert len({row[:3] for row in revisions}) == len(revisions)
    _check_files(root)
    return Contents(
        {(row[0], row[1] // 1_000_000): (row[2], row[3], row[4]) for row in traffic},
        sorted((row[0], row[1] // 1_000_000, *row[2:6]) for row in revisions),
        [Entry(*row[:14]) for row in ledger],
        [Domain(*row) for row in domains],
        calendar,
    )


def _check_files(root: Path) -> None:
    """What must hold of every file, whatever is in it."""
    for path in root.glob("*/month=*/*"):
        assert path.name == "data.parquet"
    for path in root.glob("traffic/*/data.parquet"):
        table = pq.ParquetFile(path).read(columns=["domain", "timestamp"])
        columns = [column.to_pylist() for column in table.columns]
        keys = list(zip(*columns, strict=True))
        assert keys == sorted(keys)


def trace_of_files(root: Path) -> object:
    """Inode, times and bytes of every file but the locks, whose content is no data."""
    found = {}
    for directory, _, names in os.walk(root):
        for name in names:
            if name.endswith(".lock"):
                continue
            path = Path(directory, name)
            status = path.stat()
            found[str(path)] = (status.st_ino, status.st_mtime_ns, path.read_bytes())
    return found


STORES: dict[str, Store] = {
    "parquet": Store(ParquetSink, read_parquet_files, trace_of_files),
}


def frame(rows: Iterable[tuple[str, int, int] | tuple[str, int, int, str]]) -> pd.DataFrame:
    """A frame of (domain, seconds, bytes, source = ``v1``) as ``upsert`` takes it."""
    full = [row if len(row) == 4 else (*row, "v1") for row in rows]
    times = pd.to_datetime([row[1] for row in full], unit="s", utc=True)
    return pd.DataFrame(
        {
            "domain": pd.Series([row[0] for row in full], dtype="str"),
            "timestamp": pd.Series(times).dt.as_unit("us"),
            "traffic_bytes": pd.Series([row[2] for row in full], dtype="int64"),
            "source": pd.Series([row[3] for row in full], dtype="str"),
        }
    )


def entry(domain: str, start: int, end: int, state: str = "read", **changes: Any) -> Entry:
    """A ledger entry of that interval, sent at ``SENT``."""
    points = (end - start) // STEP
    made = Entry(
        domain, start, end, state, points, points, 0, "v1", "acc", "proj", "cn-north-4", SENT, RUN
    )
    return made._replace(**changes)


def covering(rows: Iterable[Sequence[Any]], **changes: Any) -> list[Entry]:
    """One ``read`` entry a domain that covers all of these rows of it."""
    times: dict[str, list[int]] = {}
    for row in rows:
        times.setdefault(row[0], []).append(row[1])
    return [
        entry(domain, min(found), max(found) + STEP, **changes) for domain, found in times.items()
    ]


def prepared(store: Store, place: Path) -> Sink:
    """The sink over a new warehouse."""
    sink = store.make(place)
    sink.prepare(step=STEP, timezone=ZONE, settle_after=SETTLE_AFTER)
    return sink
