"""Readers that are not ours see each file old or new while another process writes.

A reader that opens a file once cannot see anything else. One that opens it by its path twice, first
for the footer and then for the data, may meet two files when a commit comes between: it fails, and
succeeds when it is asked again; it never gives an answer of both.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from tests.contract.processes import worker
from tests.contract.stores import STORES, prepared
from tests.contract.workers import DOMAINS, POINTS

GENERATIONS = 8
PATIENCE = 90
"""Seconds; only a writer that has stopped needs them."""
TORN = (
    OSError,
    pa.ArrowException,
    pl.exceptions.PolarsError,
    pl.exceptions.PanicException,  # where the file has another size than at its first opening
    duckdb.Error,
)
COLUMNS = ["traffic_bytes"]
Read = Callable[[Path], list[int]]


def once_with_arrow(path: Path) -> list[int]:
    return list(pq.ParquetFile(path).read(columns=COLUMNS)["traffic_bytes"].to_pylist())


def once_with_pandas(path: Path) -> list[int]:
    with path.open("rb") as stream:
        return list(pd.read_parquet(stream, columns=COLUMNS)["traffic_bytes"])


def once_with_polars(path: Path) -> list[int]:
    with path.open("rb") as stream:
        return pl.read_parquet(stream, columns=COLUMNS)["traffic_bytes"].to_list()


def by_path_with_duckdb(path: Path) -> list[int]:
    with duckdb.connect() as connection:
        rows = connection.execute(f"SELECT traffic_bytes FROM '{path}'").fetchall()
    return [row[0] for row in rows]


def by_path_with_pandas(path: Path) -> list[int]:
    return list(pd.read_parquet(path, columns=COLUMNS)["traffic_bytes"])


def by_path_with_polars(path: Path) -> list[int]:
    return pl.read_parquet(path, columns=COLUMNS)["traffic_bytes"].to_list()


def by_path_with_arrow(path: Path) -> list[int]:
    return list(ds.dataset(path).to_table(columns=COLUMNS)["traffic_bytes"].to_pylist())


@pytest.fixture
def busy_warehouse(tmp_path: Path) -> Iterator[Path]:
    """A warehouse whose every value another process replaces in each of its commits."""
    prepared(STORES["parquet"], tmp_path)
    with worker("generations", "parquet", tmp_path) as writer:
        writer.hear()
        yield tmp_path
        assert writer.lives, "the writer has died"


def watch(root: Path, read: Read) -> None:
    """Read until the files have changed some times, and hold every answer against the promise."""
    generations = set[int]()
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for path in sorted(root.glob("traffic/*/data.parquet")):
            values = read(path)
            assert len(values) == len(DOMAINS) * POINTS // 2
            assert len(set(values)) == 1
            generations.update(values)
        if len(generations) >= GENERATIONS:
            return
    pytest.fail("the writer has written nothing")


def asked_again(read: Callable[[Path], Any], path: Path) -> Any:
    """The answer, after as many failures as a reader may have who is disturbed."""
    for _ in range(20):
        try:
            return read(path)
        except TORN:
            continue
    return read(path)


@pytest.mark.parametrize("read", [once_with_arrow, once_with_pandas, once_with_polars])
def test_who_opens_a_file_once_sees_it_whole(busy_warehouse: Path, read: Read) -> None:
    watch(busy_warehouse, read)


@pytest.mark.parametrize(
    "read", [by_path_with_duckdb, by_path_with_pandas, by_path_with_polars, by_path_with_arrow]
)
def test_who_opens_a_file_by_its_path_never_gets_half_an_answer(
    busy_warehouse: Path, read: Read
) -> None:
    watch(busy_warehouse, lambda path: asked_again(read, path))


def test_the_directories_open_as_partitioned_tables(busy_warehouse: Path) -> None:
    """Nothing lies about that a reader of the whole directory would stumble over."""
    directory = busy_warehouse / "traffic"
    count = len(DOMAINS) * POINTS
    for _ in range(10):
        whole = asked_again(
            lambda path: ds.dataset(path, partitioning="hive").to_table(), directory
        )
        assert whole.num_rows == count
        assert set(whole.column("month").to_pylist()) == {"2026-01", "2026-02"}
        rows = asked_again(
            lambda path: pl.scan_parquet(path, hive_partitioning=True).collect().height, directory
        )
        assert rows == count
        assert len(asked_again(pd.read_parquet, directory)) == count
