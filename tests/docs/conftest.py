"""One demo warehouse for all commands and statements of the docs, and copies of it."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from extract.standin.server import Standin
from flows.cli import main
from terminal import settings_of
from tests import servers


@dataclass(frozen=True)
class Demo:
    """A directory with ``./warehouse``, filled from a stand-in that still runs."""

    home: Path
    server: Standin

    @property
    def settings(self) -> dict[str, str]:
        return {
            **settings_of(self.server, Path("warehouse")),
            "LIVE_TRAFFIC_WAREHOUSE": "warehouse",
        }


@pytest.fixture(scope="session")
def demo(tmp_path_factory) -> Iterator[Demo]:
    """Three weeks of a few domains: enough for every view, little enough for every engine."""
    home = tmp_path_factory.mktemp("demo")
    with Standin(domains=4) as server:
        made = Demo(home, server)
        with _inside(home, made.settings):
            assert main(["backfill"]) == 0
        yield made


@pytest.fixture
def at_home(demo, monkeypatch) -> Demo:
    """In the demo's directory, with its settings."""
    monkeypatch.chdir(demo.home)
    for name, value in demo.settings.items():
        monkeypatch.setenv(name, value)
    return demo


@pytest.fixture(scope="session")
def copied(demo, tmp_path_factory) -> Iterator[Callable[[str], str]]:
    """The demo's warehouse in another store, by its kind; copied when it is first asked for."""
    place = tmp_path_factory.mktemp("copies")
    targets = {
        "parquet": lambda: str(demo.home / "warehouse"),
        "sqlite": lambda: f"sqlite:///{place}/copy.db",
        "postgresql": lambda: servers.postgres_place(place),
        "mariadb": lambda: servers.mariadb_place(place),
    }
    made = {}

    def copy(kind: str) -> str:
        if kind not in made:
            url = targets[kind]()
            with _inside(demo.home, {}):
                assert kind == "parquet" or main(["copy", "warehouse", url]) == 0
            made[kind] = url
        return made[kind]

    yield copy
    if "postgresql" in made:
        servers.drop_postgres_place(place)
    if "mariadb" in made:
        servers.drop_mariadb_place(place)


def _inside(directory: Path, settings: dict[str, str]) -> "_Inside":
    return _Inside(directory, settings)


class _Inside:
    """A directory and settings for a while; monkeypatch does not last a session."""

    def __init__(self, directory: Path, settings: dict[str, str]) -> None:
        self._directory, self._settings = directory, settings

    def __enter__(self) -> None:
        self._before = Path.cwd()
        self._others = {k: os.environ.pop(k) for k in list(os.environ) if _is_ours(k)}
        os.environ.update(self._settings)
        os.chdir(self._directory)

    def __exit__(self, *_: object) -> None:
        os.chdir(self._before)
        for name in [k for k in os.environ if _is_ours(k)]:
            del os.environ[name]
        os.environ.update(self._others)


def _is_ours(name: str) -> bool:
    return name.startswith(("LIVE_TRAFFIC_", "HUAWEICLOUD_")) or name.lower().endswith("_proxy")
