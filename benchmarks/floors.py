"""The plainest bulk load of each engine: what no sink can beat."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from tempfile import NamedTemporaryFile

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from benchmarks.meters import connected

Floor = Callable[[pd.DataFrame], None]
_COLUMNS = "domain, timestamp, traffic_bytes, source"


def _arrow(frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame, preserve_index=False)


def _csv(frame: pd.DataFrame) -> bytes:
    table = _arrow(frame)
    stamps = table["timestamp"].cast(pa.timestamp("us")).cast(pa.string())
    sink = pa.BufferOutputStream()
    options = pacsv.WriteOptions(include_header=False, quoting_style="none")
    pacsv.write_csv(table.set_column(1, "timestamp", stamps), sink, options)
    return sink.getvalue().to_pybytes()


def parquet(place: str) -> Floor:
    """One zstd file a batch; the rows come sorted."""
    directory = Path(place)
    directory.mkdir(parents=True)
    written: list[int] = []

    def load(frame: pd.DataFrame) -> None:
        pq.write_table(_arrow(frame), directory / f"{len(written)}.parquet", compression="zstd")
        written.append(len(frame))

    return load


def duckdb(place: str) -> Floor:
    """INSERT from Arrow into a keyed table, a transaction a batch."""
    import duckdb as engine

    connection = engine.connect(place.removeprefix("duckdb:///"))
    connection.execute(
        "CREATE TABLE traffic (domain VARCHAR, timestamp TIMESTAMPTZ, traffic_bytes BIGINT, "
        "source VARCHAR, PRIMARY KEY (domain, timestamp))"
    )

    def load(frame: pd.DataFrame) -> None:
        connection.register("given", _arrow(frame))
        connection.execute("INSERT INTO traffic SELECT * FROM given")
        connection.unregister("given")

    return load


def sqlite(place: str) -> Floor:
    """A prepared INSERT into a table WITHOUT ROWID, a transaction a batch."""
    connection = sqlite3.connect(place.removeprefix("sqlite:///"))
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(
        "CREATE TABLE traffic (domain TEXT, timestamp TEXT, traffic_bytes INTEGER, source TEXT, "
        "PRIMARY KEY (domain, timestamp)) WITHOUT ROWID"
    )

    def load(frame: pd.DataFrame) -> None:
        table = _arrow(frame)
        stamps = table["timestamp"].cast(pa.timestamp("us")).cast(pa.string()).to_pylist()
        rows = zip(
            table["domain"].to_pylist(),
            stamps,
            table["traffic_bytes"].to_pylist(),
            table["source"].to_pylist(),
            strict=True,
        )
        with connection:
            connection.executemany("INSERT INTO traffic VALUES (?, ?, ?, ?)", rows)

    return load


def postgresql(place: str) -> Floor:
    """COPY into a keyed table, a transaction a batch."""
    connection = connected("postgresql", place)
    connection.execute(
        "CREATE TABLE traffic (domain TEXT, timestamp TIMESTAMPTZ, traffic_bytes BIGINT, "
        "source TEXT, PRIMARY KEY (domain, timestamp))"
    )
    connection.commit()

    def load(frame: pd.DataFrame) -> None:
        statement = f"COPY traffic ({_COLUMNS}) FROM STDIN (FORMAT csv)"
        with connection.cursor().copy(statement) as copy:
            copy.write(_csv(frame))
        connection.commit()

    return load


def mariadb(place: str) -> Floor:
    """LOAD DATA LOCAL into a keyed table, a transaction a batch."""
    connection = connected("mariadb", place)
    cursor = connection.cursor()
    cursor.execute(
        "CREATE TABLE traffic (domain VARCHAR(253) CHARACTER SET ascii COLLATE ascii_bin, "
        "timestamp DATETIME(6), traffic_bytes BIGINT, source VARCHAR(8), "
        "PRIMARY KEY (domain, timestamp))"
    )

    def load(frame: pd.DataFrame) -> None:
        with NamedTemporaryFile() as file:
            file.write(_csv(frame))
            file.flush()
            cursor.execute(
                f"LOAD DATA LOCAL INFILE '{file.name}' INTO TABLE traffic "
                f"FIELDS TERMINATED BY ',' ({_COLUMNS})"
            )
        connection.commit()

    return load


FLOORS: dict[str, Callable[[str], Floor]] = {
    "parquet": parquet,
    "duckdb": duckdb,
    "sqlite": sqlite,
    "postgresql": postgresql,
    "mariadb": mariadb,
}
