"""Waiting for a lock, with a clock that only moves when somebody sleeps."""

from pathlib import Path

import pytest

from livetraffic.errors import Locked
from load.lock import POLL_SECONDS, run_lock
from load.parquet.sink import ParquetSink


class Clock:
    """Sleeping moves it; nothing else does."""

    def __init__(self) -> None:
        self.now = 100.0
        self.naps: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.naps.append(seconds)


def test_a_wait_takes_exactly_as_long_as_was_asked(tmp_path: Path) -> None:
    path, clock = tmp_path / ".run.lock", Clock()
    waiting = run_lock(path, wait=1.05, holder="b", sleep=clock.sleep, clock=clock)
    with run_lock(path, wait=0, holder="a"), pytest.raises(Locked), waiting:
        pytest.fail("two hold the lock")
    assert sum(clock.naps) == pytest.approx(1.05)
    assert max(clock.naps) == POLL_SECONDS


def test_no_wait_asks_once(tmp_path: Path) -> None:
    path, clock = tmp_path / ".run.lock", Clock()
    waiting = run_lock(path, wait=0, holder="b", sleep=clock.sleep, clock=clock)
    with run_lock(path, wait=0, holder="a"), pytest.raises(Locked), waiting:
        pytest.fail("two hold the lock")
    assert clock.naps == []


def test_a_free_lock_needs_no_wait(tmp_path: Path) -> None:
    clock = Clock()
    with run_lock(tmp_path / "l", wait=9, holder="a", sleep=clock.sleep, clock=clock):
        assert (tmp_path / "l").read_text() == "a\n"
    assert clock.naps == []
    assert (tmp_path / "l").read_text() == ""


def test_the_holder_is_one_line(tmp_path: Path) -> None:
    with run_lock(tmp_path / "l", wait=0, holder="pid 1,\n host h  "):
        assert (tmp_path / "l").read_text() == "pid 1, host h\n"


def test_a_shorter_holder_leaves_nothing_of_a_longer_one(tmp_path: Path) -> None:
    (tmp_path / "l").write_text("somebody who was killed while holding it\n")
    with run_lock(tmp_path / "l", wait=0, holder="me"):
        assert (tmp_path / "l").read_text() == "me\n"


def test_the_sink_waits_with_the_clock_it_was_given(tmp_path: Path) -> None:
    clock = Clock()
    sink = ParquetSink(tmp_path / "w", sleeper=clock.sleep, clock=clock)
    with (
        sink.run_lock(wait=0, holder="a"),
        pytest.raises(Locked, match=r"held by another run \(a\)"),
        sink.run_lock(wait=60, holder="b"),
    ):
        pytest.fail("two hold the lock")
    assert sum(clock.naps) == pytest.approx(60)
