"""A warehouse that version 1 made: what can be asked of it, and how the next run moves it forward."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.dataset as ds
import pytest
from sqlalchemy import text

from livetraffic.errors import ConfigError
from livetraffic.reconciliation import Reconciliation
from livetraffic.table import LOAD_LEDGER, RECONCILIATIONS, TRAFFIC, TRAFFIC_REVISIONS
from livetraffic.window import Window
from load.database import ddl
from load.duckdb import schema as duckdb_schema
from load.parquet import journal
from load.parquet.reading import query as over_files
from load.sink import Total
from tests.contract import version_1
from tests.contract.stores import (
    JANUARY,
    LOADED_AT,
    RUN,
    SENT,
    SETTLE_AFTER,
    STEP,
    ZONE,
    Contents,
    Store,
    covering,
    frame,
    prepared,
)
from tests.contract.version_1 import DOMAINS, ENTRIES, REVISIONS, A
from tests.contract.version_1 import TRAFFIC as VALUES

MOVED = [(*row[:5], None, row[5]) for row in REVISIONS]
CHECKED = Reconciliation(
    JANUARY, RUN, "domain", A, JANUARY, JANUARY + STEP, "v1", "acc", 6, 6, 0, 0, "agrees"
)
_WRITTEN = "SELECT old_loaded_at AS n FROM traffic_revisions"
Reader = Callable[[], Contents]


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """The store's."""
    return str(request.node.callspec.params["store"])


@pytest.fixture
def older(store: Store, place: Path, name: str) -> Path:
    """The place of a warehouse of version 1."""
    if name not in version_1.MADE:
        pytest.skip("version 1 had no warehouses in object stores")
    place.parent.mkdir(exist_ok=True)
    version_1.MADE[name](place)
    return place


def assert_answers(sink: Any) -> None:
    """What was in version 1 is answered."""
    sink.check(step=STEP, timezone=ZONE)
    assert sink.made().step == STEP
    assert sorted(sink.ledger(), key=str) == sorted(ENTRIES, key=str)
    assert sink.domains() == DOMAINS
    assert sink.calendar() is None
    assert sink.reconciliations() == []
    window = Window(JANUARY, JANUARY + 2 * STEP)
    assert sink.totals(window, [A]) == [Total(A, "v1", 2, 6, JANUARY)]
    assert sink.point_totals(window, [A]) == {JANUARY: 6, JANUARY + STEP: 0}
    assert sink.query("SELECT COUNT(*) AS n FROM traffic").to_pylist() == [{"n": 2}]
    assert sink.query("SELECT domain FROM traffic_daily").column_names == ["domain"]
    assert sink.query("SELECT MAX(new_bytes) AS n FROM traffic_revisions").to_pylist() == [{"n": 6}]
    assert [totals.rows for totals in sink.months(TRAFFIC).values()] == [2]
    assert [totals.rows for totals in sink.months(LOAD_LEDGER).values()] == [2]


def test_commands_that_read_work_before_a_run_has_moved_it(store: Store, older: Path) -> None:
    assert_answers(store.make(older))
    assert store.make(older).made().version == 1  # type: ignore[union-attr]


def test_a_table_that_has_changed_is_read_or_the_remedy_is_told(
    store: Store, older: Path, name: str
) -> None:
    sink = store.make(older)
    if name == "parquet":
        assert [totals.rows for totals in sink.months(TRAFFIC_REVISIONS).values()] == [1, 1]
        assert sink.months(RECONCILIATIONS) == {}
        (found,) = sink.read_month(TRAFFIC_REVISIONS, "2026-01")
        assert found.column("old_loaded_at").to_pylist() == [None]
        return
    for attempt in (
        lambda: sink.months(TRAFFIC_REVISIONS),
        lambda: sink.months(RECONCILIATIONS),
        lambda: list(sink.read_month(TRAFFIC_REVISIONS, "2026-01")),
        lambda: sink.replace_month(RECONCILIATIONS, "2026-01", iter([])),
        lambda: sink.put_reconciliations([CHECKED]),
        lambda: sink.put_domains(DOMAINS[:1]),
    ):
        with pytest.raises(ConfigError, match=r"format version 1.*next run moves it") as caught:
            attempt()
        assert "nightly" in caught.value.remedy


def test_the_next_run_moves_it_with_all_it_holds(
    store: Store, older: Path, contents: Reader
) -> None:
    sink: Any = prepared(store, older)
    found = contents()
    assert found.settings == (2, STEP, ZONE, SETTLE_AFTER)
    assert sink.made().version == 2
    assert found.traffic == VALUES
    assert found.revisions == MOVED
    assert sorted(found.ledger, key=str) == sorted(ENTRIES, key=str)
    assert sorted(found.domains) == DOMAINS == sink.domains()
    assert found.reconciliations == []
    assert_answers_new(sink)
    before = store.trace(older)
    prepared(store, older)
    assert store.trace(older) == before


def assert_answers_new(sink: Any) -> None:
    """What came with version 2 is there."""
    known = sink.query("SELECT old_loaded_at FROM traffic_revisions").to_pylist()
    assert known == [{"old_loaded_at": None}] * 2
    served = sink.query("SELECT api, moved_at, previous_api, previous_account FROM domains")
    assert served.to_pylist() == [
        {"api": "", "moved_at": None, "previous_api": "", "previous_account": ""}
    ] * len(DOMAINS)
    assert sink.query("SELECT COUNT(*) AS n FROM reconciliations").to_pylist() == [{"n": 0}]
    assert sink.query("SELECT complete FROM traffic_daily").num_rows == 0  # no calendar yet


def test_a_moved_warehouse_takes_what_is_new(store: Store, older: Path, contents: Reader) -> None:
    sink = prepared(store, older)
    rows = [(A, JANUARY, 9)]
    entries = covering(rows, fetched_at=SENT + 5)
    sink.upsert(frame(rows), entries, loaded_at=LOADED_AT, run_id="run-3")
    moved = [DOMAINS[0]._replace(api="v2", moved_at=JANUARY, previous_api="v1"), DOMAINS[1]]
    sink.put_domains(moved)
    sink.put_reconciliations([CHECKED])
    found = contents()
    assert [row[3:6] for row in found.revisions] == [
        (4, 5, None),
        (5, 6, None),
        (6, 9, VALUES[A, JANUARY][2]),
    ]
    assert sorted(found.domains) == moved
    assert sink.reconciliations() == found.reconciliations == [CHECKED]
    for month, totals in sink.months(TRAFFIC_REVISIONS).items():
        pieces = list(sink.read_month(TRAFFIC_REVISIONS, month))
        assert sum(piece.num_rows for piece in pieces) == totals.rows


def test_two_runs_that_start_at_once_move_it_once(
    store: Store, older: Path, contents: Reader
) -> None:
    failures: list[BaseException] = []

    def run() -> None:
        try:
            prepared(store, older)
        except BaseException as error:  # noqa: BLE001 - told below, whatever it is
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert contents().revisions == MOVED
    assert sorted(contents().domains) == DOMAINS


def test_a_move_that_was_killed_halfway_is_finished_by_the_next(
    store: Store, older: Path, name: str, contents: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in the middle of it; MariaDB has committed the first, Parquet has published all."""
    place, step, last = {
        "parquet": (journal, "_put", 2),
        "duckdb": (duckdb_schema, "_move_forward", 4),  # revisions are done, domains are not
    }.get(name, (ddl, "added", 2))
    original, calls = getattr(place, step), list[int]()

    def killed(*given: Any) -> Any:
        calls.append(1)
        if len(calls) == last:
            raise KeyboardInterrupt
        return original(*given)

    with monkeypatch.context() as patched:
        patched.setattr(place, step, killed)
        with pytest.raises(KeyboardInterrupt):
            prepared(store, older)
    assert_answers(store.make(older))
    if name == "parquet":  # one month has the column, the other not yet
        assert [row["n"] for row in over_files(older, _WRITTEN).to_pylist()] == [None, None]
    prepared(store, older)
    assert contents().settings == (2, STEP, ZONE, SETTLE_AFTER)
    assert contents().revisions == MOVED
    assert sorted(contents().domains) == DOMAINS
    assert_answers_new(store.make(older))


def test_a_table_of_someone_else_stops_the_move(store: Store, older: Path, name: str) -> None:
    if name in ("parquet", "duckdb"):
        pytest.skip("a place of its own: nobody else's tables are there")
    sink: Any = store.make(older)
    with sink._dialect.writer.begin() as connection:
        connection.execute(text("CREATE TABLE reconciliations (mine INT)"))
    with pytest.raises(ConfigError, match="already has a table reconciliations"):
        prepared(store, older)
    assert store.make(older).domains() == DOMAINS


def test_readers_of_a_folder_find_one_schema_in_it(tmp_path: Path) -> None:
    """Version 1 wrote January without the column; whoever reads all months sees it in each."""
    place = tmp_path / "warehouse"
    version_1.parquet(place)
    from tests.contract.stores import STORES

    prepared(STORES["parquet"], place)
    pattern = f"{place}/traffic_revisions/*/data.parquet"
    with duckdb.connect() as connection:
        found = connection.execute(f"SELECT old_loaded_at FROM read_parquet('{pattern}')")
        assert found.fetchall() == [(None,), (None,)]
    months = ds.dataset(place / "traffic_revisions", format="parquet", partitioning="hive")
    assert months.to_table().column("old_loaded_at").to_pylist() == [None, None]
    assert over_files(place, "SELECT * FROM traffic_revisions").num_rows == 2
