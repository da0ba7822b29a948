"""A small file system that really is full."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from livetraffic.errors import LiveTrafficError
from tests.contract.stores import STORES, at, prepared, put
from tests.figures import Figures

FULL = 24
"""Megabytes of it."""


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own; only root may make one."""
    place = tmp_path / "small"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={FULL}m", "tmpfs", str(place)],
        capture_output=True, text=True,
    )  # fmt: skip
    if made.returncode:
        pytest.skip(f"no file system of its own: {made.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(path: Path) -> None:
    """Write until there is no more room."""
    with path.open("wb", buffering=0) as stream:
        while True:
            stream.write(bytes(4096))


@pytest.mark.parametrize("name", ["parquet", "sqlite", "duckdb"])
def test_a_full_disk_costs_one_commit_and_says_so(small: Path, name: str, figures: Figures) -> None:
    store, place = STORES[name], small / "warehouse"
    sink = prepared(store, place)
    first = [("a.example.com", at(point), point) for point in range(100)]
    put(sink, first)
    ballast = small / "ballast"
    with pytest.raises(OSError, match="No space"):
        fill(ballast)
    more = [(f"d{n}.example.com", at(point), point) for n in range(40) for point in range(200)]
    with pytest.raises(LiveTrafficError) as caught:
        put(sink, more)
    assert "space" in str(caught.value) or "written" in str(caught.value)
    assert caught.value.remedy
    ballast.unlink()
    assert store.read(place).values == {row[:2]: row[2] for row in first}
    put(store.make(place), more)
    assert store.read(place).values == {row[:2]: row[2] for row in [*first, *more]}
    figures("I/O faults", "a file system that is full", 1, sink=name)
