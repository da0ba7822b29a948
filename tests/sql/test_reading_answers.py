"""What ``load.parquet.reading`` makes of a warehouse's files: types, empty tables, odd paths, swaps."""

import subprocess
import sys
import threading
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from livetraffic.errors import ConfigError, SinkError
from livetraffic.table import TABLES, TRAFFIC, Kind
from load.parquet.reading import connect, query
from sql import names
from tests.sql.local_grid import months
from tests.sql.warehouses import arrow, write_parquet

POINT = datetime(2026, 1, 2, 3, tzinfo=UTC)
FACTS = {
    "format_version": 2,
    "step_seconds": 3600,
    "timezone": "Asia/Shanghai",
    "settle_after_seconds": 86400,
}
ARROW = {
    Kind.TEXT: pa.string(),
    Kind.INTEGER: pa.int64(),
    Kind.TIMESTAMP: pa.timestamp("us", tz="UTC"),
    Kind.DATE: pa.date32(),
}


def _warehouse(root: Path, rows: list[dict[str, Any]]) -> Path:
    root.mkdir(parents=True)
    grid = months("Asia/Shanghai", "2026-01", "2026-01", 3600, 86400)
    write_parquet(root, {"warehouse": [FACTS], "calendar": grid, "traffic": rows})
    return root


def _row(value: int, domain: str = "a") -> dict[str, Any]:
    return {"domain": domain, "timestamp": POINT, "traffic_bytes": value, "source": "v1"}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
@pytest.mark.parametrize("rows", [[], [_row(2**63 - 1)]], ids=["empty", "stored"])
def test_types_are_those_of_the_table(table: Any, rows: Any, tmp_path: Path) -> None:
    found = query(_warehouse(tmp_path / "w", rows), f"SELECT * FROM {table.name}")
    assert found.schema.names == list(table.column_names)
    assert found.schema.types == [ARROW[column.kind] for column in table.columns]


def test_values_come_back(tmp_path: Path) -> None:
    root = _warehouse(tmp_path / "w", [_row(2**63 - 1)])
    (found,) = query(root, "SELECT domain, timestamp, traffic_bytes FROM traffic").to_pylist()
    assert found == {"domain": "a", "timestamp": POINT, "traffic_bytes": 2**63 - 1}
    (facts,) = query(root, "FROM warehouse").to_pylist()
    assert facts == FACTS
    (day,) = query(root, "SELECT local_date FROM traffic_daily").to_pylist()
    assert day == {"local_date": date(2026, 1, 2)}


def test_sums_are_whole_numbers_of_64_bits_where_they_fit(tmp_path: Path) -> None:
    root = _warehouse(tmp_path / "w", [_row(2**63 - 2), _row(1, "b")])
    small = query(root, "SELECT sum(traffic_bytes) AS s FROM traffic")
    assert small.schema.types == [pa.int64()]
    assert small.to_pylist() == [{"s": 2**63 - 1}]
    large = query(root, "SELECT sum(traffic_bytes) * 2 AS s FROM traffic").to_pylist()
    assert [int(row["s"]) for row in large] == [2 * (2**63 - 1)]


def test_a_sum_beyond_64_bits_is_an_error_not_a_wrong_number(tmp_path: Path) -> None:
    second = {**_row(1), "timestamp": datetime(2026, 1, 2, 4, tzinfo=UTC)}
    root = _warehouse(tmp_path / "w", [_row(2**63 - 1), second])
    with pytest.raises(ConfigError, match="range"):
        query(root, "SELECT * FROM traffic_daily")


@pytest.mark.parametrize("view", names("views"))
def test_every_view_answers_on_an_empty_warehouse(view: str, tmp_path: Path) -> None:
    (tmp_path / "warehouse.json").write_text(
        '{"format_version": 2, "step_seconds": 300, "timezone": "UTC", "settle_after_seconds": 0}'
    )
    assert query(tmp_path, f"SELECT * FROM {view}").num_rows == 0


@pytest.mark.parametrize(
    "name",
    [
        "with space",
        "quo'te",
        'dq"',
        "br[a]cket",
        "st*r",
        "q?m",
        "ünï☃",
        "a{b,c}",
        "back\\slash",
        "-dash",
        "x;--",
    ],
)
def test_any_path_is_read_as_it_is_written(name: str, tmp_path: Path) -> None:
    for decoy in ("bracket", "stir", "qam", "a", "ab", "ac"):
        _warehouse(tmp_path / decoy, [_row(1), _row(2, "b")])
    root = _warehouse(tmp_path / name, [_row(7)])
    assert query(root, "SELECT traffic_bytes AS b FROM traffic").to_pylist() == [{"b": 7}]
    assert query(tmp_path / "a", "SELECT count(*) AS n FROM traffic").to_pylist() == [{"n": 2}]


def test_a_relative_path_and_a_link_are_fine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = _warehouse(tmp_path / "w", [_row(7)])
    (tmp_path / "link").symlink_to(root)
    monkeypatch.chdir(tmp_path)
    for path in (Path("w"), Path("link"), Path("link/../w")):
        assert query(path, "SELECT * FROM traffic").num_rows == 1


def test_only_the_months_own_files_are_read(tmp_path: Path) -> None:
    root = _warehouse(tmp_path / "w", [_row(7)])
    stray = pa.table({"nonsense": [1]})
    pq.write_table(stray, root / "traffic" / "month=2026-01" / ".tmp-1")
    pq.write_table(stray, root / "traffic" / "month=2026-01" / "copy.parquet")
    (root / "traffic" / "month=2026-02").mkdir()
    assert query(root, "SELECT * FROM traffic").num_rows == 1


def test_no_warehouse_names_the_path(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere") as refused:
        query(tmp_path / "nowhere", "SELECT 1")
    assert refused.value.remedy


def test_a_damaged_file_is_the_warehouses_fault(tmp_path: Path) -> None:
    root = _warehouse(tmp_path / "w", [_row(7)])
    (root / "traffic" / "month=2026-01" / "data.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(SinkError, match="is damaged"):
        query(root, "SELECT * FROM traffic")


def test_the_program_may_use_a_connection(tmp_path: Path) -> None:
    with connect(_warehouse(tmp_path / "w", [_row(7)])) as connection:
        assert connection.execute("SELECT traffic_bytes FROM traffic").fetchall() == [(7,)]


def test_a_writer_who_replaces_files_disturbs_nobody(tmp_path: Path) -> None:
    """Every answer is one of the files that were there, and none is an error."""
    root = _warehouse(tmp_path / "w", [_row(1)])
    target = root / "traffic" / "month=2026-01" / "data.parquet"
    done = threading.Event()

    def write() -> None:
        number = 1
        while not done.is_set():
            number += 1
            rows = [_row(number, f"d{index}") for index in range(number % 7 * 100 + 1)]
            pq.write_table(arrow(TRAFFIC, rows), target.with_name(".new"))
            target.with_name(".new").replace(target)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(15):
            (found,) = query(
                root, "SELECT min(traffic_bytes) AS a, max(traffic_bytes) AS b FROM traffic"
            ).to_pylist()
            assert found["a"] == found["b"]
    finally:
        done.set()
        writer.join()


def test_reading_starts_without_pandas(tmp_path: Path) -> None:
    root = _warehouse(tmp_path / "w", [_row(7)])
    code = (
        "import sys, pathlib; from load.parquet.reading import query;"
        "query(pathlib.Path(sys.argv[1]), 'SELECT * FROM traffic_daily');"
        "sys.exit('pandas' in sys.modules)"
    )
    here = Path(__file__).parents[2]
    assert (
        subprocess.run([sys.executable, "-c", code, str(root)], cwd=here, check=False).returncode
        == 0
    )
