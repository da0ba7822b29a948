"""A command line to call in tests, set up for one stand-in and one warehouse."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from extract.standin.server import Standin
from flows.cli import main


@dataclass
class Outcome:
    """What one command left behind."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output as the JSON document that it must be."""
        return json.loads(self.out)


@dataclass
class CommandLine:
    """Calls commands in this process against one stand-in and one warehouse."""

    capsys: Any
    standin: Standin
    warehouse: Path

    def __call__(self, *arguments: str, as_of: str | None = None) -> Outcome:
        given = list(arguments)
        if as_of is not None:
            given += ["--as-of", as_of]
        code = main(given)
        captured = self.capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    def json(self, *arguments: str, as_of: str | None = None) -> Any:
        """The command's JSON document; the exit code is in its key ``exit_code``."""
        outcome = self(*arguments, "--json", as_of=as_of)
        document = outcome.document
        return {**document, "exit_code": outcome.code} if isinstance(document, dict) else document


def commands(capsys, monkeypatch, server: Standin, warehouse: Path) -> CommandLine:
    """The command line with this stand-in's settings in the environment."""
    for name, value in settings_of(server, warehouse).items():
        monkeypatch.setenv(name, value)
    return CommandLine(capsys, server, warehouse)


def settings_of(server: Standin, warehouse: Path) -> dict[str, str]:
    """The settings for a stand-in, with its token."""
    ready = server.ready
    return {
        "LIVE_TRAFFIC_ENDPOINT": ready["endpoint"],
        "LIVE_TRAFFIC_PROJECT_ID": ready["project_id"],
        "LIVE_TRAFFIC_TOKEN": ready["token"],
        "LIVE_TRAFFIC_WAREHOUSE": str(warehouse),
    }
