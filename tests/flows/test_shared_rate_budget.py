"""One quota for processes that share only a database: held to the request, fair, and used."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest

from extract.standin.server import Standin
from flows.rate_state import shared_budget
from livetraffic.errors import ConfigError, SinkError, Stopped
from load.database import rate_windows
from tests import servers
from tests.contract.stores import STORES

WINDOW_S = 2.0
QUOTA = 40
SLACK_S = WINDOW_S / 61
"""The window is 61 s where the source counts in 60; here likewise."""
URLS = {"postgres": servers.postgres_place, "mariadb": servers.mariadb_place}


@pytest.fixture(params=URLS, ids=str)
def url(request, tmp_path) -> str:
    """The URL of an empty place in a server."""
    store = STORES[request.param]
    store.find()
    yield URLS[request.param](tmp_path / "rate")
    store.drop(tmp_path / "rate")


@pytest.fixture
def standin():
    """A stand-in that would let anything pass: its journal is the judge."""
    with Standin(domains=6, requests_per_minute=0) as server:
        yield server


NIGHT = "2026-03-01T19:15:00Z"


@pytest.fixture
def still():
    """A stand-in whose clock stands still."""
    now = datetime.fromisoformat(NIGHT)
    with Standin(domains=6, now=now, requests_per_minute=0) as server:
        yield server


@pytest.fixture
def workers(url, standin):
    """Starts processes, lets them go together, and ends what is left of them."""
    running = []

    def start(count, seconds):
        new = []
        for number in range(len(running), len(running) + count):
            ready = standin.ready
            given = [url, ready["endpoint"], ready["project_id"], ready["token"]]
            rules = f"{QUOTA},{WINDOW_S},{seconds}"
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.flows.rate_worker", *given, f"w{number}.x", rules],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=Path(__file__).parents[2],
            )
            new.append(process)
        running.extend(new)
        for process in new:
            assert process.stdout.readline() == "ready\n"
        for process in new:
            process.stdin.write("go\n")
            process.stdin.flush()
        return new

    yield start
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate()


def most_in_a_window(instants, seconds):
    ordered = sorted(instants)
    return max(
        sum(1 for other in ordered[number:] if other < at + seconds)
        for number, at in enumerate(ordered)
    )


def asked(standin):
    return [(entry["real_s"], entry["domain"]) for entry in standin.world.journal.entries()]


def test_processes_share_the_quota_to_the_request_and_each_gets_its_part(workers, standin):
    """Three processes of three threads, four windows, judged by the stand-in's journal."""
    windows = 4
    for process in workers(3, windows * WINDOW_S - 0.5):
        assert process.wait(timeout=60) == 0
    found = asked(standin)
    assert most_in_a_window([at for at, _ in found], WINDOW_S - SLACK_S) <= QUOTA
    # Within the time every window but the last is used whole.
    first = min(at for at, _ in found)
    used = [at for at, _ in found if at < first + (windows - 1) * WINDOW_S]
    assert len(used) >= 0.95 * QUOTA * (windows - 1)
    shares = Counter(name for _, name in found)
    assert len(shares) == 3
    assert min(shares.values()) >= 0.5 * len(found) / 3


def test_a_killed_process_gives_its_places_back(workers, url, standin):
    """kill -9 in full flight, tickets in its hands: within a window the other has all of the quota."""
    killed, left = workers(2, 4 * WINDOW_S)
    deadline = time.monotonic() + 20
    while len(asked(standin)) < QUOTA + 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    killed_at = time.time()
    assert left.wait(timeout=60) == 0
    found = asked(standin)
    assert most_in_a_window([at for at, _ in found], WINDOW_S - 2 * SLACK_S) <= QUOTA
    after = [at for at, _ in found if at > killed_at + 1.2 * WINDOW_S]
    ends = max(at for at, _ in found)
    expected = QUOTA * (ends - killed_at - 1.2 * WINDOW_S) / WINDOW_S
    assert len(after) >= 0.5 * expected - 8


def test_a_throttle_answer_stops_every_process(url):
    """One hears it, the other waits."""
    one, other = (shared_budget(url, sleep=lambda _: True, window_s=60) for _ in range(2))
    with other.acquire("a", "traffic", 5):
        pass
    one.throttled("a", "traffic")
    with pytest.raises(Stopped), other.acquire("a", "traffic", 5):
        pass
    with other.acquire("b", "traffic", 5), other.acquire("a", "domains", 5):
        pass
    one.close()
    other.close()


def test_a_connection_that_broke_is_made_anew(url, tmp_path):
    """The server cut it between two requests."""
    budget = shared_budget(url, sleep=lambda _: True, window_s=60)
    with budget.acquire("a", "traffic", 2):
        cut_all_connections(url)
    with budget.acquire("a", "traffic", 2):
        pass
    with pytest.raises(Stopped), budget.acquire("a", "traffic", 2):
        pass
    budget.close()


def cut_all_connections(url):
    if url.startswith("postgresql"):
        with servers.postgres_connection() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'live-traffic' AND query LIKE '%rate_%'"
            )
        return
    with servers.mariadb_connection() as connection, connection.cursor() as cursor:
        name = url.rpartition("/")[2]
        cursor.execute("SELECT id FROM information_schema.processlist WHERE db = %s", (name,))
        for (number,) in cursor.fetchall():
            cursor.execute(f"KILL {number}")


def test_a_process_that_is_frozen_with_the_window_in_its_hands_is_let_go_by_the_server(
    url, monkeypatch
):
    monkeypatch.setattr(rate_windows, "FROZEN_SECONDS", 2)
    key = ("account", "traffic")
    frozen, other = (
        rate_windows.DatabaseWindows(url, window_s=WINDOW_S, setting="LIVE_TRAFFIC_STATE")
        for _ in range(2)
    )
    assert frozen.take(key, QUOTA, None).wait == 0
    held, awake = threading.Event(), threading.Event()

    def frozen_in_it(connection):
        frozen._locked(connection, key)
        held.set()
        awake.wait()
        return frozen._take(connection, key, QUOTA, None)

    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(frozen._done, frozen_in_it)
        held.wait(60)
        began = time.monotonic()
        try:
            assert other.take(key, QUOTA, None).number is not None
        finally:
            awake.set()
        assert time.monotonic() - began > 1, "it was not held"
        assert late.result().number is not None, "it wakes up, finds it gone, and begins anew"
    for windows in (frozen, other):
        windows.close()


def test_it_keeps_only_the_window(url):
    """What is older than two windows is removed."""
    window_s, windows, sent = 0.2, 6, 0
    budget = shared_budget(url, sleep=threading.Event().wait, window_s=window_s)
    began = time.perf_counter()
    while time.perf_counter() < began + windows * window_s:
        with budget.acquire("a", "traffic", 100_000):
            sent += 1
    budget.close()
    assert rows_of(url, "rate_sends") < sent
    assert rows_of(url, "rate_tickets") == 0


def rows_of(url, table):
    from sqlalchemy import create_engine, text

    from load.database.address import parse

    address = parse(url)
    name = f'"{address.schema}".{table}' if address.schema else table
    engine = create_engine(address.url)
    try:
        with engine.connect() as connection:
            return connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one()
    finally:
        engine.dispose()


def ask_once(state):
    budget = shared_budget(state, sleep=lambda _: True)
    budget._windows._sleep = lambda _: None
    with budget.acquire("a", "traffic", 5):
        pass


@pytest.mark.parametrize(
    ("state", "error"),
    [
        ("postgresql://root:top-secret@127.0.0.1:1/test", SinkError),
        ("mysql://root:top-secret@127.0.0.1:1/test", SinkError),
        ("postgresql://root:top-secret@127.0.0.1", ConfigError),
        ("https://top-secret@example.com/state", ConfigError),
    ],
)
def test_a_state_that_cannot_be_used_is_a_sentence_that_names_the_setting(state, error):
    """And never the password."""
    with pytest.raises(error) as caught:
        ask_once(state)
    told = f"{caught.value.message} {caught.value.remedy}"
    assert "LIVE_TRAFFIC_STATE" in told
    assert "top-secret" not in told


def test_a_run_on_a_database_keeps_its_budget_there(url, still, capsys, monkeypatch, tmp_path):
    """And nothing in the user's own directory."""
    from terminal import commands

    live = commands(capsys, monkeypatch, still, url)
    outcome = live("backfill", "--engine", "direct", "--start", "2026-02-27", as_of=NIGHT)
    assert outcome.code == 0
    assert rows_of(url, "rate_sends") == len(still.world.journal.entries())
    assert not list(Path(os.environ["XDG_STATE_HOME"]).rglob("*.sqlite"))


def test_files_on_two_machines_can_share_a_database(url, still, capsys, monkeypatch, tmp_path):
    """LIVE_TRAFFIC_STATE is a URL; the warehouse is a directory."""
    from terminal import commands

    monkeypatch.setenv("LIVE_TRAFFIC_STATE", url)
    live = commands(capsys, monkeypatch, still, tmp_path / "warehouse")
    assert live("plan", as_of=NIGHT).code == 0  # makes nothing
    outcome = live("backfill", "--engine", "direct", "--start", "2026-02-27", as_of=NIGHT)
    assert outcome.code == 0
    assert rows_of(url, "rate_sends") > 0
    assert not (tmp_path / "warehouse" / ".state.sqlite").exists()
