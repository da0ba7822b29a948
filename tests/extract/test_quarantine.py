"""Rejected answers are kept: small, private, and not for ever."""

import json
import stat
from datetime import timedelta

import pytest

from extract.quarantine import Quarantine
from tests.extract.scripted import NOW


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "state" / "quarantine"


def test_body_and_facts_are_for_the_owner_only(folder):
    """They may hold what nobody else should see."""
    Quarantine(folder, clock=lambda: NOW)(b"x", {})
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_a_name_is_made_of_time_and_digest_only(folder):
    """Nothing from outside becomes a path."""
    path = Quarantine(folder, clock=lambda: NOW)(b"x", {"domain": "../../etc/passwd"})
    assert path == str(folder / "20260601T120000Z-2d711642b726b044.body")


def test_a_large_body_is_cut_and_its_size_noted(folder):
    """A megabyte tells enough."""
    path = Quarantine(folder, clock=lambda: NOW, body_bytes=10)(b"x" * 50, {"reason": "r"})
    assert (folder / path).read_bytes() == b"x" * 10
    (sheet,) = folder.glob("*.json")
    facts = json.loads(sheet.read_text())
    assert (facts["body_bytes"], facts["reason"]) == (50, "r")


def test_the_oldest_make_room(folder):
    """The folder is bounded; the newest always stays."""
    times = iter(NOW + timedelta(seconds=n) for n in range(9))
    keep = Quarantine(folder, clock=lambda: next(times), total_bytes=600)
    paths = [keep(bytes([n]) * 100, {}) for n in range(5)]
    assert sorted(map(str, folder.glob("*.body"))) == paths[3:]
    assert len(list(folder.glob("*.json"))) == 2


def test_the_newest_stays_even_when_it_is_too_large(folder):
    """Its path is about to be named in an error."""
    keep = Quarantine(folder, clock=lambda: NOW, total_bytes=5)
    keep(b"a" * 10, {})
    assert keep(b"b" * 10, {}) in map(str, folder.glob("*.body"))


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path):
    """The error that was being reported matters more."""
    (tmp_path / "file").write_text("x")
    assert Quarantine(tmp_path / "file" / "q", clock=lambda: NOW)(b"x", {}) is None
