"""Each command's answer, for people and as JSON, on a warehouse that the stand-in filled."""

import csv
import io
import json
import signal
import subprocess
import sys

import pyarrow.parquet as pq
import pytest
import requests

from extract.standin.server import Standin
from terminal import commands
from test_history_into_warehouse import NIGHT, at, later, offered


@pytest.fixture(scope="module")
def standin():
    """One stand-in for the file; its clock stands still and nothing changes it."""
    with Standin(domains=6, now=at(NIGHT)) as server:
        yield server


@pytest.fixture(scope="module")
def filled(standin, tmp_path_factory):
    """A warehouse that one nightly run has filled, made once; the tests only look at it."""
    place = tmp_path_factory.mktemp("filled") / "warehouse"
    with pytest.MonkeyPatch.context() as patch:
        live = commands(None, patch, standin, place)
        from flows.cli import main

        assert main(["nightly", "--engine", "direct", "--as-of", NIGHT, "--json"]) == 0
        assert live.warehouse == place
    return place


@pytest.fixture
def live(capsys, monkeypatch, standin, filled):
    """The command line on the filled warehouse."""
    capsys.readouterr()
    return commands(capsys, monkeypatch, standin, filled)


def test_plan_lists_what_is_due_with_its_expiry(live):
    """Everything the design names, and nothing settled."""
    plan = live.json("plan", as_of=NIGHT)
    assert plan["requests"] == len(plan["slices"]) == 5
    assert plan["expected_points"] == 5 * 288 - 5 * 3
    assert plan["seconds_at_quota"] == 1
    assert plan["lost"] == plan["out_of_reach"] == []
    assert plan["slices"][0] == {
        "domain": "play001.example.com",
        "window_start": "2026-02-28T19:15:00Z",
        "window_end": "2026-03-01T19:00:00Z",
        "source": "v1",
        "expires_at": "2026-05-29T18:15:00Z",
    }
    shown = live("plan", as_of=NIGHT).out
    assert "5 requests for 5 domains" in shown
    assert "2026-03-01 03:15 .. 03-02 03:00" in shown


def test_a_plan_for_another_day_needs_no_clock_to_agree(live):
    """``plan`` only looks: it may be asked what a later night will find."""
    plan = live.json("plan", as_of=later(NIGHT, days=30))
    assert plan["exit_code"] == 0
    assert plan["requests"] == 10, "thirty nights and a day are longer than a window"


def test_coverage_shows_each_domains_time_by_state(live):
    """Complete up to a day ago, provisional since; --check fails while anything is open."""
    intervals = live.json("coverage", as_of=NIGHT)["intervals"]
    mine = [i for i in intervals if i["domain"] == "play002.example.com"]
    assert mine == [
        {
            "domain": "play002.example.com",
            "start": "2025-12-01T20:15:00Z",
            "end": "2026-02-28T19:15:00Z",
            "state": "complete",
        },
        {
            "domain": "play002.example.com",
            "start": "2026-02-28T19:15:00Z",
            "end": "2026-03-01T19:00:00Z",
            "state": "provisional",
        },
    ]
    february = ("coverage", "--check", "--start", "2026-02-01", "--end", "2026-02-28")
    assert live(*february, as_of=NIGHT).code == 0
    assert live("coverage", "--check", as_of=NIGHT).code == 3
    shown = live("coverage", as_of=NIGHT).out
    assert "play002.example.com █" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_expiring_speaks_of_gaps_only(live):
    """Nothing to fear today; three weeks on, the first unread point is announced."""
    assert live("expiring", as_of=NIGHT).code == 0
    later_on = later(NIGHT, days=80)
    outcome = live("expiring", "--within", "10d", as_of=later_on)
    assert outcome.code == 4
    assert "backfill" in outcome.out
    gaps = live.json("expiring", "--within", "10d", as_of=later_on)["gaps"]
    assert {gap["start"] for gap in gaps} == {"2026-03-01T19:00:00Z"}
    assert {gap["expires_at"] for gap in gaps} == {"2026-05-30T18:00:00Z"}


def test_sql_answers_in_four_forms(live, standin, tmp_path):
    """A table, CSV, JSON rows and a Parquet file hold the same."""
    statement = "SELECT domain, local_date, traffic_bytes FROM traffic_daily ORDER BY 1, 2 LIMIT 7"
    rows = json.loads(live("sql", statement, "--json").out)
    assert len(rows) == 7
    assert list(rows[0]) == ["domain", "local_date", "traffic_bytes"]
    from_csv = list(csv.DictReader(io.StringIO(live("sql", statement, "--csv").out)))
    assert from_csv == [{name: str(value) for name, value in row.items()} for row in rows]
    assert live("sql", statement, "--parquet", str(tmp_path / "out.parquet")).code == 0
    table = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert [row["traffic_bytes"] for row in table] == [row["traffic_bytes"] for row in rows]
    assert str(rows[0]["traffic_bytes"]) in live("sql", statement).out


def test_sql_says_what_the_source_says(live, standin):
    """A day's sum in SQL is the sum of the source's points of that local day."""
    truth = offered(standin, NIGHT)
    expected = sum(
        value
        for (domain, moment), value in truth.items()
        if domain == "play002.example.com"
        and at("2026-02-09T16:00:00Z") <= moment < at("2026-02-10T16:00:00Z")
    )
    rows = live.json(
        "sql",
        "SELECT traffic_bytes, points, complete FROM traffic_daily "
        "WHERE domain = 'play002.example.com' AND local_date = DATE '2026-02-10'",
    )
    assert rows == [{"traffic_bytes": expected, "points": 288, "complete": True}]


def test_sql_instants_end_in_z(live):
    """As everywhere in the answers."""
    rows = live.json("sql", "SELECT max(timestamp) AS newest FROM traffic")
    assert rows == [{"newest": "2026-03-01T18:55:00Z"}]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM traffic",
        "COPY traffic TO 'x.csv'",
        "SELECT 1; SELECT 2",
        "",
        "SELECT * FROM nowhere",
    ],
)
def test_anything_but_reading_is_refused(live, statement):
    """Exit 2, one sentence, nothing written."""
    outcome = live("sql", statement)
    assert outcome.code == 2
    assert outcome.err.startswith("live-traffic: ")


def test_doctor_says_what_is_well_and_what_to_mend(live, monkeypatch):
    """Every check has a name, a verdict and a message; the exit code is the worst one's."""
    skewed = live.json("doctor")
    assert skewed["exit_code"] == 1
    assert [c["name"] for c in skewed["checks"] if not c["ok"]] == ["clock"]
    live.standin.set_clock(None)
    try:
        well = live.json("doctor")
        assert [c["ok"] for c in well["checks"]] == [True] * 8, well
        assert well["exit_code"] == 0
        monkeypatch.setenv("LIVE_TRAFFIC_DOMAINS", "nobody.example.com")
        ill = live.json("doctor")
        assert ill["exit_code"] == 2
        assert [c["name"] for c in ill["checks"] if not c["ok"]] == ["domains"]
        monkeypatch.setenv("LIVE_TRAFFIC_TOKEN", "wrong")
        assert live("doctor").code == 2
    finally:
        live.standin.set_clock(at(NIGHT))


def test_the_standin_command_prints_one_ready_line_and_stops_on_a_signal():
    """What the design names is in the line, and it serves."""
    child = subprocess.Popen(
        [sys.executable, "-m", "flows", "standin", "--port", "0", "--json", "--domains", "3"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        ready = json.loads(child.stdout.readline())
        assert set(ready) == {
            "endpoint", "iam_endpoint", "project_id", "token", "ak", "sk", "username", "password",
            "account",
        }  # fmt: skip
        answer = requests.get(
            f"{ready['endpoint']}/v1/{ready['project_id']}/domain",
            headers={"X-Auth-Token": ready["token"]}, timeout=10,
        )  # fmt: skip
        assert answer.json()["total"] == 3
        assert "not Huawei Cloud" in answer.headers["Server"]
    finally:
        child.send_signal(signal.SIGTERM)
        assert child.wait(10) == 0
        child.stdout.close()


def test_progress_and_talk_never_reach_standard_output(capsys, monkeypatch, standin, tmp_path):
    """With --json standard output is one document, whatever is said on the way."""
    live = commands(capsys, monkeypatch, standin, tmp_path / "other")
    outcome = live("backfill", "--start", "2026-02-20", "--engine", "direct", "--json", as_of=NIGHT)
    assert json.loads(outcome.out)["slices"] == 5
    assert "requests due" in outcome.err


@pytest.mark.prefect
@pytest.mark.timeout(400)
def test_the_demo_runs_whole(tmp_path):
    """Backfill, nightly, coverage and SQL, through the flows, from an empty directory."""
    import os

    done = subprocess.run(
        [sys.executable, "-m", "flows", "demo", "--json"],
        capture_output=True, text=True, cwd=tmp_path, timeout=300,
        env={**os.environ, "PREFECT_HOME": str(tmp_path / "prefect")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["backfill"]["requests_by_operation"]["traffic"] == 15
    assert document["nightly"]["requests_by_operation"]["traffic"] == 5 + 3, "and the totals"
    assert document["nightly"]["inserted"] in (0, 5), "a step may have ended in between"
    assert len(document["top_domains"]) == 5
    assert list((tmp_path / "demo" / "traffic").glob("month=*/data.parquet"))
    assert "</html>" in (tmp_path / document["report"]).read_text("utf-8")
