"""Every command in the docs is run, or a table says why not."""

import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from docs.blocks import PAGES, ROOT, Command, blocks, commands
from flows.accounts import AccountSettings
from flows.cli import main
from flows.given import KEPT
from flows.secret_places import PLACES
from flows.settings import Settings
from tests import servers

_MACHINE = (
    "sets a machine up, as root or in containers; docs/how-do-i-deploy-it.md says how far tried"
)
OTHER_PROGRAMS = {
    **dict.fromkeys(("sudo", "cd", "for", "printf", "chmod", "echo", "docker", "podman"), _MACHINE),
    "make": "the Makefile's targets are what the whole check runs",
    "export": "sets a variable: its name is checked below",
    "pip": "installs an extra; the whole lock is installed where the tests run",
    "dask": "starts a cluster; tests/flows has one of its own",
    "aws": "another program, for an object store",
    "source": "activates the environment",
    "py-spy": "measures; docs/where-does-the-time-go.md holds what it found",
    "python": "calls scripts that measure, which are no part of the product",
    "prefect": "needs a Prefect server; tests/flows/test_start_up_and_packaging.py has its own",
    "node_exporter": "another program, which reads the file of figures; tests/flows/test_metrics.py",
    "psql": "the statements and grants are run in tests/load/database and test_statements_run.py",
    "createdb": "needs the administrator of a server",
    "python3": "the same statement is run with the python blocks",
}
NOT_RUN = {
    "serve": "goes on until it is stopped; tests/flows runs it",
    "standin": "goes on until it is stopped; tests/extract/standin runs it",
    "demo": "makes a server of its own; tests/flows runs it",
}
ELSEWHERE = {
    "s3://": "needs an object store; tests/contract and tests/load have one of their own",
    "tcp://": "needs a Dask cluster; tests/flows has one of its own",
}
EXIT_CODES = {"coverage --check": 3}
"""What ends with another code than 0 on a warehouse whose newest day has not settled."""


@dataclass(frozen=True)
class Run:
    """A command of ours as it is called: arguments, and the file that takes its output."""

    arguments: tuple[str, ...]
    out: str | None


def ours() -> list[Run]:
    """Each different command of ours once, in the order of the pages."""
    calls = (call for command in commands() for call in _calls(command))
    return list(dict.fromkeys(_run(call) for call in calls if not _left_out(call)))


def _calls(command: Command) -> list[list[str]]:
    """The parts of ``one && other`` that are ours, without the program's name."""
    parts: list[list[str]] = [[]]
    for word in command.words:
        parts = [*parts, []] if word == "&&" else [*parts[:-1], [*parts[-1], word]]
    return [part[1:] for part in parts if part[0] == "live-traffic"]


def _left_out(words: list[str]) -> bool:
    return words[0] in NOT_RUN or any(word.startswith(tuple(ELSEWHERE)) for word in words)


def _run(words: list[str]) -> Run:
    if ">" in words:
        at = words.index(">")
        return Run(tuple(words[:at]), words[at + 1])
    return Run(tuple(words), None)


def test_every_other_program_is_known():
    """A new program in the docs needs a reason, or a test."""
    unknown = {
        (command.page, command.words[0])
        for command in commands()
        if Path(command.words[0]).name not in {*OTHER_PROGRAMS, "live-traffic"}
    }
    assert not unknown


def test_files_of_ours_that_a_command_names_are_there():
    """What is not run here at least finds its files."""
    for command in commands():
        for word in re.findall(r"(?:deploy|sql|docs|tests)/[\w./-]+\w", command.text):
            assert (ROOT / word).exists(), f"{command.page}: {word}"


@pytest.mark.parametrize("run", ours(), ids=lambda run: " ".join(run.arguments)[:60])
def test_the_command_does_what_the_page_says(run, at_home, elsewhere, capsys):
    """It ends with its exit code; none is a usage error, none has a traceback."""
    arguments = [elsewhere(word) for word in run.arguments]
    code = main(arguments)
    said = capsys.readouterr()
    expected = next((c for text, c in EXIT_CODES.items() if text in " ".join(arguments)), 0)
    assert code == expected, said.err + said.out
    assert "Traceback" not in said.err
    if "--json" in arguments:
        assert said.out.startswith(("{", "["))


@pytest.fixture
def elsewhere(tmp_path) -> Iterator[Callable[[str], str]]:
    """URLs of the docs' made-up servers become an empty place in a real one."""
    made = []

    def real(word: str) -> str:
        if not word.startswith("postgresql://"):
            return word
        made.append(word)
        return servers.postgres_place(tmp_path)

    yield real
    if made:
        servers.drop_postgres_place(tmp_path)


def test_every_setting_that_a_page_names_exists():
    """``LIVE_TRAFFIC_…`` in any page is a setting, or the place of a secret."""
    known = {name.upper() for name in Settings.model_fields}
    known |= {f"{name}_{place}".upper() for name in KEPT for place in PLACES} | {"CONFIG"}
    for page in PAGES:
        for name in re.findall(r"LIVE_TRAFFIC_([A-Z0-9_]*[A-Z0-9])\b", page.read_text("utf-8")):
            assert name in known, f"{page.name}: LIVE_TRAFFIC_{name}"


def test_every_configuration_file_of_the_docs_holds_settings_that_exist():
    """The toml blocks are TOML, and their keys are settings or places of secrets."""
    places = {f"{name}_{place}" for name in KEPT for place in PLACES}
    for block in blocks("toml"):
        found = tomllib.loads(block.text)
        accounts = found.pop("accounts", [])
        assert found.keys() <= Settings.model_fields.keys() | places, block
        for account in accounts:
            assert account.keys() <= AccountSettings.model_fields.keys() | places, block


def test_a_command_that_does_not_exist_fails_this_test(at_home, capsys):
    """The guard of the guard: usage errors end with 2."""
    assert main(["coverage", "--chek"]) == 2
    assert Path("warehouse/warehouse.json").exists()
