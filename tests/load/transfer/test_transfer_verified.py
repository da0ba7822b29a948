"""What a copy finds out by counting and summing both sides, and two copies at once."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from livetraffic.errors import SinkError
from livetraffic.table import LOAD_LEDGER, TRAFFIC, Table
from load.transfer import Difference, Place, Transfer, transfer
from tests.load.transfer.moving import (
    Noted,
    parquet_only,
)


class Lossy:
    """A sink that is not what it says: it bends the rows of one table on their way in."""

    def __init__(self, sink: Any, table: Table, bend: Callable[[pa.RecordBatch], Any]) -> None:
        self._sink, self._table, self._bend = sink, table, bend

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sink, name)

    def replace_month(self, table: Table, month: str, batches: Iterator[pa.RecordBatch]) -> None:
        bent = map(self._bend, batches) if table is self._table and month.endswith("2") else batches
        self._sink.replace_month(table, month, bent)


def set_column(batch: pa.RecordBatch, name: str, values: Any) -> pa.RecordBatch:
    place = batch.schema.get_field_index(name)
    arrays = [values if i == place else column for i, column in enumerate(batch.columns)]
    return pa.RecordBatch.from_arrays(arrays, schema=batch.schema)


@pytest.mark.parametrize(
    ("table", "bend"),
    [
        (TRAFFIC, lambda batch: batch.slice(1)),
        (LOAD_LEDGER, lambda batch: batch.slice(0, batch.num_rows - 1)),
        (TRAFFIC, lambda b: set_column(b, "traffic_bytes", pa.array([1] * b.num_rows))),
        (
            TRAFFIC,
            lambda b: set_column(
                b, "loaded_at", pa.array([1] * b.num_rows).cast(pa.timestamp("us", "UTC"))
            ),
        ),
    ],
    ids=["a row less", "an entry less", "other values", "other instants"],
)
@parquet_only
def test_a_store_that_loses_something_is_found_out(
    source: Place, target: Place, table: Table, bend: Any
) -> None:
    lossy: Any = Lossy(target.sink, table, bend)
    (difference,) = transfer(source, Place(lossy, "lossy"), Noted()).differences
    assert isinstance(difference, Difference)
    assert (difference.table, difference.month) == (table.name, "2026-02")
    assert difference.source != difference.target


@parquet_only
def test_a_damaged_source_file_is_named_and_its_month_does_not_arrive(
    source: Place, target: Place, old: Path, new: Path
) -> None:
    held = source.sink.months(TRAFFIC)
    path = old / "traffic/month=2026-02/data.parquet"
    content = bytearray(path.read_bytes())
    content[4:400] = bytes(396)
    path.write_bytes(content)
    with pytest.raises(SinkError, match="month=2026-02"):
        transfer(Place(_Blind(source.sink, held), "old"), target, Noted())
    assert [p.parent.name for p in new.glob("traffic/*/*")] == ["month=2026-01"]


class _Blind(Lossy):
    """Says what its months held before the damage."""

    def __init__(self, sink: Any, held: Any) -> None:
        super().__init__(sink, TRAFFIC, lambda batch: batch)
        self._held = held

    def months(self, table: Table) -> Any:
        return self._held if table is TRAFFIC else self._sink.months(table)


@pytest.mark.parametrize("pair", [("parquet", "postgres")], ids="-to-".join, indirect=True)
def test_two_copies_at_once_are_kept_apart_by_the_run_lock(
    source: Place, target: Place, before: Any, after: Any
) -> None:
    """As the command does it: whoever comes second finds everything there."""
    done: list[Transfer] = []

    def copy() -> None:
        with (
            source.sink.run_lock(wait=60, holder="copy"),
            target.sink.run_lock(wait=60, holder="copy"),
        ):
            done.append(transfer(source, target, Noted()))

    threads = [threading.Thread(target=copy) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [moved.tables["traffic"].copied_months for moved in done] == [3, 0]
    assert after() == before()
