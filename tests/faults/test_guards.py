"""Guards that no kill is needed for: with the guard the promise holds, without it it does not."""

from contextlib import nullcontext
from pathlib import Path

import pytest

from livetraffic.errors import SinkError
from load.parquet.sink import ParquetSink
from load.sink import Receipt
from tests.contract.stores import (
    LOADED_AT,
    RUN,
    SENT,
    STEP,
    STORES,
    covering,
    entry,
    frame,
    prepared,
    read_parquet_files,
)
from tests.faults.twins import GUARDS
from tests.figures import Figures

A, T = "a.example", 1_767_225_600


def new(root: Path) -> ParquetSink:
    sink = prepared(STORES["parquet"], root)
    assert isinstance(sink, ParquetSink)
    return sink


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "twin"])
def test_a_late_writer_does_not_win(tmp_path: Path, guarded: bool, figures: Figures) -> None:
    sink = new(tmp_path)
    later = entry(A, T, T + STEP, fetched_at=SENT + 1)
    sink.upsert(frame([(A, T, 2)]), [later], loaded_at=LOADED_AT, run_id=RUN)
    with nullcontext() if guarded else GUARDS["later reads are looked for"]():
        receipt = sink.upsert(
            frame([(A, T, 1)]), [entry(A, T, T + STEP)], loaded_at=LOADED_AT, run_id=RUN
        )
    found = read_parquet_files(tmp_path).values
    assert (receipt == Receipt(superseded=1)) is guarded
    assert (found == {(A, T): 2}) is guarded
    figures("twins", "later reads are looked for", int(not guarded), sink="parquet")


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "twin"])
def test_a_key_that_stands_twice_is_refused(
    tmp_path: Path, guarded: bool, figures: Figures
) -> None:
    sink = new(tmp_path)
    rows = [(A, T, 1), (A, T, 2)]
    with nullcontext() if guarded else GUARDS["keys that stand twice are refused"]():
        try:
            sink.upsert(frame(rows), covering(rows), loaded_at=LOADED_AT, run_id=RUN)
        except SinkError:
            refused = True
        else:
            refused = False
    assert refused is guarded
    if guarded:
        assert read_parquet_files(tmp_path).traffic == {}
    else:
        with pytest.raises(AssertionError):  # the suite's own reader sees the double
            read_parquet_files(tmp_path)
    figures("twins", "keys that stand twice are refused", int(not guarded), sink="parquet")
