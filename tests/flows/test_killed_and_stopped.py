"""Runs that are killed or asked to stop, as processes of their own: the next one does the rest."""

import os
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from extract.standin.server import Standin
from terminal import commands
from test_history_into_warehouse import NIGHT, at, offered, stored

LONGEST = 100.0


@pytest.fixture
def standin():
    """A stand-in whose clock stands still, without a quota."""
    with Standin(domains=6, now=at(NIGHT), requests_per_minute=0) as server:
        yield server


def start(*arguments: str, engine: str = "direct", **environment: str) -> subprocess.Popen:
    """A run in a process of its own, with this test's environment."""
    return subprocess.Popen(
        [sys.executable, "-m", "flows", *arguments, "--engine", engine, "--as-of", NIGHT, "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "LIVE_TRAFFIC_REQUESTS_PER_MINUTE": "100000", **environment},
    )  # fmt: skip


def wait_for(condition, process) -> bool:
    """Poll until the condition holds, the process has ended, or it has taken too long."""
    deadline = time.monotonic() + LONGEST
    while not condition():
        if process.poll() is not None:
            return False
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.002)
    return True


def temporaries(warehouse) -> list[Path]:
    """What a commit leaves on its way: dot-files that are no locks and no state."""
    kept = (".run.lock", ".commit.lock", ".state.sqlite")
    return [p for p in warehouse.rglob(".*") if p.is_file() and not p.name.startswith(kept)]


@pytest.mark.parametrize("seed", range(6))
def test_a_killed_run_is_finished_by_the_next(live, seed, figures):
    """SIGKILL after any request or inside a commit, three times over: it ends equal to the source."""
    rng = random.Random(f"kill {seed}")
    kills = 0
    for _ in range(3):
        reached = len(live.standin.requests("traffic")) + rng.randrange(1, 16)
        in_commit = rng.random() < 0.5

        def moment(reached=reached, in_commit=in_commit) -> bool:
            if len(live.standin.requests("traffic")) < reached:
                return False
            return bool(temporaries(live.warehouse)) or not in_commit

        process = start("backfill")
        if wait_for(moment, process):
            process.kill()
            kills += 1
        process.communicate()
    summary = live.json("backfill", "--engine", "direct", as_of=NIGHT)
    assert kills
    assert summary["exit_code"] == 0
    assert summary["lost"] == []
    assert stored(live.warehouse) == offered(live.standin, NIGHT)
    assert temporaries(live.warehouse) == []
    figures("random kills", "whole runs against the stand-in", kills, sink="parquet")


IN_PREFECT = pytest.param(
    "prefect",
    signal.SIGTERM,
    143,
    marks=[pytest.mark.prefect, pytest.mark.timeout(300)],
)


@pytest.mark.parametrize(
    ("engine", "number", "code"),
    [("direct", signal.SIGINT, 130), ("direct", signal.SIGTERM, 143), IN_PREFECT],
)
def test_a_stopped_run_keeps_what_it_read_and_says_so(live, tmp_path, engine, number, code):
    """Within ten seconds, even while the source is silent; what had been read is committed."""
    live.standin.faults([{"kind": "slow", "seconds": 25, "operation": "traffic", "after": 4}])
    process = start("backfill", engine=engine, PREFECT_HOME=str(tmp_path / "prefect"))
    assert wait_for(lambda: len(live.standin.requests("traffic")) >= 4, process)
    began = time.monotonic()
    process.send_signal(number)
    out, err = process.communicate(timeout=LONGEST)
    assert time.monotonic() - began < 10
    assert process.returncode == code, err
    assert '"stopped"' in out
    assert "Traceback" not in err
    held = stored(live.warehouse)
    offer = offered(live.standin, NIGHT)
    assert held.items() <= offer.items()
    assert len(held) >= 3 * 8640, "four answers came, at most one was still being parsed"
    live.standin.faults([])
    assert live.json("backfill", "--engine", "direct", as_of=NIGHT)["exit_code"] == 0
    assert stored(live.warehouse) == offer


def test_two_runs_at_once_neither_lose_nor_double(live, figures):
    """The second waits for the first, then finds nothing left but what is provisional."""
    runs = [start("backfill") for _ in range(2)]
    assert [run.wait(LONGEST) for run in runs] == [0, 0]
    assert stored(live.warehouse) == offered(live.standin, NIGHT)
    assert len(live.standin.requests("traffic")) == 15 + 5
    for run in runs:
        run.communicate()
    figures("writers", "two runs at once", 2, sink="parquet")


def test_a_token_that_dies_in_the_middle_is_renewed(capsys, monkeypatch, tmp_path):
    """A password run survives the revocation of its token; nothing is lost."""
    night = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    with Standin(domains=6, now=at(night), requests_per_minute=0) as standin:
        live = commands(capsys, monkeypatch, standin, tmp_path / "w")
        monkeypatch.delenv("LIVE_TRAFFIC_TOKEN")
        monkeypatch.setenv("LIVE_TRAFFIC_IAM_ENDPOINT", standin.ready["iam_endpoint"])
        for name in ("username", "password", "account"):
            monkeypatch.setenv(f"LIVE_TRAFFIC_{name.upper()}", standin.ready[name])
        standin.faults([{"kind": "revoke_tokens", "operation": "traffic", "after": 5, "times": 1}])
        summary = live.json("nightly", "--engine", "direct", as_of=night)
        assert summary["exit_code"] == 0, summary["failed"]
        assert len(standin.requests("tokens")) == 2
        assert stored(live.warehouse) == offered(standin, night)
