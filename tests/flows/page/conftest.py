"""One browser for a module, and one warehouse with everything that can be wrong in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from browser import started
from flows.cli import main
from livetraffic.reconciliation import Reconciliation
from load.parquet.sink import ParquetSink
from page.warehouses import AS_OF, DAY, MIDNIGHT, NOW, entry, known, prepared, read_whole, stored

HOSTILE = """</script ><img src=x onerror="hacked=1"><script>hacked=2</script>'; DROP"""
"""No domain list would hold it, but a warehouse can be written by others."""


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    """A headless Chromium."""
    with started() as browser:
        yield browser


@pytest.fixture(scope="module")
def troubled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirteen domains: lost, failed, missing, expiring and restated days, and a hostile name."""
    place = tmp_path_factory.mktemp("troubled") / "warehouse"
    sink = prepared(ParquetSink(place), days=100)
    start = MIDNIGHT - 91 * DAY
    names = [f"play{number:02d}.example.com" for number in range(1, 11)]
    for number, name in enumerate([*names, HOSTILE], 1):
        values = {
            at: (13 - number) * 10**9 + at // 300 % 977 * 10**7
            for at in range(start, MIDNIGHT, 3600)
        }
        read_whole(sink, name, values, start, MIDNIGHT)  # fmt: skip
    hole = MIDNIGHT - 20 * DAY
    read_whole(sink, "holes.example.com", {start: 5}, start, hole)
    read_whole(sink, "holes.example.com", {hole + 4 * DAY: 7}, hole + 4 * DAY, MIDNIGHT)
    stored(sink, {}, [
        entry("holes.example.com", hole, hole + DAY, state="failed"),
        entry("holes.example.com", hole + DAY, hole + 2 * DAY, state="lost"),
    ])  # fmt: skip
    late = MIDNIGHT - 85 * DAY
    read_whole(sink, "late.example.com", {late: 9}, late, MIDNIGHT)
    known(sink, [*names, HOSTILE, "holes.example.com", "late.example.com"], since=NOW - DAY)
    read_whole(
        sink,
        names[0],
        {MIDNIGHT - 3 * DAY: 123_456_789_012},
        MIDNIGHT - 3 * DAY,
        MIDNIGHT - 3 * DAY + 300,
    )
    sums = {names[1]: (10, 12, "differs"), names[0]: (10, 10, "agrees")}
    sink.put_reconciliations(
        [
            Reconciliation(
                NOW, "run", "domain", name, start, start + DAY, "v1", "acct",
                ours, theirs, theirs - ours, 1, state, "",
            )
            for name, (ours, theirs, state) in sums.items()
        ]
    )  # fmt: skip
    return place


@pytest.fixture(scope="module")
def reports(troubled: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Its reports: of thirty days in both languages, and of all ninety."""
    place = tmp_path_factory.mktemp("reports")
    ways = {
        "en": (), "zh": ("--lang", "zh"), "long": ("--start", "2026-08-28"),
    }  # fmt: skip
    for name, more in ways.items():
        flags = ("--warehouse", str(troubled), "--as-of", AS_OF, "-o", str(place / f"{name}.html"))
        assert main(["report", *flags, *more]) == 0
    return {name: place / f"{name}.html" for name in ways}
