"""What a command may load before it answers, and what our generic import names must not meet."""

import ast
import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("flows", "extract", "load", "sql", "livetraffic")


def loaded_by(code: str, **environment: str) -> set[str]:
    """The top-level modules in memory after the code has run in a fresh interpreter."""
    script = f"import sys\n{code}\nprint(*{{m.partition('.')[0] for m in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True, text=True, check=True, env={**os.environ, **environment},
    )  # fmt: skip
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "arguments", [["--help"], ["plan", "--help"], ["plan", "--json"], ["coverage"], ["expiring"]]
)
def test_commands_that_look_load_neither_pandas_nor_prefect(arguments):
    """Start-up is a promise: heavy parts are loaded by the commands that need them."""
    modules = loaded_by(
        f"from flows.cli import main\nmain({arguments!r})",
        LIVE_TRAFFIC_DOMAINS="play001.example.com",
    )
    assert not modules & {"pandas", "prefect", "duckdb", "sqlalchemy"}
    if "--help" in arguments:
        assert not modules & {"pyarrow", "requests", "numpy"}


def test_a_direct_run_does_not_load_prefect(live):
    """The direct engine is plain functions."""
    modules = loaded_by("from flows.cli import main\nmain(['nightly', '--engine', 'direct'])")
    assert "pandas" in modules
    assert "prefect" not in modules


def test_nobody_else_ships_our_import_names():
    """In an editable install a foreign ``sql`` package would silently win."""
    owners = importlib.metadata.packages_distributions()
    for name in PACKAGES:
        assert set(owners.get(name, [])) <= {"live-traffic"}, owners[name]


def test_every_package_is_typed():
    """Without py.typed callers outside the tree see Any."""
    assert all((ROOT / name / "py.typed").exists() for name in PACKAGES)


def test_only_the_prefect_shell_imports_prefect():
    """One module, and who reads a secret block: everything else runs without it."""
    importers = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "prefect")
        or (
            isinstance(node, ast.Import)
            and any(alias.name.split(".")[0] == "prefect" for alias in node.names)
        )
    }
    assert importers == {"flows/ingest.py", "flows/secret_places.py"}
    modules = loaded_by("import flows.secret_places, flows.settings")
    assert "prefect" not in modules
