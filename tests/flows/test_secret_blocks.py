"""Secrets from Prefect's Secret blocks, on a real server: read where they are needed, never shown."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass

import pytest
import requests

from extract.standin.server import Standin
from flows import settings
from livetraffic.errors import ConfigError
from test_history_into_warehouse import NIGHT, at

pytestmark = [pytest.mark.prefect, pytest.mark.timeout(300)]
CALLS = """
import contextlib, io, json, os, sys
from flows.cli import main
for variables, arguments in json.load(sys.stdin):
    os.environ.update(variables)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(arguments)
    print(json.dumps([code, out.getvalue(), err.getvalue(), "prefect" in sys.modules]))
    for name in variables:
        del os.environ[name]
"""
PLAN = ["plan", "--as-of", NIGHT]


@pytest.fixture
def standin():
    """One whose clock stands still."""
    with Standin(domains=3, now=at(NIGHT), requests_per_minute=0) as server:
        yield server


@dataclass
class Said:
    """What one command left behind, and whether it had imported Prefect by then."""

    code: int
    out: str
    err: str
    prefect: bool


def commands(calls, **environment: str) -> list[Said]:
    """Commands one after the other in a process of their own, each with variables of its own."""
    kept = {name: value for name, value in os.environ.items() if name != "LIVE_TRAFFIC_TOKEN"}
    done = subprocess.run(
        [sys.executable, "-c", CALLS],
        input=json.dumps(calls), capture_output=True, text=True, env={**kept, **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [Said(*json.loads(line)) for line in done.stdout.splitlines()]


def keep(api: str, name: str, value: object) -> None:
    """Make a Secret block, as the UI does."""

    def found(path: str, **wanted: object) -> str:
        deadline = time.monotonic() + 60  # the server makes its own kinds of blocks once it is up
        while True:
            answer = requests.post(f"{api}/{path}/filter", json=wanted, timeout=30).json()
            if answer:
                return str(answer[0]["id"])
            assert time.monotonic() < deadline
            time.sleep(0.2)

    kind = found("block_types", block_types={"slug": {"any_": ["secret"]}})
    schema = found("block_schemas", block_schemas={"block_type_id": {"any_": [kind]}})
    block = {"name": name, "block_type_id": kind, "block_schema_id": schema}
    made = requests.post(
        f"{api}/block_documents/", json={**block, "data": {"value": value}}, timeout=30
    )
    made.raise_for_status()


def test_every_secret_can_be_in_a_block(live, prefect_api, tmp_path):
    """Whatever kind of credentials, in variables and in the file; and the warehouse's URL."""
    ready = live.standin.ready | {"security_token": live.standin.world.account.security_token}
    secrets = ("token", "ak", "sk", "security_token", "password")
    ours = {name: f"our-{name.replace('_', '-')}" for name in secrets}
    for name in secrets:
        keep(prefect_api, ours[name], ready[name])
    keep(prefect_api, "our-url", f"sqlite:///{tmp_path}/in-a-block.db")
    keep(prefect_api, "a-number", 5)
    keep(prefect_api, "spoilt", f"{ready['token']} with blanks")
    block = lambda name: {f"LIVE_TRAFFIC_{name.upper()}_BLOCK": ours[name]}  # noqa: E731
    user = {f"LIVE_TRAFFIC_{n.upper()}": ready[n] for n in ("username", "account")}
    user["LIVE_TRAFFIC_IAM_ENDPOINT"] = ready["iam_endpoint"]
    accounts = tmp_path / "accounts.toml"
    accounts.write_text(
        f'[[accounts]]\nname = "a"\nproject_id = "{ready["project_id"]}"\n'
        'ak_block = "our-ak"\nsk_block = "our-sk"\n'
    )
    url = {"LIVE_TRAFFIC_WAREHOUSE": "", "LIVE_TRAFFIC_WAREHOUSE_BLOCK": "our-url"}
    good = [
        [block("token"), PLAN],
        [block("ak") | block("sk"), PLAN],
        [block("ak") | block("sk") | block("security_token"), PLAN],
        [user | block("password"), PLAN],
        [{"LIVE_TRAFFIC_CONFIG": str(accounts)}, PLAN],
        [block("token") | url, ["backfill", "--engine", "direct", "--as-of", NIGHT]],
    ]
    bad = {
        "'our-nothing', which is no Secret block": {"LIVE_TRAFFIC_TOKEN_BLOCK": "our-nothing"},
        "'a-number', which holds no text": {"LIVE_TRAFFIC_TOKEN_BLOCK": "a-number"},
        "token": {"LIVE_TRAFFIC_TOKEN_BLOCK": "spoilt"},
        "credentials": block("ak")
        | block("sk")
        | {"LIVE_TRAFFIC_SECURITY_TOKEN_BLOCK": "our-password"},
        "LIVE_TRAFFIC_TOKEN_FILE and LIVE_TRAFFIC_TOKEN_BLOCK are both set": {
            "LIVE_TRAFFIC_TOKEN_FILE": "/x",
            "LIVE_TRAFFIC_TOKEN_BLOCK": "our-token",
        },
    }
    idle = [block("token"), ["coverage", "--as-of", NIGHT]]
    calls = [idle, *good, *([variables, PLAN] for variables in bad.values())]
    first, *said = commands(calls, PREFECT_API_URL=prefect_api)
    assert not first.prefect, "what needs no secret asks no server"
    assert [each.code for each in said] == [0] * len(good) + [2] * len(bad), said
    for each, words in zip(said[len(good) :], bad, strict=True):
        assert words in each.err
        assert "Traceback" not in each.err
    assert (tmp_path / "in-a-block.db").exists()
    shown = "".join(each.out + each.err for each in [first, *said])
    assert not [name for name in secrets if ready[name] in shown]


def test_without_an_api_it_is_said(live, tmp_path):
    """No API, and one that nobody answers at."""
    block = [{"LIVE_TRAFFIC_TOKEN_BLOCK": "our-token"}, PLAN]
    (none,) = commands([block], PREFECT_HOME=str(tmp_path), PREFECT_API_URL="")
    assert (none.code, "Traceback" in none.err) == (2, False)
    assert "LIVE_TRAFFIC_TOKEN_BLOCK names a Secret block, but no Prefect API" in none.err
    (dead,) = commands(
        [block], PREFECT_HOME=str(tmp_path), PREFECT_API_URL="http://127.0.0.1:9/api"
    )
    assert (dead.code, "Traceback" in dead.err) == (1, False)
    assert "Prefect's API could not be used" in dead.err


def test_a_block_beats_what_stands_below_it(tmp_path, monkeypatch):
    """Variables come before the file, wherever either of them keeps the secret."""
    (tmp_path / "live-traffic.toml").write_text('token = "plain"\nak_block = "b"\n')
    monkeypatch.setenv("LIVE_TRAFFIC_TOKEN_BLOCK", "our-token")
    monkeypatch.setenv("LIVE_TRAFFIC_AK", "AK")
    loaded = settings.load()
    assert type(loaded.token).__name__ == "BlockSecret"
    assert loaded.ak is not None
    assert loaded.ak.get_secret_value() == "AK"
    assert "our-token" not in repr(loaded)
    monkeypatch.setenv("LIVE_TRAFFIC_TOKEN", "x")
    with pytest.raises(ConfigError, match="LIVE_TRAFFIC_TOKEN and LIVE_TRAFFIC_TOKEN_BLOCK"):
        settings.load()
