"""Where peers put their rows: plain bulk loads for the floor, upserts for the script."""

import io
from collections.abc import Callable
from pathlib import Path

import duckdb
import pandas as pd
import psycopg
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

Write = Callable[[pa.Table], None]

_TABLE = "traffic (domain VARCHAR, timestamp TIMESTAMPTZ, traffic_bytes BIGINT, PRIMARY KEY (domain, timestamp))"


def floor_parquet(place: str) -> Write:
    """One zstd file a window."""
    folder = Path(place)
    folder.mkdir(parents=True)
    written: list[int] = []

    def write(table: pa.Table) -> None:
        pq.write_table(table, folder / f"{len(written)}.parquet", compression="zstd")
        written.append(len(table))

    return write


def floor_duckdb(place: str) -> Write:
    """INSERT from Arrow into the keyed table."""
    connection = duckdb.connect(place)
    connection.execute(f"CREATE TABLE {_TABLE}")

    def write(table: pa.Table) -> None:
        connection.register("given", table)
        connection.execute("INSERT INTO traffic SELECT * FROM given")
        connection.unregister("given")

    return write


def floor_postgresql(place: str) -> Write:
    """COPY into the keyed table, a transaction a window."""
    connection = psycopg.connect(place)
    connection.execute(f"CREATE TABLE {_TABLE}")
    connection.commit()

    def write(table: pa.Table) -> None:
        with connection.cursor().copy("COPY traffic FROM STDIN (FORMAT csv)") as copy:
            copy.write(csv_of(table))
        connection.commit()

    return write


def csv_of(table: pa.Table) -> bytes:
    """The rows as CSV, by Arrow."""
    stream = io.BytesIO()
    options = pacsv.WriteOptions(include_header=False, quoting_style="none")
    stamps = table["timestamp"].cast(pa.timestamp("us")).cast(pa.string())
    stamps = pa.compute.binary_join_element_wise(stamps, "+00", "")
    pacsv.write_csv(table.set_column(1, "timestamp", stamps), stream, options)
    return stream.getvalue()


def script_parquet(place: str, frame: pd.DataFrame) -> None:
    """A file a month; what is there is read, merged (last one wins) and written again."""
    folder = Path(place)
    folder.mkdir(parents=True, exist_ok=True)
    for month, rows in frame.groupby(frame["timestamp"].dt.strftime("%Y-%m")):
        path = folder / f"{month}.parquet"
        merged = pd.concat([pd.read_parquet(path), rows]) if path.exists() else rows
        merged = merged.drop_duplicates(["domain", "timestamp"], keep="last")
        merged = merged.sort_values(["domain", "timestamp"])
        temporary = path.with_suffix(".tmp")
        merged.to_parquet(temporary, compression="zstd", index=False)
        temporary.replace(path)


def script_duckdb(place: str, frame: pd.DataFrame) -> None:
    """INSERT OR REPLACE from the frame."""
    with duckdb.connect(place) as connection:
        connection.execute(f"CREATE TABLE IF NOT EXISTS {_TABLE}")
        connection.execute("INSERT OR REPLACE INTO traffic SELECT * FROM frame")


def script_postgresql(place: str, frame: pd.DataFrame) -> None:
    """COPY into a temporary table, then INSERT ... ON CONFLICT."""
    with psycopg.connect(place) as connection:
        connection.execute(f"CREATE TABLE IF NOT EXISTS {_TABLE}")
        connection.execute("CREATE TEMP TABLE fresh (LIKE traffic) ON COMMIT DROP")
        stream = io.StringIO()
        frame.to_csv(stream, header=False, index=False)
        with connection.cursor().copy("COPY fresh FROM STDIN (FORMAT csv)") as copy:
            copy.write(stream.getvalue())
        connection.execute(
            "INSERT INTO traffic SELECT * FROM fresh ON CONFLICT (domain, timestamp) "
            "DO UPDATE SET traffic_bytes = excluded.traffic_bytes"
        )


FLOORS: dict[str, Callable[[str], Write]] = {
    "parquet": floor_parquet,
    "duckdb": floor_duckdb,
    "postgresql": floor_postgresql,
}
SCRIPTS: dict[str, Callable[[str, pd.DataFrame], None]] = {
    "parquet": script_parquet,
    "duckdb": script_duckdb,
    "postgresql": script_postgresql,
}
