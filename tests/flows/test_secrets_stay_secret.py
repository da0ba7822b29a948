"""Secrets of every kind, planted, and everything that runs in Prefect leave behind searched for them."""

import base64
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import quote

import pytest
import requests

from extract.standin.server import Standin
from terminal import settings_of
from test_history_into_warehouse import NIGHT, at
from test_secret_blocks import CALLS, keep
from tests import servers

pytestmark = [pytest.mark.prefect, pytest.mark.timeout(300)]
DATABASE_PASSWORD = "planted:database@password/0123456789"
RUN = ["backfill", "--engine", "prefect", "--log-level", "debug", "--as-of", NIGHT]


@pytest.fixture
def standin():
    """Every run meets an answer that is not JSON, and is quarantined."""
    with Standin(domains=2, now=at(NIGHT), requests_per_minute=0) as server:
        server.faults([{"kind": "not_json", "operation": "traffic", "times": 1}])
        yield server


@pytest.fixture
def database(tmp_path):
    """A PostgreSQL warehouse whose URL has a password (which this server does not ask for)."""
    url = servers.postgres_place(tmp_path)
    head, _, tail = url.partition("@")
    yield f"{head}:{quote(DATABASE_PASSWORD, safe='')}@{tail}"
    servers.drop_postgres_place(tmp_path)


class Watched:
    """The command lines of all processes there are while something is done."""

    def __init__(self) -> None:
        self.lines = b""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        seen = set()
        while not self._over.wait(0.02):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.add(path.read_bytes())
                except OSError:
                    continue  # it has ended
        self.lines = b"\n".join(seen)


def spellings(secret: str) -> set[bytes]:
    """As it is, in JSON, in a URL, in base64."""
    ways = {secret, json.dumps(secret)[1:-1], quote(secret, safe=""), quote(secret)}
    return {way.encode() for way in ways} | {base64.b64encode(secret.encode())}


def test_they_are_found_nowhere(standin, prefect_api, prefect_home, tmp_path, database):
    """In Prefect, process lists, output, logs, report, metrics, quarantine and warehouses."""
    ready, security_token = standin.ready, standin.world.account.security_token
    keep(prefect_api, "swept-token", ready["token"])
    warehouse = tmp_path / "warehouse"
    settings = settings_of(standin, warehouse)
    del settings["LIVE_TRAFFIC_TOKEN"]
    name = lambda *keys: {f"LIVE_TRAFFIC_{key.upper()}": ready[key] for key in keys}  # noqa: E731
    iam = {"LIVE_TRAFFIC_IAM_ENDPOINT": ready["iam_endpoint"]}
    kinds = [
        name("token"),
        {"LIVE_TRAFFIC_TOKEN_BLOCK": "swept-token"},
        name("ak", "sk") | {"LIVE_TRAFFIC_SECURITY_TOKEN": security_token},
        name("username", "password", "account") | iam,
    ]
    calls = [[kind, [*RUN, "--force"]] for kind in kinds]
    calls += [
        [{**kinds[0], "LIVE_TRAFFIC_WAREHOUSE": database}, RUN],
        [{}, ["report", "-o", str(tmp_path / "report.html"), "--as-of", NIGHT]],
        [{"LIVE_TRAFFIC_WAREHOUSE": database}, ["doctor", "--log-level", "debug"]],
    ]
    kept = {key: value for key, value in os.environ.items() if not key.startswith("LIVE_TRAFFIC_")}
    more = {
        "PREFECT_API_URL": prefect_api,
        "PREFECT_LOGGING_LEVEL": "DEBUG",
        "LIVE_TRAFFIC_METRICS_FILE": str(tmp_path / "metrics.prom"),
    }
    with Watched() as watched:
        done = subprocess.run(
            [sys.executable, "-c", CALLS], input=json.dumps(calls), capture_output=True, text=True,
            env={**kept, **settings, **more},
        )  # fmt: skip
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(said) == len(calls), done.stderr
    assert {code for code, *_ in said[: len(kinds) + 2]} <= {0, 4, 5}, said
    assert b"flows.cli" in watched.lines, "the process was seen"
    found = {
        "output": (done.stdout + done.stderr).encode(),
        "process lists": watched.lines,
        "Prefect's API": seen_in_prefect(prefect_api),
    }
    roots = (tmp_path, prefect_home)
    places = [path for root in roots for path in root.rglob("*") if path.is_file()]
    found |= {str(path): path.read_bytes() for path in places}
    for wanted in (".quarantine", "metrics.prom", "report.html", "prefect.db"):
        assert any(wanted in place for place in found), wanted
    known = standin.domains("pull")[0].encode()
    for where in ("output", "Prefect's API", "report.html", "prefect.db"):
        assert any(known in found[place] for place in found if where in place), "search finds"
    secrets = {key: ready[key] for key in ("token", "sk", "password")}
    secrets |= {"security token": security_token, "database password": DATABASE_PASSWORD}
    leaks = [
        (kind, place)
        for kind, secret in secrets.items()
        for place, content in found.items()
        for way in spellings(secret)
        if way in content
    ]
    assert leaks == []


def seen_in_prefect(api: str) -> bytes:
    """Runs with their parameters, tasks, logs, artifacts and blocks, as its pages show them."""
    kinds = ("flow_runs", "task_runs", "logs", "artifacts", "variables", "block_documents")
    answers = [requests.post(f"{api}/{kind}/filter", json={}, timeout=30) for kind in kinds]
    assert all(answer.ok for answer in answers)
    return b"\n".join(answer.content for answer in answers)
