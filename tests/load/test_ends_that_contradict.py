"""The end of a Parquet file, which no checksum covers: where it contradicts itself nothing is read."""

from collections.abc import Callable
from pathlib import Path

import pytest

from livetraffic.errors import SinkError
from livetraffic.table import TRAFFIC
from livetraffic.window import Window
from load.inspection.parquet_file import fault_of
from load.parquet.sink import ParquetSink
from tests.contract.stores import SENT, STORES, at, covering, prepared, put

A = "a.example.com"
COUNT = 8
ROWS = [(A, at(point), point) for point in range(COUNT)]


@pytest.fixture
def sink(tmp_path: Path) -> ParquetSink:
    """A warehouse with one row group, whose file's end says one row more: a bit is flipped."""
    made = prepared(STORES["parquet"], tmp_path / "warehouse")
    assert isinstance(made, ParquetSink)
    put(made, ROWS)
    content = bytearray(path_of(made).read_bytes())
    # The number of all rows and the beginning of a list of one, as Thrift writes them.
    mark = bytes([0x16, COUNT << 1, 0x19, 0x1C])
    assert content.count(mark) == 1
    content[content.index(mark) + 1] ^= 1 << 1
    path_of(made).write_bytes(content)
    return made


def path_of(sink: ParquetSink) -> Path:
    return sink.root / "traffic/month=2026-01/data.parquet"


READERS: dict[str, Callable[[ParquetSink], object]] = {
    "merge": lambda sink: put(
        sink, [(A, at(1), 99)], covering([(A, at(1), 99)], fetched_at=SENT + 1)
    ),
    "totals": lambda sink: sink.totals(Window(at(0), at(COUNT)), [A]),
    "copy": lambda sink: list(sink.read_month(TRAFFIC, "2026-01")),
}


@pytest.mark.parametrize("reader", READERS)
def test_nothing_is_read_from_it_and_it_stays_as_it_is(sink: ParquetSink, reader: str) -> None:
    before = path_of(sink).read_bytes()
    with pytest.raises(SinkError, match="its end tells of 9 rows, and of parts with 8") as caught:
        READERS[reader](sink)
    assert "fsck" in caught.value.remedy
    assert path_of(sink).read_bytes() == before


def test_fsck_finds_it(sink: ParquetSink) -> None:
    told = fault_of(path_of(sink), TRAFFIC)
    assert told == "its end tells of 9 rows, and of parts with 8"
