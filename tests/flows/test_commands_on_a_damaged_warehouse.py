"""Every command on every kind of damage: a fitting exit code, one sentence that names the file, a remedy.

A damaged file is damaged in a copy of a warehouse that a night has filled; a command either does not need
the file, and then it ends as it always does, or it says which file it is, and what to do about it.
"""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from extract.standin.server import Standin
from flows.cli import main
from terminal import CommandLine, commands, settings_of
from test_fsck import cut, empty, garbage
from test_history_into_warehouse import at
from tests.figures import Figures, long_form

NIGHT = "2026-02-10T19:15:00Z"
LATER = "2026-02-11T19:15:00Z"
FILES = (
    "traffic/month=2026-01/data.parquet", "traffic/month=2026-02/data.parquet",
    "load_ledger/month=2026-02/data.parquet", "reconciliations/month=2026-02/data.parquet",
    "calendar.parquet", "domains.parquet", "warehouse.json",
)  # fmt: skip
REMEDY = "`live-traffic fsck --repair`"
Damage = Callable[[Path], None]


def footer_flipped(path: Path) -> None:
    """One bit of what describes the file; of a short text the first one."""
    content = bytearray(path.read_bytes())
    content[-20 if len(content) > 200 else 0] ^= 0xFF
    path.write_bytes(content)


def garbled(path: Path) -> None:
    """Zeros in the middle of its first half, where the rows are."""
    content = bytearray(path.read_bytes())
    first, last = len(content) // 8, len(content) // 4
    content[first:last] = bytes(last - first)
    path.write_bytes(content)


def truncated(path: Path) -> None:
    """The second half is missing."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


DAMAGES: tuple[Damage, ...] = (footer_flipped, garbled, truncated, cut, empty, garbage)
COMMANDS: dict[str, tuple[str, ...]] = {
    "nightly": ("nightly", "--engine", "direct", "--as-of", LATER),
    "backfill": ("backfill", "--engine", "direct", "--as-of", LATER),
    "plan": ("plan", "--as-of", LATER),
    "coverage": ("coverage", "--as-of", LATER),
    "expiring": ("expiring", "--as-of", LATER),
    "revisions": ("revisions", "--as-of", LATER),
    "reconcile": ("reconcile", "--as-of", LATER),
    "sql": ("sql", "SELECT count(*) FROM traffic_daily"),
    "report": ("report", "-o", "page.html", "--as-of", LATER),
    "copy": ("copy", "warehouse", "copied"),
}


@pytest.fixture(scope="module")
def server() -> Iterator[Standin]:
    """A stand-in whose clock stands still, without a quota."""
    with Standin(domains=2, now=at(NIGHT), requests_per_minute=0) as standin:
        yield standin


@pytest.fixture(scope="module")
def filled(server: Standin, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse as a night left it; never written to again."""
    place = tmp_path_factory.mktemp("filled") / "warehouse"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place.parent)
        _configure(patch, server, place)
        assert main(["nightly", "--engine", "direct", "--as-of", NIGHT]) == 0
    return place


def _configure(patch: pytest.MonkeyPatch, server: Standin, place: Path) -> None:
    for name, value in settings_of(server, place).items():
        patch.setenv(name, value)
    for name, value in (("RETENTION", "15d"), ("API", "v1"), ("REQUESTS_PER_MINUTE", "100000")):
        patch.setenv(f"LIVE_TRAFFIC_{name}", value)
    patch.setenv("XDG_STATE_HOME", str(place.parent / "state"))


@pytest.fixture
def live(capsys, monkeypatch, server, tmp_path) -> CommandLine:
    """The command line on a place where a copy of the filled warehouse is put."""
    _configure(monkeypatch, server, tmp_path / "warehouse")
    server.set_clock(at(LATER))
    return commands(capsys, monkeypatch, server, tmp_path / "warehouse")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_damaged_file_is_one_sentence_or_no_matter(
    live: CommandLine, filled: Path, tmp_path: Path, command: str, figures: Figures
) -> None:
    undisturbed = dict[str, int]()
    wrong, told = [], 0
    tried = DAMAGES if long_form() else DAMAGES[:3]
    for file in ("", *FILES):
        for damage in tried if file else DAMAGES[:1]:
            for place in ("warehouse", "copied"):
                shutil.rmtree(tmp_path / place, ignore_errors=True)
            shutil.copytree(filled, tmp_path / "warehouse")
            if file:
                damage(tmp_path / "warehouse" / file)
            outcome = live(*COMMANDS[command])
            if not file:
                undisturbed[command] = outcome.code
                assert outcome.code in {0, 4}, outcome.err
                continue
            if outcome.code == undisturbed[command] and "live-traffic:" not in outcome.err:
                continue
            told += 1
            lines = [line for line in outcome.err.splitlines() if line.startswith("live-traffic: ")]
            fits = outcome.code in {1, 2, 3} and len(lines) == 1 and "Traceback" not in outcome.err
            if not (fits and file in lines[0] and REMEDY in lines[0]):
                wrong.append((file, damage.__name__, outcome.code, outcome.err[-300:]))
    assert not wrong, "\n".join(map(str, wrong))
    assert told
    figures("damage", f"`{command}` on a damaged file", told, sink="parquet")
