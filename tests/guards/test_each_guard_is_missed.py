"""Every guard, taken out in a copy of the project: the tests that are for it must fail there.

Each list (``of_extract``, ``of_parquet``, …) is of a room of the house. ``make reliability`` takes out
every guard; the short form takes out one of each list and sees that all stand where they are said to.
"""

import ast
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from tests.figures import Figures, long_form
from tests.guards.guard import ROOT, Guard

LISTS = sorted(path.stem for path in Path(__file__).parent.glob("of_*.py"))
GUARDS: dict[str, tuple[Guard, ...]] = {
    room: import_module(f"tests.guards.{room}").GUARDS for room in LISTS
}
ALL = [guard for guards in GUARDS.values() for guard in guards]
TRIED = (
    ALL if long_form() else [random.Random(room).choice(guards) for room, guards in GUARDS.items()]
)
PLAINLY = ("-x", "-q", "--no-header", "--timeout=120", "-p", "no:cacheprovider", "-p", "no:xdist")
NOT_OURS = (".*", "__pycache__", "demo", "node_modules", "*.egg-info")


def name_of(guard: Guard) -> str:
    return guard.name


@pytest.fixture(scope="session")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project, to be changed."""
    root = tmp_path_factory.mktemp("guards") / "project"
    shutil.copytree(ROOT, root, ignore=shutil.ignore_patterns(*NOT_OURS), symlinks=True)
    return root


@pytest.fixture
def without(copy: Path, guard: Guard) -> Iterator[Path]:
    """The copy without the guard; whole again afterwards."""
    guard.taken_out(copy)
    yield copy
    shutil.copy2(ROOT / guard.file, copy / guard.file)


@pytest.mark.parametrize("guard", ALL, ids=name_of)
def test_it_stands_where_it_is_said_to(guard: Guard, tmp_path: Path) -> None:
    """A guard that moved is found at once, and so is a test that is called something else now."""
    (tmp_path / guard.file).parent.mkdir(parents=True)
    shutil.copy2(ROOT / guard.file, tmp_path / guard.file)
    guard.taken_out(tmp_path)
    if guard.file.endswith(".py"):
        compile((tmp_path / guard.file).read_bytes(), guard.file, "exec")
    for test in guard.noticed_by:
        path, _, name = test.partition("::")
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        named = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert not name or name.partition("[")[0] in named


@pytest.mark.timeout(600)
@pytest.mark.parametrize("guard", TRIED, ids=name_of)
def test_without_it_its_tests_fail(guard: Guard, without: Path, figures: Figures) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *PLAINLY, *guard.noticed_by],
        cwd=without,
        env=_environment(without),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, f"{done.stdout[-3000:]}\n{done.stderr[-1000:]}"
    assert " failed" in done.stdout.splitlines()[-1], done.stdout[-3000:]
    figures("twins", f"guards taken out of {Path(guard.file).parts[0]}/", 1)


def _environment(root: Path) -> dict[str, str]:
    """That of this run, for the changed copy: nothing is written beside the sources, nothing counted."""
    ours = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST_", "FIGURES", "FAULTS"))
    }
    return {**ours, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
