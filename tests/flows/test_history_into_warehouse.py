"""The whole way against the stand-in; the warehouse is read back with plain DuckDB, not through us."""

from datetime import datetime, timedelta

import duckdb
import pytest

from extract.standin.server import Standin
from livetraffic.limits import V1
from livetraffic.window import from_seconds
from terminal import commands
from tests import source

STEP = 300
NIGHT = "2026-03-01T19:15:00Z"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def later(text: str, **delta: float) -> str:
    return (at(text) + timedelta(**delta)).strftime("%Y-%m-%dT%H:%M:%SZ")


def stored(warehouse, since: datetime | None = None) -> dict[tuple[str, datetime], int]:
    """Every row, or those from an instant on, by another road than the sink."""
    chosen = "" if since is None else f" WHERE timestamp >= TIMESTAMPTZ '{since.isoformat()}'"
    rows = duckdb.sql(
        f"SELECT domain, epoch(timestamp)::BIGINT, traffic_bytes "
        f"FROM read_parquet('{warehouse}/traffic/*/data.parquet'){chosen}"
    ).fetchall()
    assert len({(d, t) for d, t, _ in rows}) == len(rows), "a key stands twice"
    return {(domain, from_seconds(second)): value for domain, second, value in rows}


def offered(standin: Standin, instant: str) -> dict[tuple[str, datetime], int]:
    """What the source offers, by moment."""
    found = source.offered(standin, instant).items()
    return {(domain, from_seconds(second)): value for (domain, second), value in found}


@pytest.fixture
def standin():
    """A stand-in whose clock stands still."""
    with Standin(domains=6, now=at(NIGHT)) as server:
        yield server


@pytest.fixture
def night():
    return NIGHT


def run(live, *arguments, instant):
    live.standin.set_clock(at(instant))
    return live.json(*arguments, "--engine", "direct", as_of=instant)


def test_fifty_domains_and_ninety_days_equal_the_source_point_by_point(
    capsys, monkeypatch, tmp_path
):
    """Exactly 50 x 3 requests; a second run right after asks for nothing that is settled."""
    with Standin(domains=51, now=at(NIGHT), requests_per_minute=0) as standin:
        live = commands(capsys, monkeypatch, standin, tmp_path / "w")
        monkeypatch.setenv("LIVE_TRAFFIC_REQUESTS_PER_MINUTE", "100000")
        pull = standin.domains("pull")
        plan = live.json("plan", as_of=NIGHT)
        summary = live.json("backfill", "--engine", "direct", as_of=NIGHT)
        asked = standin.requests("traffic")

        assert summary["exit_code"] == 0
        assert summary["failed"] == summary["lost"] == []
        assert plan["requests"] == len(asked) == len(pull) * 3
        # v2's summary of the last month for all, of the eleven before for the one that is idle.
        assert summary["requests_by_operation"] == {"traffic": len(pull) * 3, "summary_v2": 12}
        assert len(standin.requests("domains")) == 2, "one for the plan, one for the run"
        assert stored(live.warehouse) == offered(standin, NIGHT)
        assert summary["inserted"] == summary["rows_fetched"] == len(stored(live.warehouse))

        standin.clear_requests()
        again = live.json("backfill", "--engine", "direct", as_of=NIGHT)
        settled_until = later(NIGHT, hours=-24, minutes=-10)
        assert again["inserted"] == again["updated"] == 0
        assert again["requests_by_operation"] == {"traffic": len(pull), "summary_v2": 1}
        assert all(item["start_time"] >= settled_until for item in standin.requests("traffic"))


def test_once_all_is_settled_nothing_is_asked(live, night):
    """A range whose points are all a day old is settled by one read."""
    arguments = ("backfill", "--start", "2026-02-01", "--end", "2026-02-08")
    first = run(live, *arguments, instant=night)
    second = run(live, *arguments, instant=night)
    assert first["requests_by_operation"] == {"traffic": 5, "summary_v2": 12}
    assert second["requests"] == 0
    assert second["complete_until"] == "2026-02-07T16:00:00Z"


def test_a_change_of_window_size_asks_for_nothing_again(live, night, monkeypatch):
    """The ledger knows time, not requests."""
    arguments = ("backfill", "--start", "2026-01-01", "--end", "2026-02-15")
    run(live, *arguments, instant=night)
    monkeypatch.setenv("LIVE_TRAFFIC_SPAN", "7d")
    assert run(live, *arguments, instant=night)["requests"] == 0
    assert live.json("plan", *arguments[1:], as_of=night)["requests"] == 0


def test_eleven_missed_nights_are_closed_by_one(live, night):
    """An outage shorter than the retention needs no special case."""
    run(live, "nightly", instant=night)
    tonight = later(night, days=11)
    summary = run(live, "nightly", instant=tonight)
    assert summary["exit_code"] == 0
    assert summary["lost"] == []
    offer = offered(live.standin, tonight)
    held = stored(live.warehouse)
    assert {key: held.get(key) for key in offer} == offer


def test_a_hundred_missed_nights_lose_what_expired_and_say_so(live, night):
    """Announced by ``expiring`` beforehand, lost by name afterwards, never asked for."""
    run(live, "nightly", instant=night)
    warned = live.json("expiring", "--within", "14d", as_of=later(night, days=80))
    assert warned["exit_code"] == 4
    first_gap = min(gap["start"] for gap in warned["gaps"])
    assert first_gap == "2026-03-01T19:00:00Z"
    assert live.json("expiring", "--within", "14d", as_of=later(night, days=70))["exit_code"] == 0

    tonight = later(night, days=100)
    live.standin.clear_requests()
    summary = run(live, "nightly", instant=tonight)
    assert summary["exit_code"] == 4
    lost = {(item["domain"], item["window_start"], item["window_end"]) for item in summary["lost"]}
    edge = V1.edge(int(at(tonight).timestamp()), STEP)
    assert {start for _, start, _ in lost} == {"2026-03-01T19:00:00Z"}
    assert {end for _, _, end in lost} == {from_seconds(edge).strftime("%Y-%m-%dT%H:%M:%SZ")}
    assert len(lost) == 5
    limit = later(tonight, days=-90)
    assert all(item["start_time"] >= limit for item in live.standin.requests("traffic"))
    assert all(item["status"] == 200 for item in live.standin.requests("traffic"))

    shown = live.json("coverage", as_of=tonight)["intervals"]
    named = {(i["domain"], i["start"], i["end"]) for i in shown if i["state"] == "lost"}
    assert named == lost
    assert run(live, "nightly", instant=tonight)["lost"] == [], "noted once"


def test_what_was_read_before_a_long_outage_is_not_called_lost_after_it(live, night, monkeypatch):
    """A night looks at the ledger as far back as the source reaches, and further if none did so since."""
    monkeypatch.setenv("LIVE_TRAFFIC_API", "v1")
    run(live, "nightly", instant=night)
    run(live, "nightly", instant=later(night, days=20))
    tonight = later(night, days=105)
    summary = run(live, "nightly", instant=tonight)
    assert summary["lost"] == []
    assert summary["exit_code"] == 0
    shown = live.json("coverage", as_of=tonight)["intervals"]
    assert "lost" not in {interval["state"] for interval in shown}


@pytest.mark.parametrize("days", [-40, 40, 4000])
def test_a_wrong_clock_marks_nothing_lost(live, night, days):
    """Our clock disagrees with the server's: one sentence, nothing written, nothing lost."""
    run(live, "nightly", instant=night)
    before = stored(live.warehouse)
    live.standin.set_clock(at(night))
    outcome = live("nightly", "--engine", "direct", "--json", as_of=later(night, days=days))
    assert outcome.code == 1
    assert "clock" in outcome.document["error"]["message"]
    assert stored(live.warehouse) == before
    shown = live.json("coverage", as_of=night)["intervals"]
    assert {i["state"] for i in shown} == {"complete", "provisional"}


def test_values_that_change_are_updated_and_kept_as_revisions(live, night):
    """What the source last said is stored; what it said before is in traffic_revisions."""
    domain = "play001.example.com"
    run(live, "nightly", instant=night)
    moment = at("2026-03-01T12:00:00Z")
    old = stored(live.warehouse)[domain, moment]
    live.standin.restate(domain, timestamp=moment, traffic=old + 7)
    summary = run(live, "nightly", instant=later(night, hours=1))
    assert summary["updated"] == 1
    assert stored(live.warehouse)[domain, moment] == old + 7
    revisions = duckdb.sql(
        f"SELECT domain, old_bytes, new_bytes FROM "
        f"read_parquet('{live.warehouse}/traffic_revisions/*/data.parquet')"
    ).fetchall()
    assert revisions == [(domain, old, old + 7)]


def test_force_reads_settled_windows_again(live, night):
    """A restatement finds what changed after it had settled."""
    domain = "play001.example.com"
    window = ("backfill", "--start", "2026-02-01", "--end", "2026-02-08", "--domain", domain)
    run(live, *window, instant=night)
    moment = at("2026-02-03T12:00:00Z")
    live.standin.restate(domain, timestamp=moment, traffic=123)
    assert run(live, *window, instant=night)["requests"] == 0
    summary = run(live, *window, "--force", instant=night)
    assert (summary["requests"], summary["updated"]) == (1, 1)
    assert stored(live.warehouse)[domain, moment] == 123


def test_a_misspelt_domain_is_gone_the_next_night_and_is_told_once(live, night):
    """It was due in three windows; that says nothing three times."""
    misspelt = "play01.example.com"
    assert run(live, "backfill", "--domain", misspelt, instant=night)["exit_code"] == 5
    summary = run(live, "nightly", instant=later(night, days=1))
    assert summary["gone"] == [misspelt]


def test_a_domain_deleted_at_noon_still_has_its_morning(live, night):
    """It is asked up to the list that missed it, then recorded as gone and not asked again."""
    domain = "play001.example.com"
    run(live, "nightly", instant=night)
    live.standin.switches(unknown_domain="empty")
    live.standin.set_clock(at(later(night, hours=17)))
    live.standin.change_domain("delete", domain)
    tomorrow = later(night, days=1)
    first = run(live, "nightly", instant=tomorrow)
    assert first["exit_code"] == 0
    live.standin.switches(unknown_domain="400")
    second = run(live, "nightly", instant=later(night, days=2))
    assert second["exit_code"] == 0
    assert second["gone"] == [domain]
    assert second["failed"] == []
    live.standin.clear_requests()
    run(live, "nightly", instant=later(night, days=3))
    assert domain not in {item["domain"] for item in live.standin.requests("traffic")}


def test_a_new_domain_is_due_from_the_retention_edge(live, night):
    """What appears in the list is wanted whole; nothing else is asked again for it."""
    run(live, "nightly", instant=night)
    live.standin.set_clock(at(later(night, hours=12)))
    live.standin.change_domain("create", "new.example.com")
    live.standin.clear_requests()
    summary = run(live, "nightly", instant=later(night, days=1))
    assert summary["exit_code"] == 0
    asked = [i for i in live.standin.requests("traffic") if i["domain"] == "new.example.com"]
    assert len(asked) == 3
    assert run(live, "nightly", instant=later(night, days=3))["exit_code"] == 0
    quiet = run(live, "nightly", instant=later(night, days=4))
    assert quiet["requests_by_operation"] == {"traffic": 6 + 1, "summary_v2": 1}, (
        "one window a domain, one for the tenant's total"
    )


def test_a_slice_that_fails_leaves_the_others_committed(live, night):
    """Exit 5; the failed window stays due and the next run reads it."""
    domain = "play002.example.com"
    live.standin.faults([{"kind": "not_json", "domain": domain, "operation": "traffic"}])
    summary = run(live, "backfill", "--start", "2026-01-01", instant=night)
    assert summary["exit_code"] == 5
    assert {item["domain"] for item in summary["failed"]} == {domain}
    assert "quarantine" in summary["failed"][0]["error"]
    held, offer = stored(live.warehouse), offered(live.standin, night)
    assert {key[0] for key in held} == {key[0] for key in offer} - {domain}
    assert all(offer[key] == value for key, value in held.items())
    urgent = run(live, "nightly", instant=night)
    assert urgent["exit_code"] == 4, "the oldest of it is forgotten within 48 hours"
    assert {item["domain"] for item in urgent["expiring"]} == {domain}
    live.standin.faults([])
    assert run(live, "nightly", instant=night)["exit_code"] == 0
    assert stored(live.warehouse) == offer


def test_a_short_answer_deletes_nothing_and_stays_due(live, night):
    """Points that vanish from a later answer stay here; the hole is named."""
    run(live, "nightly", instant=night)
    before = stored(live.warehouse)
    live.standin.faults([{"kind": "drop_points", "every": 3, "operation": "traffic"}])
    summary = run(live, "nightly", instant=later(night, minutes=30))
    assert summary["missing_points"] > 0
    held = stored(live.warehouse)
    assert {key: held[key] for key in before} == before
    live.standin.faults([])
    run(live, "nightly", instant=later(night, minutes=30))
    offer = offered(live.standin, later(night, minutes=30))
    held = stored(live.warehouse)
    assert {key: held[key] for key in offer} == offer


def test_a_source_that_omits_idle_points_settles_after_two_reads(live, night):
    """Absent twice, old enough both times: settled as idle; no row is invented."""
    live.standin.switches(idle="omit")
    arguments = ("backfill", "--start", "2026-02-01", "--end", "2026-02-08")
    first = run(live, *arguments, instant=night)
    assert first["missing_points"] > 0
    second = run(live, *arguments, instant=night)
    assert second["exit_code"] == 0
    assert run(live, *arguments, instant=night)["requests"] == 0
    assert 0 not in stored(live.warehouse).values()
    shown = live.json("coverage", "--start", "2026-02-01", "--end", "2026-02-08", as_of=night)
    assert {item["state"] for item in shown["intervals"]} == {"complete"}


def test_a_start_behind_the_edge_is_out_of_reach_and_not_lost(live, night):
    """A wish is not a loss."""
    plan = live.json(
        "plan", "--start", "2025-01-01", "--domain", "play001.example.com", as_of=night
    )
    assert plan["lost"] == []
    assert [item["window_start"] for item in plan["out_of_reach"]] == ["2024-12-31T16:00:00Z"]
    assert plan["requests"] == 3


def test_a_bug_in_one_slice_does_not_cost_the_others(live, night, monkeypatch):
    """The slice fails with a sentence; the rest of the batch is committed."""
    import flows.loader

    def broken(api, domain, window, **facts):
        if domain == "play002.example.com":
            raise ZeroDivisionError
        return read_slice(api, domain, window, **facts)

    read_slice = flows.loader.read_slice
    monkeypatch.setattr(flows.loader, "read_slice", broken)
    summary = run(live, "backfill", "--start", "2026-02-01", instant=night)
    assert summary["exit_code"] == 5
    assert {item["domain"] for item in summary["failed"]} == {"play002.example.com"}
    assert "ZeroDivisionError" in summary["failed"][0]["error"]
    assert {domain for domain, _ in stored(live.warehouse)} == set(live.standin.domains("pull")) - {
        "play002.example.com"
    }
