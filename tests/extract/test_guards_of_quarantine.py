"""The guards of the quarantine: with the guard the promise holds, without it it does not."""

import os
import stat
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from unittest import mock

import pytest

from extract import quarantine
from extract.quarantine import Quarantine
from tests.extract.scripted import NOW
from tests.figures import Figures


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "twin"])
def test_the_folder_does_not_grow(tmp_path: Path, guarded: bool, figures: Figures) -> None:
    times = iter(NOW + timedelta(seconds=n) for n in range(20))
    keep = Quarantine(tmp_path / "q", clock=lambda: next(times), total_bytes=2000)
    without = mock.patch.object(Quarantine, "_make_room", return_value=None)
    with nullcontext() if guarded else without:
        for number in range(20):
            assert keep(bytes([number]) * 500, {})
    held = sum(path.stat().st_size for path in (tmp_path / "q").iterdir())
    assert (held <= 2000) is guarded
    figures("twins", "quarantine makes room", int(not guarded))


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "twin"])
def test_others_cannot_read_it(tmp_path: Path, guarded: bool, figures: Figures) -> None:
    """Whatever the umask and the folder's rights were before."""
    (tmp_path / "q").mkdir(mode=0o755)

    def written(path: Path, content: bytes) -> None:
        path.write_bytes(content)

    before = os.umask(0o000)
    try:
        with (
            nullcontext() if guarded else mock.patch.object(Path, "chmod"),
            nullcontext() if guarded else mock.patch.object(quarantine, "_write", written),
        ):
            assert Quarantine(tmp_path / "q", clock=lambda: NOW)(b"{}", {})
    finally:
        os.umask(before)
    rights = {
        stat.S_IMODE(path.stat().st_mode) for path in [*tmp_path.glob("q"), *tmp_path.glob("q/*")]
    }
    assert (rights == {0o700, 0o600}) is guarded
    figures("twins", "quarantine is for its owner only", int(not guarded))


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "twin"])
def test_a_link_in_its_place_is_not_followed(
    tmp_path: Path, guarded: bool, figures: Figures
) -> None:
    """Someone who could foretell a name would have the program write over a file of its user."""
    keep = Quarantine(tmp_path / "q", clock=lambda: NOW)
    foretold = keep(b"x", {})
    assert foretold is not None
    (tmp_path / "mine").write_text("mine")
    Path(foretold).unlink()
    Path(foretold).symlink_to(tmp_path / "mine")
    with nullcontext() if guarded else mock.patch.object(os, "O_NOFOLLOW", 0):
        keep(b"x", {})
    assert ((tmp_path / "mine").read_text() == "mine") is guarded
    figures("twins", "quarantine follows no link", int(not guarded))
