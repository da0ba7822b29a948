"""The stand-in as a process: its ready line, its banner, its end."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest
import requests

from extract.standin.__main__ import main
from extract.standin.server import Standin

ROOT = Path(__file__).parents[3]

Run = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def run() -> Iterator[Run]:
    """``python -m extract.standin`` with arguments; whatever still runs is ended."""
    running: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "extract.standin", *arguments]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT))
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def out(process: "subprocess.Popen[str]") -> IO[str]:
    assert process.stdout is not None
    return process.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_ready_line_then_a_clean_end(run: Run, number: int) -> None:
    process = run("--json", "--seed", "7", "--now", "2026-03-01T00:00:00Z", "--switch", "idle=omit")
    ready = json.loads(out(process).readline())
    url = f"{ready['endpoint']}/v1/{ready['project_id']}/domain"
    with requests.Session() as session:
        answer = session.get(url, headers={"X-Auth-Token": ready["token"]}, timeout=30)
        assert answer.json()["total"] == 6
        assert answer.headers["Date"] == "Sun, 01 Mar 2026 00:00:00 GMT"
        switches = session.get(f"{ready['endpoint']}/_standin/switches", timeout=30).json()
        assert switches["switches"]["idle"]["value"] == "omit"
        process.send_signal(number)
        assert process.wait(timeout=30) == 0, "although a connection is still open"
    assert out(process).read() == ""


def test_the_banner_says_what_it_is_not(run: Run) -> None:
    process = run("--domains", "1", "--plain", "--requests-per-minute", "5", "--warm-up", "1")
    lines: list[str] = []
    while not lines or "Ctrl-C" not in lines[-1]:
        lines.append(out(process).readline())
    text = "".join(lines)
    assert "NOT Huawei Cloud" in text
    assert "unaligned_start" in text
    assert "export LIVE_TRAFFIC_ENDPOINT=http://127.0.0.1:" in text
    assert "traffic_per_minute" not in text, "documented, not a guess"


@pytest.mark.parametrize(
    "arguments", [["--switch", "idle=maybe"], ["--now", "2026-03-01T00:00:00"], ["--port", "x"]]
)
def test_wrong_arguments_are_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert arguments[0] in capsys.readouterr().err


def test_a_port_in_use_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with Standin() as standin:
        port = standin.url.rpartition(":")[2]
        assert main(["--port", port]) == 1
    assert f"port {port}" in capsys.readouterr().err


def test_it_listens_on_loopback_only() -> None:
    with pytest.raises(ValueError, match="loopback"):
        Standin(host="0.0.0.0")


def test_after_the_end_nobody_answers() -> None:
    with requests.Session() as session:
        with Standin() as standin:
            session.get(f"{standin.url}/_standin/clock", timeout=30)
        with pytest.raises(requests.exceptions.ConnectionError):
            session.get(f"{standin.url}/_standin/clock", timeout=30)
