"""SIGINT and SIGTERM in whatever a command waits for: it ends soon, says one sentence, keeps what it has.

The source is silent for a minute where a command may take ten seconds, so that a loaded machine decides
nothing. A signal that reaches another thread than the main one is the same signal.
"""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from extract.standin.server import Standin
from flows.rate_state import STATE_FILE
from livetraffic.errors import Locked
from load.parquet.sink import ParquetSink
from test_history_into_warehouse import NIGHT, at, offered, stored
from test_killed_and_stopped import temporaries

SILENCE = 60
SOON = 25
"""Seconds: the promise is ten, and the machine may be busy with other things."""


MANY = 1000
PASSWORD = {f"LIVE_TRAFFIC_{n.upper()}": n for n in ("username", "password", "account")}
REGION = {"LIVE_TRAFFIC_REGION": "cn-north-4"}


@pytest.fixture
def standin():
    """A stand-in whose clock stands still, without a quota."""
    with Standin(domains=3, now=at(NIGHT), requests_per_minute=0) as server:
        yield server


@pytest.fixture
def begun():
    """Starts a command in a process of its own; an empty value takes a variable away."""
    with ExitStack() as processes:

        def begin(*arguments: str, program=("-m", "flows"), **environment: str):
            with_it = {k: v for k, v in {**os.environ, **environment}.items() if v}
            process = subprocess.Popen(
                [sys.executable, *program, *arguments],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                env=with_it,
            )  # fmt: skip
            processes.enter_context(process)
            processes.callback(process.kill)
            return process

        yield begin


def reached(condition, process, longest=100) -> None:
    """Poll until the condition holds."""
    deadline = time.monotonic() + longest
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.005)


def silence(standin: Standin, operation: str, after: int = 0) -> None:
    """Let the source be silent about it."""
    slow = {"kind": "slow", "seconds": SILENCE, "operation": operation}
    standin.faults([{**slow, "after": after, "times": MANY}])


def silent(standin: Standin) -> int:
    """How many requests it has been silent about."""
    return sum(MANY - int(str(fault["times"])) for fault in standin.ordered())


def at_rest(process) -> bool:
    """Whether the main thread sleeps, and has done nothing for a second."""
    thread = Path(f"/proc/{process.pid}/task/{process.pid}")
    before = thread.joinpath("schedstat").read_text()
    with suppress(subprocess.TimeoutExpired):
        process.wait(1)
    if process.poll() is not None:
        return False
    sleeps = thread.joinpath("stat").read_text().rpartition(")")[2].split()[0] == "S"
    return sleeps and thread.joinpath("schedstat").read_text() == before


def sent_to_another_thread(process, number) -> None:
    """The signal, sent to a thread that is not the main one."""
    threads = [int(path.name) for path in Path(f"/proc/{process.pid}/task").iterdir()]
    others = [thread for thread in threads if thread != process.pid]
    assert ctypes.CDLL(None).tgkill(process.pid, max(others), int(number)) == 0


def ended(process, number, *, send=subprocess.Popen.send_signal) -> str:
    """Send the signal; what the process says on standard error before it ends, soon."""
    began = time.monotonic()
    send(process, number)
    out, err = process.communicate(timeout=100)
    assert time.monotonic() - began < SOON
    assert process.returncode == 128 + number, (out, err)
    assert "Traceback" not in err
    said = [line for line in err.splitlines() if line.startswith("live-traffic: ")]
    assert len(said) == 1, err
    return said[0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_signal_may_reach_any_thread(begun, live, figures, number):
    """The main thread waits for the batches without a time-out, and no handler runs in it."""
    silence(live.standin, "traffic", after=4)
    run = begun("backfill", "--engine", "direct", "--as-of", NIGHT)
    reached(lambda: silent(live.standin) >= 2, run)
    assert "kept" in ended(run, number, send=sent_to_another_thread)
    held = stored(live.warehouse)
    offer = offered(live.standin, NIGHT)
    assert held.items() <= offer.items()
    finished_by_the_next(live)
    figures("signals", "to another thread", 1)


BACKFILL = ("backfill", "--engine", "direct", "--as-of", NIGHT)
WAITS = {
    "the domain list": (BACKFILL, "domains", {}),
    "the list, for a plan": (("plan", "--as-of", NIGHT), "domains", {}),
    "the list, for doctor": (("doctor",), "domains", {}),
    "the sums of v2": (BACKFILL, "summary_v2", {}),
    "a token": (BACKFILL, "tokens", {"LIVE_TRAFFIC_TOKEN": "", **PASSWORD}),
    "the project's number": (BACKFILL, "projects", {"LIVE_TRAFFIC_PROJECT_ID": "", **REGION}),
    "a comparison of sums": (("reconcile", "--as-of", NIGHT), "traffic", {}),
}


@pytest.mark.parametrize("wait", WAITS)
def test_silence_of_every_kind_is_left(begun, live, figures, wait):
    """Requests of the main thread too: a look-up, a list, a sum."""
    arguments, operation, changes = WAITS[wait]
    ready = live.standin.ready
    if operation == "traffic":
        assert live.json("backfill", "--engine", "direct", as_of=NIGHT)["exit_code"] == 0
    silence(live.standin, operation)
    names = {"LIVE_TRAFFIC_IAM_ENDPOINT": ready["iam_endpoint"]}
    for name, value in changes.items():
        names[name] = ready.get(value, value)
    number = signal.SIGTERM if len(wait) % 2 else signal.SIGINT
    run = begun(*arguments, **names)
    reached(lambda: silent(live.standin), run)
    assert "Stopped on request" in ended(run, number)
    finished_by_the_next(live)
    figures("signals", "while the source is silent", 1)


def finished_by_the_next(live) -> None:
    """A run after it leaves the warehouse equal to the source, and nothing beside it."""
    live.standin.faults([])
    assert live.json("backfill", "--engine", "direct", as_of=NIGHT)["exit_code"] == 0
    assert stored(live.warehouse) == offered(live.standin, NIGHT)
    assert temporaries(live.warehouse) == []


def test_the_wait_that_the_source_asked_for_is_left(begun, live, figures):
    """``Retry-After: 60``."""
    throttle = {"kind": "throttle", "operation": "domains", "retry_after": 60, "times": MANY}
    live.standin.faults([throttle])
    run = begun(*BACKFILL)
    reached(lambda: live.standin.requests("domains"), run)
    ended(run, signal.SIGTERM)
    # What the source asked for holds for the next run too: here it is not waited for.
    (live.warehouse / STATE_FILE).unlink()
    finished_by_the_next(live)
    figures("signals", "while it waits", 1)


def test_the_wait_for_the_quota_is_left(begun, live, figures):
    """What had been read is committed."""
    run = begun(*BACKFILL, LIVE_TRAFFIC_REQUESTS_PER_MINUTE="3")
    reached(lambda: len(live.standin.requests("traffic")) == 3, run)
    assert "kept" in ended(run, signal.SIGINT)
    assert stored(live.warehouse)
    finished_by_the_next(live)
    figures("signals", "while it waits", 1)


def test_the_wait_for_another_run_is_left(begun, live, figures):
    """The other run's lock stays the other's."""
    sink = ParquetSink(live.warehouse)
    with sink.run_lock(wait=0, holder="another"):
        run = begun(*BACKFILL, "--lock-wait", "100s")
        reached(lambda: opened(run, ".run.lock"), run)
        assert "another run" in ended(run, signal.SIGTERM)
        with pytest.raises(Locked, match="another"), sink.run_lock(wait=0, holder="x"):
            pass
    finished_by_the_next(live)
    figures("signals", "while it waits", 1)


def opened(process, name: str) -> bool:
    """Whether the process has a file of that name open."""
    held = set()
    for link in Path(f"/proc/{process.pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # Closed since it was listed.
            held.add(str(link.readlink()))
    return any(path.endswith(name) for path in held)


def test_a_connection_that_nobody_accepts_is_left(begun, live, figures, monkeypatch):
    """A listener whose queue is full: the kernel answers nothing."""
    with ExitStack() as stack:
        deaf = stack.enter_context(socket.socket())
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for _ in range(3):
            caller = stack.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(deaf.getsockname())
        endpoint = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        run = begun(*BACKFILL, LIVE_TRAFFIC_ENDPOINT=endpoint)
        reached(lambda: connecting(deaf.getsockname()[1], 4), run)
        ended(run, signal.SIGINT)
    finished_by_the_next(live)
    figures("signals", "while it waits", 1)


def connecting(port: int, count: int) -> bool:
    """Whether so many sockets are on their way to the port or there."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    remote = [line.split()[2] for line in lines]
    return sum(int(address.rpartition(":")[2], 16) == port for address in remote) >= count


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_commit_under_way_is_finished_or_left_out(begun, live, figures, number):
    """Never torn: what is there is the source's."""
    run = begun(*BACKFILL)
    reached(lambda: temporaries(live.warehouse), run)
    ended(run, number)
    if list(live.warehouse.glob("traffic/*/data.parquet")):
        assert stored(live.warehouse).items() <= offered(live.standin, NIGHT).items()
    finished_by_the_next(live)
    figures("signals", "in a commit", 1)


def test_a_copy_keeps_the_months_it_has(begun, live, tmp_path, figures):
    """And the next one does the rest."""
    assert live.json("backfill", "--engine", "direct", as_of=NIGHT)["exit_code"] == 0
    target = f"sqlite:///{tmp_path}/copy.db"
    run = begun("copy", str(live.warehouse), target)
    reached(lambda: opened(run, "copy.db"), run)
    ended(run, signal.SIGTERM)
    assert live.json("copy", str(live.warehouse), target)["verified"]
    figures("signals", "in a copy", 1)


def test_a_question_is_left(begun, live, figures):
    """Nothing was changed, nothing is to be finished."""
    assert live.json("backfill", "--engine", "direct", as_of=NIGHT)["exit_code"] == 0
    forever = "SELECT count(*) FROM range(1000000000) a, range(1000000) b WHERE a.range <> b.range"
    run = begun("sql", forever)
    reached(lambda: "duckdb" in Path(f"/proc/{run.pid}/maps").read_text(), run)
    ended(run, signal.SIGTERM)
    figures("signals", "in a question", 1)


NO_WAKEUP = (
    "import signal; signal.set_wakeup_fd = lambda *a, **k: -1\nfrom flows.cli import entry; entry()"
)


def test_without_the_descriptor_another_threads_signal_waits(begun, live, figures):
    """The twin of the guard: the main thread runs no handler while it waits for the batches."""
    silence(live.standin, "traffic")
    run = begun(*BACKFILL, program=("-c", NO_WAKEUP))
    reached(lambda: silent(live.standin) and at_rest(run), run)
    sent_to_another_thread(run, signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        run.wait(11)
    run.kill()
    run.communicate()
    figures("twins", "signals", 1)
