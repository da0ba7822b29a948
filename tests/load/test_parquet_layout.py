"""The files of a warehouse are what the design says they are, whatever wrote them."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from livetraffic.table import (
    CALENDAR,
    DOMAINS,
    LOAD_LEDGER,
    RECONCILIATIONS,
    TRAFFIC,
    TRAFFIC_REVISIONS,
    Table,
)
from load.arrow import GROUP_ROWS
from load.parquet.sink import ParquetSink
from tests.contract.stores import JANUARY, LOADED_AT, RUN, STEP, ZONE, covering, frame
from tests.faults.scenarios import SCENARIOS

FILES: list[tuple[str, Table]] = [
    ("traffic/month=2026-01/data.parquet", TRAFFIC),
    ("traffic/month=2026-02/data.parquet", TRAFFIC),
    ("traffic_revisions/month=2026-03/data.parquet", TRAFFIC_REVISIONS),
    ("reconciliations/month=2026-01/data.parquet", RECONCILIATIONS),
    ("reconciliations/month=2026-02/data.parquet", RECONCILIATIONS),
    ("load_ledger/month=2026-02/data.parquet", LOAD_LEDGER),
    ("load_ledger/month=2026-04/data.parquet", LOAD_LEDGER),
    ("domains.parquet", DOMAINS),
    ("calendar.parquet", CALENDAR),
]
TYPES = {
    "text": pa.string(),
    "integer": pa.int64(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "date": pa.date32(),
}


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("layout") / "warehouse"
    for scenario in SCENARIOS.values():
        scenario(root)
    return root


def test_these_files_and_no_others(warehouse: Path) -> None:
    found = {str(p.relative_to(warehouse)) for p in warehouse.rglob("*") if p.is_file()}
    assert found == {name for name, _ in FILES} | {"warehouse.json", ".commit.lock"}


@pytest.mark.parametrize(("name", "table"), FILES)
def test_columns_have_the_declared_names_and_types(
    warehouse: Path, name: str, table: Table
) -> None:
    schema = pq.ParquetFile(warehouse / name).schema_arrow
    assert schema.names == list(table.column_names)
    assert [field.type for field in schema] == [TYPES[column.kind] for column in table.columns]
    assert [field.nullable for field in schema] == [column.nullable for column in table.columns]


@pytest.mark.parametrize(("name", "table"), FILES)
def test_files_are_compressed_and_carry_statistics(
    warehouse: Path, name: str, table: Table
) -> None:
    metadata = pq.ParquetFile(warehouse / name).metadata
    for index in range(metadata.num_columns):
        column = metadata.row_group(0).column(index)
        assert column.compression == "ZSTD"
        assert column.statistics is not None
        all_null = column.statistics.null_count == metadata.row_group(0).num_rows
        assert column.statistics.has_min_max or all_null


def test_warehouse_json_says_what_it_was_made_with(warehouse: Path) -> None:
    assert json.loads((warehouse / "warehouse.json").read_text()) == {
        "format_version": 2,
        "step_seconds": 86_400,
        "timezone": ZONE,
        "settle_after_seconds": 172_800,
    }


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_files_have_the_permissions_that_the_user_asked_for(
    tmp_path: Path, mask: int, mode: int
) -> None:
    before = os.umask(mask)
    try:
        for scenario in SCENARIOS.values():
            scenario(tmp_path)
    finally:
        os.umask(before)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {mode}


def test_large_months_are_cut_into_full_row_groups(tmp_path: Path) -> None:
    sink = ParquetSink(tmp_path)
    sink.prepare(step=STEP, timezone=ZONE, settle_after=1)
    for part in range(2):
        rows = [
            (f"{number:03d}.example", JANUARY + point * STEP, point)
            for number in range(part, 40, 2)
            for point in range(8_000)
        ]
        sink.upsert(frame(rows), covering(rows), loaded_at=LOADED_AT, run_id=RUN)
    metadata = pq.read_metadata(tmp_path / "traffic/month=2026-01/data.parquet")
    groups = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    assert groups == [GROUP_ROWS, GROUP_ROWS, 320_000 - 2 * GROUP_ROWS]


def test_months_without_a_change_are_not_rewritten(tmp_path: Path) -> None:
    sink = ParquetSink(tmp_path)
    sink.prepare(step=STEP, timezone=ZONE, settle_after=1)
    rows = [("a", JANUARY + offset, 1) for offset in (0, 40 * 86_400, 70 * 86_400)]
    sink.upsert(frame(rows), covering(rows), loaded_at=LOADED_AT, run_id=RUN)
    paths = sorted(tmp_path.glob("traffic/*/data.parquet"))
    before = [path.stat().st_ino for path in paths]
    rows[1] = ("a", JANUARY + 40 * 86_400, 2)
    sink.upsert(frame(rows), covering(rows), loaded_at=LOADED_AT, run_id=RUN)
    after = [path.stat().st_ino for path in paths]
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, False, True]


READ_ONLY = """
import sys
from pathlib import Path
from load.parquet.sink import ParquetSink
sink = ParquetSink(Path(sys.argv[1]))
sink.check(step=86400, timezone="Asia/Shanghai")
assert sink.ledger() and sink.ledger(1) and sink.domains()
sink.prepare(step=86400, timezone="Asia/Shanghai", settle_after=172800)
sink.extend_calendar(1769212800, 1769212801)
print(sorted({"pandas", "duckdb", "prefect"} & set(sys.modules)))
"""


def test_planning_starts_without_pandas(warehouse: Path, request: pytest.FixtureRequest) -> None:
    done = subprocess.run(
        [sys.executable, "-c", READ_ONLY, warehouse],
        cwd=request.config.rootpath,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")
