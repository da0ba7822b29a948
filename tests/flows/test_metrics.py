"""The file that a monitor reads after each run: its figures, its memory, and that it harms no run."""

import json
import os
import re
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from extract.standin.server import Standin
from flows.metrics_file import COUNTERS, GAUGES
from livetraffic.window import to_seconds
from test_history_into_warehouse import NIGHT, at, later

ROOT = Path(__file__).parents[2]
SERIES = re.compile(r"^live_traffic_(\w+)\{(.*)\} (\S+)$")


@pytest.fixture
def standin():
    """A stand-in whose clock stands still."""
    with Standin(domains=3, now=at(NIGHT)) as server:
        yield server


@pytest.fixture
def prom(monkeypatch, tmp_path):
    """The file that the settings name."""
    path = tmp_path / "night.prom"
    monkeypatch.setenv("LIVE_TRAFFIC_METRICS_FILE", str(path))
    return path


def figures(path) -> dict[str, dict[str, float]]:
    """The samples by name and labels, read line by line."""
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for line in path.read_text().splitlines():
        if not line.startswith("#"):
            name, labels, value = SERIES.match(line).groups()
            assert 'warehouse="night"' in labels
            kept = sorted(each for each in labels.split(",") if not each.startswith("warehouse="))
            found[name][",".join(kept).replace('"', "")] = float(value)
    return found


def test_figures_are_those_of_the_run_and_of_the_views(live, prom):
    """Rows, requests and coverage agree with the run's document, ``sql`` and ``coverage``."""
    run = live.json("backfill", "--engine", "direct", as_of=NIGHT)
    said = figures(prom)
    assert said["rows_total"]["outcome=inserted"] == run["inserted"] > 0
    sent = {k.split("operation=")[1]: v for k, v in said["requests_total"].items()}
    assert {k: v for k, v in sent.items() if k != "domains"} == run["requests_by_operation"]
    assert all("code=200" in labels for labels in said["requests_total"])
    assert said["last_run_exit_code"] == {"": 0}
    assert said["coverage_ratio"] == {"account=default": 1}
    (settled,) = live.json(
        "sql",
        "SELECT SUM(settled) * 1.0 / SUM(settled + provisional) AS share FROM coverage_daily",
    )
    assert said["settled_ratio"]["account=default"] == pytest.approx(settled["share"], abs=0.0005)
    assert 0.98 < said["settled_ratio"]["account=default"] < 1
    until = to_seconds(at(run["complete_until"]))
    assert said["complete_until_timestamp_seconds"]["account=default"] == until
    assert said["domains"]["account=default"] == len(run["complete_until_by_domain"])
    assert not any(name.startswith("domain_") for name in said), "bounded, whatever the domains"


def test_counters_go_on_and_a_failed_run_keeps_the_last_success(live, prom, standin, monkeypatch):
    """Two nights and a wrong token: sums of all three, and the success stays the second's."""
    live.json("backfill", "--engine", "direct", as_of=NIGHT)
    first = figures(prom)
    night = later(NIGHT, days=1)
    standin.set_clock(at(night))
    run = live.json("nightly", "--engine", "direct", as_of=night)
    second = figures(prom)
    assert run["unchanged"] > 0
    for outcome in ("inserted", "updated", "unchanged"):
        more = (
            second["rows_total"][f"outcome={outcome}"] - first["rows_total"][f"outcome={outcome}"]
        )
        assert more == run[outcome]
    assert second["revisions_total"][""] == run["updated"]
    assert sum(second["requests_total"].values()) > sum(first["requests_total"].values())

    monkeypatch.setenv("LIVE_TRAFFIC_TOKEN", "wrong")
    monkeypatch.setenv("LIVE_TRAFFIC_METRICS_BY_DOMAIN", "true")
    third_night = later(night, days=1)
    standin.set_clock(at(third_night))
    assert live("nightly", "--engine", "direct", as_of=third_night).code == 2
    third = figures(prom)
    assert third["last_run_exit_code"] == {"": 2}
    assert third["last_success_timestamp_seconds"] == second["last_success_timestamp_seconds"]
    assert third["last_run_timestamp_seconds"][""] >= to_seconds(at(third_night))
    assert third["rows_total"] == second["rows_total"]
    assert third["runs_total"] == {"exit_code=0": 2, "exit_code=2": 1}
    assert third["requests_total"]["account=default,code=401,operation=domains"] == 1
    assert third["coverage_ratio"]["account=default"] < 1, "the day since is missing"
    assert len(third["domain_coverage_ratio"]) == third["domains"]["account=default"]


def test_the_oldest_gap_is_the_one_that_expiring_names(live, prom, standin):
    """A window that fails is a gap: its points, its end, and the failure are told."""
    domain = standin.domains("pull")[0]
    live("backfill", "--start", "2025-12-28", "--engine", "direct", as_of=NIGHT)
    standin.faults([{"kind": "not_json", "operation": "traffic", "domain": domain, "times": 1}])
    run = live.json("backfill", "--end", "2025-12-28", "--engine", "direct", as_of=NIGHT)
    assert run["exit_code"] == 4, "its first point expires within 48 hours"
    said = figures(prom)
    (gap,) = live.json("expiring", "--within", "90d", as_of=NIGHT)["gaps"]
    expires = to_seconds(at(gap["expires_at"]))
    assert said["oldest_gap_expires_timestamp_seconds"]["account=default"] == expires
    left = said["oldest_gap_expires_seconds"]["account=default"]
    assert left == pytest.approx(expires - to_seconds(at(NIGHT)), abs=120)
    missing = (to_seconds(at(gap["end"])) - to_seconds(at(gap["start"]))) // 300
    assert said["missing_points"]["account=default"] == missing
    assert said["failed_slices_total"]["account=default"] == said["last_run_failed_slices"][""] == 1


def test_lost_points_are_counted(live, prom, standin):
    """What expired unread in a month without runs, to the point."""
    live.json("backfill", "--engine", "direct", as_of=NIGHT)
    month_later = later(NIGHT, days=120)
    standin.set_clock(at(month_later))
    run = live.json("nightly", "--engine", "direct", as_of=month_later)
    assert run["exit_code"] == 4
    seconds = sum(
        to_seconds(at(i["window_end"])) - to_seconds(at(i["window_start"])) for i in run["lost"]
    )
    assert figures(prom)["lost_points_total"]["account=default"] == seconds // 300 > 0


@pytest.mark.parametrize("damage", ["directory", "nonsense", "binary"])
def test_a_file_that_cannot_be_used_harms_no_run(live, prom, damage, monkeypatch):
    """One warning that names it; the run ends as it would without."""
    if damage == "directory":
        monkeypatch.setenv("LIVE_TRAFFIC_METRICS_FILE", str(prom.parent / "nowhere" / "night.prom"))
    else:
        prom.write_bytes(b"\xff\xfe" if damage == "binary" else b"live_traffic_rows_total{ 1 2 3\n")
    outcome = live("backfill", "--start", "2026-02-25", "--engine", "direct", as_of=NIGHT)
    assert outcome.code == 0
    assert "night.prom" in outcome.err
    if damage == "directory":
        assert "No such file" in outcome.err
        checks = {check["name"]: check for check in live.json("doctor")["checks"]}
        assert not checks["metrics"]["ok"]
        assert "LIVE_TRAFFIC_METRICS_FILE" in checks["metrics"]["message"]
    else:
        assert figures(prom)["runs_total"] == {"exit_code=0": 1}


def test_the_file_is_replaced_whole(live, prom):
    """Another file under the same name, and nothing left beside it."""
    live("backfill", "--start", "2026-02-25", "--engine", "direct", as_of=NIGHT)
    with prom.open() as before:
        live("nightly", "--engine", "direct", as_of=NIGHT)
        assert os.fstat(before.fileno()).st_nlink == 0, "readers keep the old one to its end"
    assert [path.name for path in prom.parent.glob("*night*")] == ["night.prom"]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_prometheus_accepts_the_file(live, prom):
    """Prometheus' own checker has nothing to say."""
    live("backfill", "--start", "2026-02-25", "--engine", "direct", as_of=NIGHT)
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=prom.read_bytes(), capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_the_alerts_do_what_they_say():
    """Prometheus' own unit tests of the rules, beside them."""
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed")
    done = subprocess.run(
        ["promtool", "test", "rules", "live-traffic.rules-test.yaml"],
        cwd=ROOT / "deploy/prometheus", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_rules_dashboard_and_page_name_the_figures_that_there_are():
    """No alert on a name that nobody writes, no figure that the page leaves out."""
    written = {*GAUGES, *(f"{name}_total" for name in COUNTERS)}
    page = (ROOT / "docs/how-do-i-watch-it.md").read_text()
    assert {name for name in written if f"`{name}`" in page} == written
    rules = (ROOT / "deploy/prometheus/live-traffic.rules.yaml").read_text()
    dashboard = (ROOT / "deploy/grafana/live-traffic.json").read_text()
    for text in (rules, dashboard):
        assert set(re.findall(r"live_traffic_(\w+)", text)) <= written
    alerts = set(re.findall(r"alert: (\w+)", rules))
    assert set(re.findall(r"`(LiveTraffic\w+)`", page)) == alerts
    tried = (ROOT / "deploy/prometheus/live-traffic.rules-test.yaml").read_text()
    assert {
        name for name in alerts if f"alertname: {name}" in tried or f'"{name}"' in tried
    } == alerts


def test_every_question_of_the_dashboard_can_be_asked(tmp_path):
    """Prometheus reads each expression."""
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed")
    panels = json.loads((ROOT / "deploy/grafana/live-traffic.json").read_text())["panels"]
    asked = [target["expr"] for panel in panels for target in panel["targets"]]
    rules = [{"record": f"r{n}", "expr": text} for n, text in enumerate(asked)]
    path = tmp_path / "rules.json"
    path.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run(
        ["promtool", "check", "rules", str(path)], capture_output=True, text=True, check=False
    )
    assert f"{len(asked)} rules found" in done.stdout, done.stderr
