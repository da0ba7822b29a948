"""Stored sums against the source's own, and what changed after it was published."""

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from extract.standin.server import Standin
from flows.warehouse import sink_at
from livetraffic.window import from_seconds, to_seconds
from terminal import commands
from test_history_into_warehouse import at, later, stored

NIGHT = "2026-03-01T19:15:00Z"
OLD, HEAVY, NEW = "play001.example.com", "play002.example.com", "new001.example.com"
READING = ("traffic", "traffic_v2")
POINT = to_seconds(at("2026-02-20T12:00:00Z"))


@pytest.fixture
def standin():
    """Two old domains, one new one, one that moved; no quota."""
    with Standin(domains=2, now=at(NIGHT), services=True, requests_per_minute=0) as server:
        yield server


@pytest.fixture
def live(capsys, monkeypatch, standin, tmp_path):
    """Two windows back on each API, but where the whole reach is what a test is about."""
    monkeypatch.setenv("LIVE_TRAFFIC_REQUESTS_PER_MINUTE", "100000")
    shorten(monkeypatch)
    return commands(capsys, monkeypatch, standin, tmp_path / "w")


def shorten(monkeypatch) -> None:
    for name in ("RETENTION", "V2_RETENTION"):
        monkeypatch.setenv(f"LIVE_TRAFFIC_{name}", "45d")


def run(live, *arguments, instant=NIGHT):
    live.standin.set_clock(at(instant))
    return live.json(*arguments, "--engine", "direct", as_of=instant)


def spoil(live, change) -> None:
    """Rewrite February's file by another hand, as a bug or a bad disk would."""
    path = live.warehouse / "traffic" / "month=2026-02" / "data.parquet"
    table = pq.read_table(path, partitioning=None)
    pq.write_table(change(table), path, compression="zstd", store_schema=False)


def planted(table: pa.Table, domain: str) -> pa.Array:
    """Which row is the planted one."""
    stamp = pa.scalar(from_seconds(POINT), table.schema.field("timestamp").type)
    return pc.and_(pc.equal(table["domain"], domain), pc.equal(table["timestamp"], stamp))


def wrong(table: pa.Table, domain: str) -> pa.Table:
    """One value is another, by more than a month of rounding could be."""
    mine = planted(table, domain)
    values = pc.if_else(mine, pc.add(table["traffic_bytes"], 471_100), table["traffic_bytes"])
    return table.set_column(2, table.schema.field(2), values)


def missing(table: pa.Table, domain: str) -> pa.Table:
    """One row is not there."""
    return table.filter(pc.invert(planted(table, domain)))


def whole_reach(monkeypatch) -> None:
    for name in ("RETENTION", "V2_RETENTION"):
        monkeypatch.delenv(f"LIVE_TRAFFIC_{name}")


def tenant_totals(standin) -> int:
    return sum(1 for e in standin.requests("traffic") if e["domain"] is None)


def test_what_has_settled_is_compared_once_at_the_price_of_the_formula(live, standin, monkeypatch):
    """A year of v2 is 12 windows of 31 days, 90 days of v1 are 3 of 30; then only the new day.

    v2: one summary a window for up to a hundred domains with the same windows; the moved one has two
    windows of its own. v1: one total a window for each account.
    """
    whole_reach(monkeypatch)
    first = run(live, "nightly")
    assert first["exit_code"] == 0, first
    which_api = 1  # the summary that finds out which API serves what
    assert first["requests_by_operation"]["summary_v2"] == which_api + 12 + 2
    assert tenant_totals(standin) == 3
    found = first["reconciliations"]
    assert {item["state"] for item in found} == {"agrees"}
    assert {(item["kind"], item["domain"], item["source"]) for item in found} == {
        ("tenant", "*", "v1"), ("domain", NEW, "v2"), ("domain", "moved001.example.com", "v2"),
    }  # fmt: skip
    assert all(item["difference_bytes"] == 0 for item in found)
    standin.clear_requests()
    second = run(live, "nightly", instant=later(NIGHT, days=1))
    assert second["exit_code"] == 0
    assert len(second["reconciliations"]) == 3
    assert second["requests_by_operation"]["summary_v2"] == 1, "both v2 domains in one request"
    assert tenant_totals(standin) == 1
    third = run(live, "nightly", instant=later(NIGHT, days=1))
    assert third["reconciliations"] == [], "nothing has settled since"
    assert len(sink_at(str(live.warehouse)).reconciliations()) == len(found) + 3


@pytest.mark.parametrize("domain", [OLD, NEW])
@pytest.mark.parametrize("change", [wrong, missing])
def test_one_planted_row_is_found_read_again_and_mended(live, domain, change):
    """A wrong or missing row: found by the sums, read once more, exit 0; the change is a revision."""
    run(live, "nightly")
    truth = stored(live.warehouse)
    value = truth[domain, from_seconds(POINT)]
    spoil(live, lambda table: change(table, domain))
    assert stored(live.warehouse) != truth
    outcome = live.json("reconcile", as_of=NIGHT)
    assert outcome["exit_code"] == 0, [
        i for i in outcome["reconciliations"] if i["state"] != "agrees"
    ]
    mended = [item for item in outcome["reconciliations"] if item["detail"]]
    assert len(mended) == 1
    assert mended[0]["state"] == "agrees"
    assert "read again" in mended[0]["detail"]
    assert stored(live.warehouse) == truth
    changed = live.json("revisions", "--since", "1d", as_of=NIGHT)["revisions"]
    wanted = [(domain, value + 471_100, value)] if change is wrong else []
    assert [(row["domain"], row["old_bytes"], row["new_bytes"]) for row in changed] == wanted


@pytest.mark.parametrize("domain", [OLD, NEW])
def test_a_doubled_row_is_found_and_stays_found(capsys, monkeypatch, standin, domain):
    """What reading again cannot mend ends with exit 3: a row that stands twice in a DuckDB file.

    It is read again once, not for ever.
    """
    monkeypatch.setenv("LIVE_TRAFFIC_REQUESTS_PER_MINUTE", "100000")
    shorten(monkeypatch)
    live = commands(capsys, monkeypatch, standin, Path("unused"))
    file = Path("w.duckdb").absolute()
    monkeypatch.setenv("LIVE_TRAFFIC_WAREHOUSE", f"duckdb:///{file}")
    run(live, "nightly")
    with duckdb.connect(str(file)) as connection:
        connection.execute(
            "INSERT INTO traffic SELECT * FROM traffic"
            f" WHERE domain = '{domain}' AND epoch(timestamp) = {POINT}"
        )
    standin.clear_requests()
    outcome = live.json("reconcile", as_of=NIGHT)
    assert outcome["exit_code"] == 3
    (differs,) = [item for item in outcome["reconciliations"] if item["state"] != "agrees"]
    assert (differs["domain"], differs["state"]) == (domain if domain == NEW else "*", "differs")
    assert differs["difference_bytes"] < 0
    again = [e for e in standin.requests() if e["domain"] and e["operation"] in READING]
    served = {OLD, HEAVY} if domain == OLD else {NEW}
    assert sorted(e["domain"] for e in again) == sorted(served), "one window of each, once"
    named = "account default" if domain == OLD else NEW
    assert f"differs  {named}" in live("reconcile", as_of=NIGHT).out


def test_rounding_is_not_reported(live, standin, monkeypatch):
    """A byte a point is rounding, unless none is allowed."""
    run(live, "nightly")
    day = {"start": at("2026-02-20T00:00:00Z"), "end": at("2026-02-21T00:00:00Z")}
    points = standin.truth(NEW, day["start"], day["end"])
    for moment, value in points.items():
        standin.restate(NEW, timestamp=moment, traffic=value + 1)
    outcome = live.json("reconcile", as_of=NIGHT)
    assert outcome["exit_code"] == 0, [
        i for i in outcome["reconciliations"] if i["state"] != "agrees"
    ]
    states = {
        i["state"]: i["detail"] for i in live.json("reconcile", as_of=NIGHT)["reconciliations"]
    }
    assert states == {"agrees": ""}, "nothing was read again either"
    monkeypatch.setenv("LIVE_TRAFFIC_RECONCILE_TOLERANCE", "0")
    strictly = live.json("reconcile", as_of=NIGHT)["reconciliations"]
    (found,) = [item for item in strictly if item["detail"]]
    assert (found["domain"], found["state"]) == (NEW, "agrees")
    assert "read again" in found["detail"]


def test_traffic_of_domains_that_are_not_kept_is_named(live, monkeypatch):
    """The account served more than its kept domains did: exit 3 of reconcile, not of nightly."""
    monkeypatch.setenv("LIVE_TRAFFIC_DOMAINS", OLD)
    assert run(live, "nightly")["exit_code"] == 0
    outcome = live.json("reconcile", as_of=NIGHT)
    assert outcome["exit_code"] == 3
    (untracked,) = {i["state"] for i in outcome["reconciliations"]}
    assert untracked == "untracked"
    assert all(item["difference_bytes"] > 0 for item in outcome["reconciliations"])
    named = f"not kept: moved001.example.com, {NEW}, {HEAVY}"
    assert all(named in item["detail"] for item in outcome["reconciliations"])
    assert "served more" in live("reconcile", as_of=NIGHT).out


def test_a_deleted_domain_still_counts_where_it_was_read(live, standin):
    """The account's total holds its past: what is kept of it is part of the sum."""
    run(live, "nightly")
    standin.set_clock(at(later(NIGHT, hours=1)))
    standin.change_domain("delete", HEAVY)
    second = run(live, "nightly", instant=later(NIGHT, days=1))
    assert second["gone"] == [HEAVY]
    found = live.json("reconcile", "--end", "2026-02-28", as_of=later(NIGHT, days=1))
    assert found["exit_code"] == 0, found
    assert {item["state"] for item in found["reconciliations"]} == {"agrees"}


def test_a_source_that_does_not_answer_is_no_agreement(live, standin):
    """The command fails with one sentence; nightly keeps what it read and compares the next night."""
    standin.faults([{"kind": "not_json", "operation": "summary_v2", "after": 1}])
    first = run(live, "nightly")
    assert first["exit_code"] == 0
    assert {item["kind"] for item in first["reconciliations"]} == {"tenant"}
    refused = live("reconcile", as_of=NIGHT)
    assert refused.code == 1
    assert refused.err.startswith("live-traffic: ")
    standin.faults([])
    second = run(live, "nightly")
    assert {item["kind"] for item in second["reconciliations"]} == {"domain"}
    one = live.json("reconcile", "--domain", NEW, as_of=NIGHT)
    assert {item["domain"] for item in one["reconciliations"]} == {NEW}


def test_holes_do_not_multiply_the_requests(live, standin):
    """Idle periods that are left out cut the settled time into hundreds of stretches: whole days are
    compared, when they have settled whole.
    """
    standin.switches(idle="omit")
    first = run(live, "nightly")
    assert first["requests_by_operation"]["summary_v2"] <= 1 + 2 + 1
    second = run(live, "nightly", instant=later(NIGHT, days=1))
    assert second["exit_code"] == 0
    assert second["requests_by_operation"]["summary_v2"] <= 1 + 2 + 2
    assert {item["state"] for item in second["reconciliations"]} == {"agrees"}
    third = run(live, "nightly", instant=later(NIGHT, days=2))
    assert third["requests_by_operation"]["summary_v2"] <= 2


def test_it_can_be_switched_off(live, monkeypatch):
    """Then nightly sends nothing for it."""
    monkeypatch.setenv("LIVE_TRAFFIC_RECONCILE", "false")
    summary = run(live, "nightly")
    assert summary["reconciliations"] == []
    assert None not in {e["domain"] for e in live.standin.requests("traffic")}


def test_a_restatement_has_a_reason_and_shows_among_the_revisions(live, standin):
    """Forced reading finds what changed long after it settled; the ledger says why it was read."""
    run(live, "backfill")
    moment = from_seconds(POINT)
    before = standin.truth(HEAVY, moment, from_seconds(POINT + 300))[moment]
    standin.restate(HEAVY, timestamp=moment, traffic=before + 1_000_000)
    arguments = ("--start", "2026-02-20", "--end", "2026-02-21", "--domain", HEAVY, "--force")
    later_on = later(NIGHT, days=1)
    summary = run(live, "backfill", *arguments, "--reason", "ticket 4711; agreed", instant=later_on)
    assert summary["updated"] == 1
    (revision,) = live.json("revisions", "--since", "2d", as_of=later_on)["revisions"]
    assert (revision["domain"], revision["old_bytes"]) == (HEAVY, before)
    assert revision["new_bytes"] == before + 1_000_000
    assert revision["timestamp"] == "2026-02-20T12:00:00Z"
    assert revision["run_id"] == summary["run_id"]
    assert live.json("revisions", "--since", later_on[:10], as_of=later(NIGHT, days=3))["revisions"]
    assert live.json("revisions", "--since", "1d", as_of=later(NIGHT, days=3))["revisions"] == []
    assert "+1,000,000" in live("revisions", "--since", "2d", as_of=later_on).out
    rows = duckdb.sql(
        f"SELECT DISTINCT detail FROM read_parquet('{live.warehouse}/load_ledger/*/*.parquet')"
        f" WHERE run_id = '{summary['run_id']}' AND detail LIKE '%restatement%'"
    ).fetchall()
    assert "restatement: ticket 4711, agreed" in rows[0][0]


def test_doctor_probes_what_the_source_allows(live, standin, monkeypatch):
    """As set: said so. Otherwise the true figures, what to set, exit 3; never more than 12 requests."""
    whole_reach(monkeypatch)
    run(live, "backfill", "--start", "2026-02-20")
    monkeypatch.setenv("LIVE_TRAFFIC_STATE", str(live.warehouse / "s"))
    standin.set_clock(None)
    well = live.json("doctor", "--probe")
    found = {c["name"]: c for c in well["checks"]}
    assert "90 days back, 30 days a request, idle periods are zeros" in found["probe v1"]["message"]
    assert "365 days back, 31 days a request" in found["probe v2"]["message"]
    assert well["exit_code"] == 0, well
    standin.switches(look_back="60d", profile="2021", idle="omit", v2_per_minute=0)
    standin.clear_requests()
    ill = live.json("doctor", "--probe")
    found = {c["name"]: c["message"] for c in ill["checks"]}
    assert ill["exit_code"] == 3
    assert "60 days back" in found["probe v1"]
    assert "Set LIVE_TRAFFIC_RETENTION to 60d" in found["probe v1"]
    assert "are left out" in found["probe v1"]
    assert "Set LIVE_TRAFFIC_V2_RETENTION to" in found["probe v2"]
    assert len(standin.requests("traffic")) <= 12
    assert len(standin.requests("traffic_v2")) <= 12
