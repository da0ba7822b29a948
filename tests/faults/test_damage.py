"""Files that are damaged, foreign or of another version are named, with what to do."""

import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from livetraffic.errors import ConfigError, LiveTrafficError, SinkError
from livetraffic.reconciliation import Reconciliation
from livetraffic.window import DAY
from load.parquet.sink import ParquetSink
from tests.contract.stores import SETTLE_AFTER, ZONE, trace_of_files
from tests.faults.scenarios import FIRST, SCENARIOS, STEP, before

TRAFFIC = "traffic/month=2026-01/data.parquet"
LEDGER = "load_ledger/month=2026-02/data.parquet"
RECONCILIATIONS = "reconciliations/month=2026-02/data.parquet"
REVISIONS = "traffic_revisions/month=2026-03/data.parquet"


def prepare(root: Path) -> None:
    ParquetSink(root).prepare(step=STEP, timezone=ZONE, settle_after=SETTLE_AFTER)


def read_ledger(root: Path) -> None:
    ParquetSink(root).ledger()


def read_domains(root: Path) -> None:
    ParquetSink(root).domains()


def read_reconciliations(root: Path) -> None:
    ParquetSink(root).reconciliations()


def put_reconciliation(root: Path) -> None:
    row = (FIRST + 30 * DAY, "run", "tenant", "*", FIRST, FIRST + DAY, "v1", "acc", 1, 1, 0, 0)
    ParquetSink(root).put_reconciliations([Reconciliation(*row, "agrees")])


def extend_calendar(root: Path) -> None:
    ParquetSink(root).extend_calendar(FIRST, FIRST + 400 * DAY)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def garbled(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4 : len(content) // 2] = bytes(len(content) // 2 - 4)
    path.write_bytes(content)


def not_parquet(path: Path) -> None:
    path.write_text("domain,timestamp\n")


def foreign(path: Path) -> None:
    pd.DataFrame({"x": [1]}).to_parquet(path)


def a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES = [empty, cut, not_parquet, foreign, a_directory]
READERS: list[tuple[str, Callable[[Path], None]]] = [
    (TRAFFIC, SCENARIOS["revise"]),
    (LEDGER, SCENARIOS["revise"]),
    (LEDGER, read_ledger),
    ("domains.parquet", read_domains),
    (RECONCILIATIONS, read_reconciliations),
    (RECONCILIATIONS, put_reconciliation),
    ("calendar.parquet", extend_calendar),
]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize(("file", "use"), READERS)
def test_a_damaged_file_is_named_and_nothing_is_written(
    tmp_path: Path, file: str, use: Callable[[Path], None], damage: Callable[[Path], None]
) -> None:
    before("revise", tmp_path)
    damage(tmp_path / file)
    found = trace_of_files(tmp_path)
    with pytest.raises(LiveTrafficError) as caught:
        use(tmp_path)
    assert str(tmp_path / file) in caught.value.message
    assert caught.value.remedy
    assert trace_of_files(tmp_path) == found


def test_garbled_pages_are_named(tmp_path: Path) -> None:
    before("revise", tmp_path)
    garbled(tmp_path / TRAFFIC)
    with pytest.raises(SinkError, match=r"data\.parquet"):
        SCENARIOS["revise"](tmp_path)


def rewritten(path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    pq.write_table(change(pq.ParquetFile(path).read()), path)


def a_microsecond_later(column: Any) -> Any:
    later = [number + 1 for number in column.cast(pa.int64()).to_pylist()]
    return pa.array(later, pa.int64()).cast(column.type)


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.take(list(range(table.num_rows))[::-1]),
        lambda table: pa.concat_tables([table.slice(0, 1), table]),
        lambda table: table.set_column(
            1, "timestamp", table.column(1).cast(pa.timestamp("ms", tz="UTC"))
        ),
        lambda table: table.set_column(
            2, "traffic_bytes", pa.array([None] * table.num_rows, pa.int64())
        ),
        lambda table: table.drop_columns("source"),
        lambda table: table.append_column("of_the_future", table.column(2)),
        lambda table: table.set_column(1, "timestamp", a_microsecond_later(table.column(1))),
    ],
    ids=[
        "disorder",
        "a-key-twice",
        "milliseconds",
        "nulls",
        "a-column-less",
        "a-column-more",
        "fractions",
    ],
)
def test_a_file_that_breaks_the_layout_is_refused(
    tmp_path: Path, change: Callable[[pa.Table], pa.Table]
) -> None:
    before("revise", tmp_path)
    rewritten(tmp_path / TRAFFIC, change)
    found = trace_of_files(tmp_path)
    with pytest.raises(SinkError, match="month=2026-01"):
        SCENARIOS["revise"](tmp_path)
    assert trace_of_files(tmp_path) == found


@pytest.mark.parametrize(
    "content",
    [
        "",
        "not json",
        "[]",
        "{}",
        '{"format_version": 2}',
        '{"format_version": 2, "step_seconds": "300", "timezone": "UTC",'
        ' "settle_after_seconds": 1}',
        '{"format_version": 2, "step_seconds": 300, "timezone": "Mars", "settle_after_seconds": 1}',
        '{"format_version": 0, "step_seconds": 300, "timezone": "UTC", "settle_after_seconds": 1}',
        '{"format_version": 2, "step_seconds": 0, "timezone": "UTC", "settle_after_seconds": 1}',
    ],
)
def test_a_warehouse_json_that_is_not_ours_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "warehouse.json").write_text(content)
    found = trace_of_files(tmp_path)
    with pytest.raises(SinkError, match=r"warehouse\.json") as caught:
        prepare(tmp_path)
    assert caught.value.remedy
    assert trace_of_files(tmp_path) == found


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    prepare(tmp_path)
    path = tmp_path / "warehouse.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format_version": 3}))
    with pytest.raises(ConfigError, match="format version 3"):
        prepare(tmp_path)


def test_data_without_a_warehouse_json_is_not_taken_over(tmp_path: Path) -> None:
    before("revise", tmp_path)
    (tmp_path / "warehouse.json").unlink()
    with pytest.raises(SinkError, match="missing beside stored data"):
        prepare(tmp_path)


@pytest.mark.parametrize("below", ["", "deeper/"])
def test_a_path_that_is_no_directory_is_refused(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("mine")
    root = tmp_path / f"file/{below}"
    for use in (prepare, read_ledger, read_domains):
        with pytest.raises(ConfigError, match="not a directory"):
            use(root)
    with pytest.raises(ConfigError), ParquetSink(root).run_lock(wait=0, holder="x"):
        pytest.fail("locked a file")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_path_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(SinkError, match="cannot be written"):
        prepare(tmp_path / "warehouse")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"version": 1}',
        b'{"version": 1, "moves": {".commit-x.tmp": "../outside"}}',
        b'{"version": 1, "moves": {".commit-x.tmp": "/etc/outside"}}',
        b'{"version": 1, "moves": {"../inside": "domains.parquet"}}',
        b'{"version": 1, "moves": {".commit-x.tmp": "a/../../b"}}',
        b'{"version": 1, "moves": {".commit-x.tmp": ""}}',
        b'{"version": 1, "moves": {".commit-x.tmp": 5}}',
        b'{"version": 1, "moves": {".commit-x.tmp": "neither/is/there"}}',
        b'{"version": 2, "moves": {}}',
        b"\xff\xfe",
    ],
)
def test_a_journal_that_cannot_be_trusted_stops_every_writer(
    tmp_path: Path, content: bytes
) -> None:
    root = tmp_path / "warehouse"
    before("overlap", root)
    (tmp_path / "inside").write_text("mine")
    (root / ".journal").write_bytes(content)
    for use in (prepare, SCENARIOS["overlap"]):
        with pytest.raises(SinkError, match="journal") as caught:
            use(root)
        assert caught.value.remedy
    assert (root / ".journal").read_bytes() == content
    assert (tmp_path / "inside").read_text() == "mine"
    assert not (tmp_path / "outside").exists()


def test_temporaries_without_a_journal_are_removed_and_other_files_are_not(tmp_path: Path) -> None:
    prepare(tmp_path)
    (tmp_path / ".commit-abc-0.tmp").write_text("half")
    (tmp_path / ".journal.tmp").write_text("half")
    (tmp_path / ".mine.tmp").write_text("mine")
    (tmp_path / "notes.txt").write_text("mine")
    prepare(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        ".commit.lock",
        ".mine.tmp",
        "notes.txt",
        "warehouse.json",
    }


def changed_unnoticed(path: Path) -> bytes:
    """Flip a bit so that whoever reads without checksums is given another value."""
    held, whole = pq.ParquetFile(path).read(), path.read_bytes()
    column = pq.read_metadata(path).row_group(0).column(2)
    first = column.data_page_offset
    for place in reversed(range(first, first + column.total_compressed_size)):
        content = bytearray(whole)
        content[place] ^= 1
        path.write_bytes(content)
        with suppress(OSError, pa.ArrowException):
            if pq.ParquetFile(path).read() != held:
                return bytes(content)
    pytest.fail("every flipped bit is noticed without checksums")


def test_a_flipped_bit_is_not_carried_into_a_new_file(tmp_path: Path) -> None:
    """Pages have checksums, and a merge reads with them."""
    before("revise", tmp_path)
    path = tmp_path / TRAFFIC
    content = changed_unnoticed(path)
    with pytest.raises(SinkError, match=r"month=2026-01.*(?i:crc|checksum)"):
        SCENARIOS["revise"](tmp_path)
    assert path.read_bytes() == content
