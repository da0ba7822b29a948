"""Who may do what with the files that a run makes, whatever the umask is."""

import os
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from extract.quarantine import Quarantine
from terminal import settings_of


def run(standin, place: Path, warehouse: str, umask: int) -> dict[str, int]:
    """One night with that umask; the rights of everything that it made."""
    settings = {
        **settings_of(standin, place / "warehouse"),
        "LIVE_TRAFFIC_WAREHOUSE": warehouse.format(place),
        "LIVE_TRAFFIC_METRICS_FILE": str(place / "night.prom"),
        "LIVE_TRAFFIC_RETENTION": "5d",
        "LIVE_TRAFFIC_API": "v1",
        "XDG_STATE_HOME": str(place / "state"),
    }
    done = subprocess.run(
        [sys.executable, "-m", "flows", "nightly", "--engine", "direct"],
        env={**os.environ, **settings}, cwd=Path(__file__).parents[2], umask=umask,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {
        str(path.relative_to(place)): stat.S_IMODE(path.stat().st_mode) for path in place.rglob("*")
    }


@pytest.mark.parametrize(
    "warehouse", ["{}/warehouse", "sqlite:///{}/w.sqlite", "duckdb:///{}/w.duckdb"],
    ids=["parquet", "sqlite", "duckdb"],
)  # fmt: skip
def test_nothing_is_writable_for_everybody(standin, tmp_path: Path, warehouse: str) -> None:
    """A umask of 000, which some containers have, would have it so."""
    rights = run(standin, tmp_path, warehouse, 0o000)
    assert len(rights) > 3
    assert any(name.endswith(".lock") for name in rights)
    assert {name: oct(mode) for name, mode in rights.items() if mode & 0o002} == {}


def test_a_strict_umask_keeps_all_but_the_metrics_private(standin, tmp_path: Path) -> None:
    """They are there for a monitor, which is another user."""
    rights = run(standin, tmp_path, "{}/warehouse", 0o077)
    assert rights.pop("night.prom") == 0o644
    assert {name: oct(mode) for name, mode in rights.items() if mode & 0o077} == {}


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_the_quarantine_is_for_its_owner(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        kept = Quarantine(tmp_path / "quarantine", clock=lambda: datetime.now(UTC))(b"{}", {})
    finally:
        os.umask(before)
    assert kept is not None
    assert stat.S_IMODE((tmp_path / "quarantine").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in Path(kept).parent.iterdir()} == {0o600}
