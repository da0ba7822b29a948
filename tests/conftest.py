"""What all tests share: an environment without our settings, a stand-in, a command line."""

import os
import signal
from collections.abc import Iterator

import pytest

from extract.standin.server import Standin
from terminal import CommandLine, commands
from tests.figures import Figures

FAILED = pytest.StashKey[bool]()


def pytest_configure():
    """A shell that starts this in the background has SIGINT ignored, and programs would inherit that."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    """Whatever keeps figures is part of ``make reliability``."""
    for item in items:
        if "figures" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.figures)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Let the fixture ``figures`` know whether its test failed."""
    report = yield
    item.stash[FAILED] = report.failed or item.stash.get(FAILED, False)
    return report


@pytest.fixture
def figures(request) -> Iterator[Figures]:
    """Keeps what the test counts for docs/reliability.md; see tests/figures.py."""
    kept = Figures()
    yield kept
    if request.node.stash.get(FAILED, False):
        kept.failed(request.node.name)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch, tmp_path):
    """No setting of the developer's own, no proxy, and a directory of its own for every test."""
    for name in list(os.environ):
        if name.startswith(("LIVE_TRAFFIC_", "HUAWEICLOUD_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def standin() -> Iterator[Standin]:
    """A stand-in with six domains and the real clock."""
    with Standin(domains=6) as server:
        yield server


@pytest.fixture
def live(capsys, monkeypatch, standin, tmp_path) -> CommandLine:
    """The command line, set up for the stand-in with its token."""
    return commands(capsys, monkeypatch, standin, tmp_path / "warehouse")
