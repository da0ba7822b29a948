"""Copies of objects on this machine: bounded, and shared by processes that remove what is theirs."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from load.objects.cache import ABANDONED_SECONDS, IN_USE_SECONDS, Cache
from load.objects.draft import PREFIX

NOW = 1_772_000_000
SIZE = 1000


def put(path: Path, age: int) -> None:
    """A file that was last asked for so many seconds ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * SIZE)
    os.utime(path, (NOW - age, NOW - age))


def fetched(cache: Cache, name: str) -> Path:
    """A copy that is fetched, as of now."""

    def fetch(path: Path) -> None:
        path.write_bytes(b"x" * SIZE)
        os.utime(path, (NOW, NOW))

    return cache.copy(name, SIZE, fetch)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """One that has room for two copies."""
    return Cache(tmp_path, most_bytes=2 * SIZE, clock=lambda: NOW)


def test_those_not_asked_for_longest_are_removed_until_the_rest_fits(
    cache: Cache, tmp_path: Path
) -> None:
    for age, name in enumerate(["c", "b", "a"], start=1):
        put(tmp_path / "data" / name, age * IN_USE_SECONDS)
    fetched(cache, "data/new")
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["c", "new"]


def test_what_is_in_use_or_being_written_stays(cache: Cache, tmp_path: Path) -> None:
    for name in ("d", "e", "f"):
        put(tmp_path / "data" / name, IN_USE_SECONDS - 10)
    put(tmp_path / f"{PREFIX}young" / "data.parquet", ABANDONED_SECONDS - 10)
    put(tmp_path / f"{PREFIX}killed" / "data.parquet", ABANDONED_SECONDS + 10)
    fetched(cache, "data/new")
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["d", "e", "f", "new"]
    assert (tmp_path / f"{PREFIX}young" / "data.parquet").exists()
    assert not (tmp_path / f"{PREFIX}killed" / "data.parquet").exists()


def test_a_folder_that_another_process_removes_meanwhile_is_passed_over(
    cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is gone between being listed and being looked into, as a draft is at the end of its commit."""
    draft = tmp_path / f"{PREFIX}other"
    draft.mkdir()
    look = os.scandir

    def scandir(path: str) -> Iterator[os.DirEntry[str]]:
        if Path(path) == draft:
            draft.rmdir()
        return look(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert fetched(cache, "data/new").exists()
    assert not draft.exists()
