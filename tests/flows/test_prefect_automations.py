"""``deploy/prefect/automations.py`` on a real server: a killed run is Crashed, bad ends reach a webhook.

It takes two minutes: ``make automations`` runs it.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from extract.standin.server import Standin
from flows.local_server import local_server

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 240
pytestmark = [
    pytest.mark.prefect,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        os.environ.get("PREFECT_AUTOMATIONS") != "1", reason="two minutes: make automations"
    ),
]


@pytest.fixture
def told() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """A webhook on the loopback: its address, and what it was told."""
    heard: list[dict[str, str]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            heard.append(json.loads(body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/secret-path", heard
        server.shutdown()


def until(holds: Callable[[], object]) -> None:
    """Wait for a condition, up to a deadline."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "the condition never held"
        time.sleep(0.5)


def test_a_killed_run_is_crashed_and_bad_ends_are_told(
    live, standin: Standin, told, tmp_path, monkeypatch
) -> None:
    """kill -9 leaves a run Running until the automation ends it; both bad ends are told."""
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    address, heard = told
    with local_server() as url:
        environment = {**os.environ, "NOTIFY_WEBHOOK_URL": address}
        script = [sys.executable, str(ROOT / "deploy/prefect/automations.py"), "--silent", "15"]
        for _ in range(2):
            made = subprocess.run(script, capture_output=True, text=True, env=environment)
            assert made.returncode == 0, made.stderr
            assert "secret-path" not in made.stdout + made.stderr
        runs = lambda: requests.post(f"{url}/flow_runs/filter", json={}, timeout=30).json()  # noqa: E731
        found = requests.post(f"{url}/automations/filter", json={}, timeout=30).json()
        assert len(found) == 2, "twice is once"

        standin.faults([{"kind": "slow", "seconds": 60, "operation": "traffic"}])
        command = [sys.executable, "-m", "flows", "nightly", "--engine", "prefect"]
        run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda: [each["state"]["type"] for each in runs()] == ["RUNNING"])
        until(lambda: standin.requests("traffic"))
        run.kill()
        run.wait()
        until(lambda: [each["state"]["type"] for each in runs()] == ["CRASHED"])
        until(lambda: any("Crashed" in each["text"] for each in heard))
        name = runs()[0]["name"]
        assert any(each["text"].startswith(f"{name}: Crashed. Its process") for each in heard)

        standin.faults([])
        wrong = {**os.environ, "LIVE_TRAFFIC_TOKEN": "wrong"}
        assert subprocess.run(command, capture_output=True, env=wrong).returncode == 2
        until(lambda: any("Failed" in each["text"] for each in heard))
        assert all(each["flow_run"].startswith("http") for each in heard)
