"""The stores that the suite holds to the contract, each with a reader that is not the sink.

A new sink is one line in ``STORES`` and one function that reads its tables by another road.
"""

import json
import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from livetraffic.domain import Domain
from livetraffic.ledger import Entry
from livetraffic.reconciliation import Reconciliation
from load.database.sink import DatabaseSink
from load.duckdb.sink import DuckDbSink
from load.objects.sink import ObjectSink
from load.parquet.sink import ParquetSink
from load.sink import Receipt, Sink
from tests import objects, servers

STEP = 300
ZONE = "Asia/Shanghai"
SETTLE_AFTER = 86_400
JANUARY = 1_767_225_600
"""2026-01-01T00:00:00Z, in seconds."""
SENT = 1_772_000_000_000_000
"""2026-02-25T06:13:20Z, in microseconds: when a request was sent, unless a test says otherwise."""
LOADED_AT = datetime(2026, 3, 1, 4, 5, 6, 789, tzinfo=UTC)
RUN = "run-1"

MICRO = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Contents:
    """Everything a warehouse holds; instants in seconds, except where a name ends in ``_us``."""

    traffic: dict[Key, tuple[int, str, int]] = field(default_factory=dict)
    """Key to bytes, source and ``loaded_at`` in microseconds."""
    revisions: list[tuple[str, int, int, int, int, int | None, str]] = field(default_factory=list)
    """Domain, time, ``revised_at`` in microseconds, old, new, ``old_loaded_at`` in microseconds, run;
    sorted."""
    ledger: list[Entry] = field(default_factory=list)
    """In any order."""
    domains: list[Domain] = field(default_factory=list)
    reconciliations: list[Reconciliation] = field(default_factory=list)
    """In any order."""
    calendar: list[tuple[int, int, int, date, int, str, str, int]] = field(default_factory=list)
    settings: tuple[object, ...] = ()
    """Format version, step, zone and age of settling."""

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
        drop: removes what is not in the place itself.
        find: skips the test where the store's server is missing.
    """

    make: Callable[[Path], Sink]
    read: Callable[[Path], Contents]
    trace: Callable[[Path], object]
    drop: Callable[[Path], None] = lambda _: None
    find: Callable[[], object] = lambda: None


def read_parquet_files(root: Path) -> Contents:
    """The warehouse's files, one by one, through Arrow.

    Raises:
        AssertionError: a key stands twice, a file is out of order, or a row is in another's month.
    """
    traffic = _rows(root, "traffic", "timestamp")
    assert len({row[:2] for row in traffic}) == len(traffic)
    revisions = _rows(root, "traffic_revisions", "revised_at")
    assert len({row[:3] for row in revisions}) == len(revisions)
    return Contents(
        {(row[0], row[1] // MICRO): (row[2], row[3], row[4]) for row in traffic},
        sorted((row[0], row[1] // MICRO, *row[2:7]) for row in revisions),
        [
            Entry(row[0], row[1] // MICRO, row[2] // MICRO, *row[3:])
            for row in _rows(root, "load_ledger", "fetched_at")
        ],
        [Domain(*map(_seconds, row)) for row in _file_rows(root / "domains.parquet")],
        [
            Reconciliation(row[0] // MICRO, *row[1:4], row[4] // MICRO, row[5] // MICRO, *row[6:])
            for row in _rows(root, "reconciliations", "checked_at")
        ],
        [tuple(map(_seconds, row)) for row in _file_rows(root / "calendar.parquet")],
        _settings(root / "warehouse.json"),
    )


def _settings(path: Path) -> tuple[object, ...]:
    if not path.exists():
        return ()
    names = ("format_version", "step_seconds", "timezone", "settle_after_seconds")
    content = json.loads(path.read_bytes())
    return tuple(content[name] for name in names)


def _rows(root: Path, table: str, month_of: str) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    for path in sorted((root / table).glob("*/*")):
        assert path.name == "data.parquet"
        rows = _file_rows(path)
        column = pq.read_schema(path).names.index(month_of)
        months = {_EPOCH + timedelta(microseconds=int(row[column])) for row in rows}
        assert {f"month={month:%Y-%m}" for month in months} == {path.parent.name}
        if table == "traffic":
            assert [row[:2] for row in rows] == sorted({row[:2] for row in rows})
        found += [
            tuple(int(value) if type(value) is Microseconds else value for value in row)
            for row in rows
        ]
    return found


class Microseconds(int):
    """An instant, told from other integers."""


def _seconds(value: Any) -> Any:
    return int(value) // MICRO if isinstance(value, Microseconds) else value


def _file_rows(path: Path) -> list[tuple[Any, ...]]:
    if not path.exists():
        return []
    with pq.ParquetFile(path) as file:
        columns = [_column(column) for column in file.read(use_threads=False).columns]
    return list(zip(*columns, strict=True))


def _column(column: Any) -> list[Any]:
    if column.type == pa.timestamp("us", tz="UTC"):
        numbers = column.cast(pa.int64()).to_pylist()
        return [None if number is None else Microseconds(number) for number in numbers]
    return list(column.to_pylist())


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


def read_duckdb_file(place: Path) -> Contents:
    """The tables of the DuckDB file, through plain statements."""
    from tests.contract import duckdb_reader

    return duckdb_reader.read_duckdb_file(place)


def object_sink(place: Path) -> ObjectSink:
    """The sink over a bucket that belongs to this path."""
    return ObjectSink(
        objects.url_of(place), endpoint=objects.endpoint(), cache=place.parent / "copies", lease=5
    )


def read_objects(place: Path) -> Contents:
    """The files that the manifest names, laid out as a directory by plain requests."""
    with tempfile.TemporaryDirectory() as directory:
        manifest = {}
        if "manifest.json" in objects.objects(place):
            manifest = json.loads(objects.read(place, "manifest.json"))
        there = objects.objects(place)  # after the manifest: what it names is there for an hour
        for target, entry in manifest.get("files", {}).items():
            assert there[entry["key"]]["Size"] == entry["size"]
            path = Path(directory, target)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(objects.read(place, entry["key"]))
        return read_parquet_files(Path(directory))


def trace_of_objects(place: Path) -> object:
    """Tag and time of every object but the lock, which is no data."""
    there = objects.objects(place)
    return {
        name: (item["ETag"], item["LastModified"])
        for name, item in there.items()
        if name != "run-lock.json"
    }


STORES: dict[str, Store] = {
    "parquet": Store(ParquetSink, read_parquet_files, trace_of_files),
    "s3": Store(object_sink, read_objects, trace_of_objects, objects.drop, objects.endpoint),
    "duckdb": Store(
        lambda place: DuckDbSink(place / "warehouse.duckdb"), read_duckdb_file, trace_of_files
    ),
    "sqlite": Store(
        lambda place: DatabaseSink(f"sqlite:///{place}/warehouse.sqlite"),
        lambda place: _database_reader().read_sqlite_file(place),
        lambda place: _database_reader().trace_of_sqlite_file(place),
    ),
    "postgres": Store(
        lambda place: DatabaseSink(servers.postgres_place(place)),
        lambda place: _database_reader().read_postgres_schema(place),
        lambda place: _database_reader().trace_of_postgres_schema(place),
        servers.drop_postgres_place,
        servers.postgres,
    ),
    "mariadb": Store(
        lambda place: DatabaseSink(servers.mariadb_place(place)),
        lambda place: _database_reader().read_mariadb_database(place),
        lambda place: _database_reader().trace_of_mariadb_database(place),
        servers.drop_mariadb_place,
        servers.mariadb,
    ),
}


def _database_reader() -> Any:
    from tests.contract import database_reader

    return database_reader


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


def at(point: int) -> int:
    """The instant of a point, counted from January 2026."""
    return JANUARY + point * STEP


def put(
    sink: Sink,
    rows: list[tuple[str, int, int]] | list[tuple[str, int, int, str]],
    entries: list[Entry] | None = None,
    *,
    loaded_at: datetime = LOADED_AT,
    run_id: str = RUN,
) -> Receipt:
    """Upsert the rows; without entries with one that covers them, a domain."""
    given = covering(rows) if entries is None else entries
    return sink.upsert(frame(rows), given, loaded_at=loaded_at, run_id=run_id)
