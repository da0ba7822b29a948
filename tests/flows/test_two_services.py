"""Domains on the old service, on the new one, and moved between them: asked where they are served."""

import dataclasses
from datetime import datetime, timedelta

import duckdb
import pytest

from extract.standin.server import Standin
from livetraffic.limits import V1, V2
from livetraffic.window import DAY, from_seconds, to_seconds
from terminal import commands
from test_history_into_warehouse import at, later, stored

STEP = 300
SHORTER = {"v1": V1, "v2": dataclasses.replace(V2, retention=120 * DAY)}
"""Where the year itself is not what a test is about."""
NIGHT = "2026-03-01T19:15:00Z"
OLD, NEW, MOVED = "play001.example.com", "new001.example.com", "moved001.example.com"


@pytest.fixture
def standin():
    """One old domain, one new one since 2020, one that moved forty days ago."""
    with Standin(domains=1, now=at(NIGHT), services=True, requests_per_minute=0) as server:
        yield server


@pytest.fixture
def live(capsys, monkeypatch, standin, tmp_path):
    monkeypatch.setenv("LIVE_TRAFFIC_REQUESTS_PER_MINUTE", "100000")
    monkeypatch.setenv("LIVE_TRAFFIC_V2_RETENTION", "120d")
    return commands(capsys, monkeypatch, standin, tmp_path / "w")


def run(live, *arguments, instant=NIGHT):
    live.standin.set_clock(at(instant))
    return live.json(*arguments, "--engine", "direct", as_of=instant)


def sources(warehouse) -> dict[tuple[str, str], tuple[datetime, datetime, int]]:
    """First, last and number of rows by domain and source, by DuckDB itself."""
    rows = duckdb.sql(
        "SELECT domain, source, epoch(min(timestamp)), epoch(max(timestamp)), count(*)"
        f" FROM read_parquet('{warehouse}/traffic/*/*.parquet') GROUP BY ALL"
    ).fetchall()
    return {(d, s): (from_seconds(int(a)), from_seconds(int(b)), n) for d, s, a, b, n in rows}


def domains(warehouse) -> dict[str, tuple]:
    rows = duckdb.sql(
        "SELECT domain, api, epoch(moved_at), previous_api"
        f" FROM read_parquet('{warehouse}/domains.parquet')"
    ).fetchall()
    return {name: rest for name, *rest in rows}


def truth(standin, instant=NIGHT, reaches=SHORTER) -> dict[tuple[str, datetime], int]:
    """What both APIs offer at an instant, each for the time that it serves."""
    now = to_seconds(at(instant))
    found = {}
    for name in standin.domains("pull"):
        for source, limits in reaches.items():
            reach = limits.reach(now, STEP)
            served = standin.world.domains.get(name).served(source)
            if served is None:
                continue
            said = standin.truth(name, reach.starts_at, reach.ends_at, service=source)
            found |= {(name, moment): value for moment, value in said.items()}
    return found


def test_each_domain_is_read_from_the_api_that_serves_it(live, standin, monkeypatch):
    """v1 = 90 days, v2 = 365; the moved one has both, split at the move. Requests by the formula:

    one domain list; one summary for all three; one look into v1's past for each v2 domain that was
    created within v1's retention; then domains x ceil(days / span) for each API's own time.
    """
    monkeypatch.delenv("LIVE_TRAFFIC_V2_RETENTION")
    summary = run(live, "backfill")
    assert summary["exit_code"] == 0, summary
    now = to_seconds(at(NIGHT))
    moved = now // DAY * DAY - 40 * DAY
    first_v1 = from_seconds(V1.edge(now, STEP))
    first_v2 = from_seconds(V2.edge(now, STEP))
    last = from_seconds(V2.horizon(now, STEP) - STEP)
    found = sources(live.warehouse)
    assert {key: value[:2] for key, value in found.items()} == {
        (OLD, "v1"): (first_v1, last),
        (NEW, "v2"): (first_v2, last),
        (MOVED, "v1"): (first_v1, from_seconds(moved - STEP)),
        (MOVED, "v2"): (from_seconds(moved), last),
    }
    assert stored(live.warehouse) == truth(standin, reaches={"v1": V1, "v2": V2})
    assert domains(live.warehouse) == {
        OLD: ["v1", None, ""],
        NEW: ["v2", None, ""],
        MOVED: ["v2", float(moved), "v1"],
    }
    assert summary["requests_by_operation"] == {
        "traffic": 3 + 1 + 2,  # the old one; the look into the past; what v1 still has of the moved
        "traffic_v2": 12 + 2,
        "summary_v2": 1,
    }
    assert len(standin.requests("domains")) == 1

    shown = live.json("coverage", as_of=NIGHT)
    assert {item["state"] for item in shown["intervals"]} <= {"complete", "provisional"}
    days = {
        name: (last - min(at(i["start"]) for i in shown["intervals"] if i["domain"] == name)).days
        for name in (OLD, NEW, MOVED)
    }
    assert days == {OLD: 89, NEW: 364, MOVED: 89}, "90, 365 and both, less the hour of the margin"
    again = run(live, "backfill")
    assert again["requests_by_operation"] == {"traffic": 1, "traffic_v2": 2}, "what is unsettled"


def test_a_domain_that_moves_is_followed(live, standin):
    """Known on v1, then deleted and added on the new service: split at its new creation."""
    run(live, "nightly")
    standin.set_clock(at(later(NIGHT, hours=14)))
    standin.change_domain("move", OLD)
    moved = to_seconds(at(later(NIGHT, hours=14)))
    summary = run(live, "nightly", instant=later(NIGHT, days=1))
    assert summary["exit_code"] == 0, summary
    assert domains(live.warehouse)[OLD] == ["v2", float(moved), "v1"]
    held, offered = stored(live.warehouse), truth(standin, later(NIGHT, days=1))
    assert {key: held.get(key) for key in offered} == offered
    boundary = from_seconds(moved - moved % STEP)
    _, last_v1, _ = sources(live.warehouse)[OLD, "v1"]
    first_v2, _, _ = sources(live.warehouse)[OLD, "v2"]
    assert last_v1 < first_v2
    assert abs(first_v2 - boundary) <= timedelta(minutes=5)


@pytest.mark.parametrize("foreign", ["400", "404", "empty", "zero"])
def test_an_idle_domain_of_the_new_service_is_found_by_its_past(live, standin, foreign):
    """Idle for a month: the summary of the last month is silent, those before are not."""
    standin.switches(foreign_domain_v1=foreign)
    standin.change_domain("off", NEW, at=at(later(NIGHT, days=-60)))
    summary = run(live, "backfill")
    assert summary["exit_code"] == 0, summary
    assert domains(live.warehouse)[NEW][0] == "v2"
    held, offered = stored(live.warehouse), truth(standin)
    mine = {key: value for key, value in offered.items() if key[0] == NEW}
    assert {key: held.get(key) for key in mine} == mine


@pytest.mark.parametrize("idle", ["zero", "omit"])
@pytest.mark.parametrize("service", ["old", "new"])
def test_young_silent_deleted_and_recreated_domains_are_complete(
    live, standin, monkeypatch, idle, service
):
    """Younger than the window, idle for a hundred days, deleted and created again: complete on both
    APIs, whether idle periods are zeros or left out; no row is invented."""
    standin.switches(idle=idle, deleted_domain="history")
    # The stand-in forgets an earlier life, so its sums are smaller than what was read of it.
    monkeypatch.setenv("LIVE_TRAFFIC_RECONCILE", "false")
    lives = {"young.example.com": 10, "silent.example.com": 300, "again.example.com": 50}
    for name, days in lives.items():
        born = at(later(NIGHT, days=-days))
        standin.change_domain("create", name, at=born, service=service)
    standin.change_domain("off", "silent.example.com", at=at(later(NIGHT, days=-100)))
    nights = [later(NIGHT, days=days) for days in (0, 1, 2, 3)]
    run(live, "nightly", instant=nights[0])
    standin.change_domain("delete", "again.example.com", at=at(later(NIGHT, hours=2)))
    standin.change_domain(
        "create", "again.example.com", at=at(later(NIGHT, hours=9)), service=service
    )
    for night in nights[1:]:
        summary = run(live, "nightly", instant=night)
        assert summary["exit_code"] == 0, summary
        assert summary["lost"] == []
    # What was read once and expired before a second reading could tell idle from missing stays partial.
    shown = live.json(
        "coverage",
        "--start",
        later(NIGHT, days=-85),
        "--end",
        later(NIGHT, days=1),
        as_of=nights[-1],
    )
    mine = [item for item in shown["intervals"] if item["domain"] in lives]
    assert {item["domain"] for item in mine} == set(lives)
    assert not [item for item in mine if item["state"] != "complete"]
    held = stored(live.warehouse)
    assert idle == "zero" or 0 not in held.values()
    assert (
        held.items()
        >= {
            key: value for key, value in truth(standin, nights[-1]).items() if key[0] in lives
        }.items()
    )


def test_a_domain_that_no_api_knows_fails_and_is_asked_again(live, standin, monkeypatch):
    """A configured name that is wrong: exit 1, one sentence; and nothing is decided about it."""
    standin.switches(foreign_domain_v2="400")
    monkeypatch.setenv("LIVE_TRAFFIC_DOMAINS", f"{OLD},nobody.example.com")
    summary = run(live, "backfill", "--start", "2026-02-20")
    assert summary["exit_code"] == 5
    assert {item["domain"] for item in summary["failed"]} == {"nobody.example.com"}
    assert domains(live.warehouse)["nobody.example.com"][0] == ""
    assert domains(live.warehouse)[OLD][0] == "v1"


def test_an_api_can_be_pinned_for_all_or_for_one(live, standin, monkeypatch):
    """What the operator says is not questioned and costs no summary."""
    monkeypatch.setenv("LIVE_TRAFFIC_API", "v1")
    monkeypatch.setenv("LIVE_TRAFFIC_DOMAIN_APIS", f"{NEW}=v2")
    monkeypatch.setenv("LIVE_TRAFFIC_DOMAINS", f"{OLD},{NEW}")
    summary = run(live, "backfill")
    assert summary["exit_code"] == 0
    assert summary["requests_by_operation"] == {"traffic": 3, "traffic_v2": 4}
    assert {key for key, _ in sources(live.warehouse).items()} == {(OLD, "v1"), (NEW, "v2")}


def test_where_v2_may_not_be_asked_all_is_taken_to_be_on_v1(capsys, monkeypatch, tmp_path):
    """A refusal of the summaries costs one request; v1's data are read all the same."""
    with Standin(domains=3, now=at(NIGHT), requests_per_minute=0) as standin:
        live = commands(capsys, monkeypatch, standin, tmp_path / "w")
        refusal = {"kind": "status", "status": 404, "error_code": "APIGW.0101"}
        standin.faults([{**refusal, "operation": "summary_v2"}])
        summary = run(live, "backfill")
        assert summary["exit_code"] == 0
        assert summary["requests_by_operation"] == {"traffic": 9, "summary_v2": 1}
        assert domains(live.warehouse)["play003.example.com"][0] == "", "idle: nothing is known"


def test_a_summary_that_one_name_spoils_does_not_hide_the_others(live, standin):
    """v2 refuses requests that name a domain it does not have: v1's refusals tell instead."""
    standin.switches(foreign_domain_v2="400")
    summary = run(live, "backfill")
    assert summary["exit_code"] == 0, summary
    assert domains(live.warehouse)[NEW][0] == "v2"
    assert stored(live.warehouse).keys() >= {k for k in truth(standin) if k[0] in {OLD, NEW}}


def test_v1_zeros_are_replaced_by_what_v2_says_and_never_the_other_way(live, standin):
    """A domain whose v1 says zeros and that turns out to be on v2."""
    standin.switches(foreign_domain_v1="zero")
    standin.change_domain("off", NEW, at=at("2025-01-01T00:00:00Z"))
    summary = run(live, "nightly")
    assert summary["exit_code"] == 0
    assert domains(live.warehouse)[NEW][0] == "", "nothing is known of it"
    standin.change_domain("on", NEW, at=at(later(NIGHT, hours=1)))
    summary = run(live, "nightly", instant=later(NIGHT, days=1))
    assert summary["exit_code"] == 0
    assert domains(live.warehouse)[NEW][0] == "v2"
    held, offered = stored(live.warehouse), truth(standin, later(NIGHT, days=1))
    assert {key: held.get(key) for key in offered} == offered


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 403, "error_code": "APIGW.0302"},
        {"kind": "status", "status": 401, "error_code": "LIVE.100011003"},
        {"kind": "not_json"},
    ],
)
def test_v1_is_read_whatever_becomes_of_the_summaries(live, standin, fault):
    """What v1 has expires: a v2 that is down or forbidden holds nothing up; later nights catch up."""
    standin.faults([{**fault, "operation": "summary_v2"}])
    first = run(live, "backfill")
    assert first["exit_code"] == 4, "the new domain cannot be read, and its oldest hours expire"
    assert {item["domain"] for item in first["failed"]} == {NEW}
    held, offer = stored(live.warehouse), truth(standin)
    old = {key: value for key, value in offer.items() if key[0] == OLD}
    assert {key: held.get(key) for key in old} == old
    assert len(standin.requests("summary_v2")) == 1
    standin.faults([])
    for days in (1, 2):
        tonight = later(NIGHT, days=days)
        summary = run(live, "nightly", instant=tonight)
        assert summary["exit_code"] == 0, summary
    held, offer = stored(live.warehouse), truth(standin, tonight)
    assert {key: held.get(key) for key in offer} == offer


def test_a_try_that_was_killed_is_not_taken_for_knowledge(live, standin, monkeypatch):
    """v1 refuses the domain, v2 is tried, the run dies there: nothing is decided."""
    standin.switches(foreign_domain_v2="400")

    def dies(*_arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr("flows.serving.Serving.settled", dies)
        live("backfill", "--engine", "direct", as_of=NIGHT)
    assert domains(live.warehouse)[NEW][0] == ""
    assert run(live, "backfill")["exit_code"] == 0
    assert domains(live.warehouse)[NEW][0] == "v2"
