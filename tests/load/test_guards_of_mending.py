"""The guards of ``fsck --repair``: with the guard the promise holds, without it it does not."""

from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from load.inspection import mending
from load.inspection.aside import Aside
from load.inspection.files import ASIDE, Files
from load.inspection.looking import inspect
from load.inspection.marking import Marked, Marker
from load.inspection.mending import FilesMender, mend
from load.parquet.sink import ParquetSink
from load.warehouse_file import Made
from tests.contract.stores import SETTLE_AFTER, STEP, STORES, ZONE, at, prepared, put
from tests.figures import Figures

A = "a.example.com"
TRAFFIC = "traffic/month=2026-01/data.parquet"
NOW = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture
def sink(tmp_path: Path) -> ParquetSink:
    """A warehouse whose one file of traffic is cut short; all of it was settled."""
    made = prepared(STORES["parquet"], tmp_path / "warehouse")
    assert isinstance(made, ParquetSink)
    put(made, [(A, at(point), 0) for point in range(288)])
    assert inspect(Files(made.root)).findings == ()
    path = made.root / TRAFFIC
    path.write_bytes(path.read_bytes()[:-7])
    return made


def repair(sink: ParquetSink) -> None:
    """As ``fsck --repair`` does it."""
    aside = Aside(sink.root / ASIDE, NOW)
    mender = FilesMender(sink, Made(STEP, ZONE, SETTLE_AFTER), aside)
    marker = Marker(sink, STEP, now=NOW, run_id="fsck", edge=lambda _: 0)
    mend(mender, marker, inspect(Files(sink.root)))


def left_out(*_: Any, **__: Any) -> Any:
    """What a guard does that is not there."""
    return Marked()


def rows_first(mender: Any, marker: Any, report: Any) -> Marked:
    """A repair that touches the file before the ledger says that its time is due."""
    mender.structure(report)
    mender.rows(report)
    return marker.mark(inspect(mender.store).agreement)


def _or(guarded: bool, without: AbstractContextManager[Any]) -> AbstractContextManager[Any]:
    return nullcontext() if guarded else without


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "twin"])
def test_what_was_set_aside_is_due_again(
    sink: ParquetSink, guarded: bool, figures: Figures
) -> None:
    with _or(guarded, mock.patch.object(Marker, "mark", left_out)):
        repair(sink)
    assert inspect(Files(sink.root)).agreement.holds is guarded
    figures("twins", "what fsck sets aside is due again", int(not guarded), sink="parquet")


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "twin"])
def test_a_damaged_file_is_kept(sink: ParquetSink, guarded: bool, figures: Figures) -> None:
    damaged = (sink.root / TRAFFIC).read_bytes()

    def removed(self: Aside, path: Path, name: str) -> Path:
        path.unlink()
        return path

    with _or(guarded, mock.patch.object(Aside, "move", removed)):
        repair(sink)
    kept = [path.read_bytes() for path in (sink.root / ASIDE).rglob("*.parquet")]
    assert (damaged in kept) is guarded
    figures("twins", "what fsck takes out is kept", int(not guarded), sink="parquet")


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "twin"])
def test_a_repair_that_is_killed_leaves_nothing_that_looks_complete(
    sink: ParquetSink, guarded: bool, figures: Figures
) -> None:
    """It is killed before the ledger's last word: then the file must not have been touched yet."""

    def killed(*_: Any, **__: Any) -> Marked:
        raise KeyboardInterrupt

    doing = mend if guarded else rows_first
    with (
        mock.patch.object(Marker, "mark", killed),
        mock.patch(f"{__name__}.mend", doing),
        suppress(KeyboardInterrupt),
    ):
        repair(sink)
    assert (sink.root / TRAFFIC).exists() is guarded
    figures("twins", "fsck marks the ledger first", int(not guarded), sink="parquet")


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "twin"])
def test_no_repair_while_a_run_is_at_work(
    sink: ParquetSink, guarded: bool, figures: Figures
) -> None:
    without = mock.patch.object(mending, "run_lock", return_value=nullcontext())
    entered = False
    with (
        sink_locked(sink),
        _or(guarded, without),
        suppress(mending.LiveTrafficError),
        mending.held(sink, wait=0, holder="fsck", repairs=True),
    ):
        entered = True
    assert entered is not guarded
    figures("twins", "fsck holds the run lock", int(not guarded), sink="parquet")


def sink_locked(sink: ParquetSink) -> AbstractContextManager[None]:
    """A run, as far as a lock can tell."""
    return mending.run_lock(sink.root / mending.RUN_LOCK, wait=0, holder="a run")
