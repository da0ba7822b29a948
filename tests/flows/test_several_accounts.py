"""Several accounts in one warehouse: side by side, and one that fails never stops the others."""

from pathlib import Path

import duckdb
import pytest

from extract.standin.server import Standin
from terminal import commands
from test_history_into_warehouse import at, later, stored

NIGHT = "2026-03-01T19:15:00Z"
ACCOUNT = """
[[accounts]]
name = "{name}"
endpoint = "{endpoint}"
project_id = "{project_id}"
{credentials}
"""


@pytest.fixture
def first():
    with Standin(domains=2, seed=1, now=at(NIGHT), requests_per_minute=0) as server:
        yield server


@pytest.fixture
def second():
    """Another tenant, with domains of other names."""
    with Standin(domains=0, seed=2, now=at(NIGHT), requests_per_minute=0) as server:
        for name in ("b1.example.com", "b2.example.com"):
            server.change_domain("create", name, at=at("2020-01-01T00:00:00Z"))
        yield server


def account(server: Standin, name: str, **changes: str) -> str:
    facts = {"name": name, **server.ready, "credentials": f'token = "{server.ready["token"]}"'}
    return ACCOUNT.format(**{**facts, **changes})


@pytest.fixture
def live(capsys, monkeypatch, tmp_path, first, second):
    """The command line with both accounts in live-traffic.toml and nothing in the environment."""
    line = commands(capsys, monkeypatch, first, tmp_path / "w")
    for name in ("ENDPOINT", "PROJECT_ID", "TOKEN"):
        monkeypatch.delenv(f"LIVE_TRAFFIC_{name}")
    configure(account(first, "one"), account(second, "two"))
    return line


def configure(*accounts: str) -> None:
    common = 'requests_per_minute = 100000\nendpoint = "http://127.0.0.1:9"\n'
    Path("live-traffic.toml").write_text(common + "\n".join(accounts))


def run(live, *arguments, instant=NIGHT):
    for server in (live.standin, live.second) if hasattr(live, "second") else (live.standin,):
        server.set_clock(at(instant))
    return live.json(*arguments, "--engine", "direct", as_of=instant)


def accounts_of(warehouse) -> dict[str, set[str]]:
    rows = duckdb.sql(
        "SELECT account, domain FROM"
        f" read_parquet('{warehouse}/load_ledger/*/*.parquet') GROUP BY ALL"
    ).fetchall()
    found: dict[str, set[str]] = {}
    for name, domain in rows:
        found.setdefault(name, set()).add(domain)
    return found


def test_each_account_reads_its_own_domains(live, second):
    """One run, one warehouse; the ledger says who was asked."""
    live.second = second
    summary = run(live, "nightly")
    assert summary["exit_code"] == 0, summary
    assert summary["failed_accounts"] == {}
    assert accounts_of(live.warehouse) == {
        "one": {"play001.example.com", "play002.example.com"},
        "two": {"b1.example.com", "b2.example.com"},
    }
    assert {item["account"] for item in summary["reconciliations"]} == {"one", "two"}
    assert len(stored(live.warehouse)) > 4 * 89 * 288
    for server in (live.standin, second):
        server.set_clock(None)
    names = {check["name"] for check in live.json("doctor")["checks"]}
    assert {"one: domains", "two: domains"} <= names


@pytest.mark.parametrize(
    "broken",
    [
        {"credentials": 'token = "wrong"'},
        {"credentials": ""},
        {"endpoint": "http://127.0.0.1:9"},
        {"project_id": "0" * 32},
    ],
    ids=["wrong token", "none", "unreachable", "foreign project"],
)
def test_one_failing_account_never_stops_the_others(live, first, second, broken):
    """Exit 5, the failing one named; everything of the other is there."""
    configure(account(first, "one", **broken), account(second, "two"))
    summary = run(live, "nightly")
    assert summary["exit_code"] == 5, summary
    assert set(summary["failed_accounts"]) == {"one"}
    assert set(accounts_of(live.warehouse)) == {"two"}
    assert "account one" in live("nightly", "--engine", "direct", as_of=NIGHT).out


def test_an_account_that_fails_half_way_does_not_stop_the_others(live, first, second):
    """Its token is revoked after the domain list: what the other has is read."""
    first.faults([{"kind": "status", "status": 401, "error_code": "LIVE.100011003",
                   "error_msg": "no", "operation": "traffic"}])  # fmt: skip
    summary = run(live, "nightly")
    assert summary["exit_code"] == 4, "what it could not read is soon forgotten"
    assert set(summary["failed_accounts"]) == {"one"}
    assert len(accounts_of(live.warehouse)["two"]) == 2


def test_an_account_that_fails_before_its_data_are_asked_for_does_not_stop_the_others(
    live, first, second
):
    """While it is found out which API serves its domains: the server's clock has jumped."""
    for server in (first, second):
        server.set_clock(None)
    first.faults([{"kind": "clock_skew", "seconds": 7200, "operation": "summary_v2", "times": 100}])
    summary = live.json("nightly", "--engine", "direct")
    assert set(summary["failed_accounts"]) == {"one"}, summary
    assert "clock" in summary["failed_accounts"]["one"]
    assert set(accounts_of(live.warehouse)) == {"two"}


def test_an_account_whose_sums_are_refused_does_not_stop_those_of_the_others(live, first, second):
    """Its token is revoked once everything is read; it is named, by ``reconcile`` too."""
    refusal = {"kind": "status", "status": 401, "error_code": "LIVE.100011003", "error_msg": "no",
               "operation": "traffic", "times": 100}  # fmt: skip
    slices = live.json("plan", as_of=NIGHT)["requests"] // 2
    first.faults([{**refusal, "after": slices}])
    summary = run(live, "nightly")
    assert summary["exit_code"] == 5, summary
    assert set(summary["failed_accounts"]) == {"one"}
    assert {row["account"] for row in summary["reconciliations"]} == {"two"}
    assert {name: len(domains) for name, domains in accounts_of(live.warehouse).items()} == {
        "one": 2,
        "two": 2,
    }
    assert live("reconcile", as_of=NIGHT).code == 2
    configure(account(first, "one", credentials=""), account(second, "two"))
    outcome = live("reconcile", as_of=NIGHT)
    assert (outcome.code, "Account one: No credentials" in outcome.err) == (2, True), outcome
    first.faults([])
    configure(account(first, "one"), account(second, "two"))
    assert live("reconcile", as_of=NIGHT).code == 0


def test_a_store_that_fails_ends_the_run_of_all_accounts(live):
    """It is the store's fault and no account's: one sentence that names the file, exit 1."""
    january = live.warehouse / "traffic" / "month=2026-01"
    assert run(live, "backfill", "--start", "2026-02-28")["exit_code"] == 0
    january.mkdir()
    (january / "data.parquet").write_text("damaged")
    failed = run(live, "nightly")
    assert failed["exit_code"] == 1, failed
    assert "month=2026-01" in failed["error"]["message"]
    january.rename(live.warehouse.parent / "aside")
    assert run(live, "nightly")["exit_code"] == 0


def test_where_every_account_fails_nothing_was_done(live, first, second):
    """The first reason, and its exit code."""
    wrong = {"credentials": 'token = "wrong"'}
    configure(account(first, "one", **wrong), account(second, "two", **wrong))
    assert run(live, "nightly")["exit_code"] == 2


def test_a_domain_that_two_accounts_list_must_be_pinned(live, first, second):
    """Nothing is guessed: exit 2 names the domain and the remedy; pinned, it is read once."""
    second.change_domain("create", "play001.example.com", at=at("2020-01-01T00:00:00Z"))
    outcome = live("nightly", "--engine", "direct", as_of=NIGHT)
    assert outcome.code == 2
    assert "play001.example.com is listed by two accounts, one and two" in outcome.err
    pinned = 'domains = ["play001.example.com", "b1.example.com"]'
    extra = f'token = "{second.ready["token"]}"\n{pinned}'
    configure(account(first, "one"), account(second, "two", credentials=extra))
    assert run(live, "nightly")["exit_code"] == 0
    assert accounts_of(live.warehouse) == {
        "one": {"play002.example.com"},
        "two": {"play001.example.com", "b1.example.com"},
    }


def test_a_domain_that_goes_to_another_account_keeps_its_past(live, first, second):
    """Deleted here, created there: the new account is never asked for what was before."""
    live.second = second
    run(live, "nightly")
    moved = later(NIGHT, hours=12)
    for server in (first, second):
        server.set_clock(at(moved))
    first.switches(deleted_domain="history")
    first.change_domain("delete", "play001.example.com")
    second.change_domain("create", "play001.example.com")
    second.clear_requests()
    summary = run(live, "nightly", instant=later(NIGHT, days=1))
    assert summary["exit_code"] == 0, summary
    asked = [e for e in second.requests("traffic") if e["domain"] == "play001.example.com"]
    assert asked
    assert min(e["start_time"] for e in asked) >= later(moved, minutes=-5)
    truth = first.truth("play001.example.com", at(later(NIGHT, days=-60)), at(moved))
    held = stored(live.warehouse)
    found = {moment: held.get(("play001.example.com", moment)) for moment in truth}
    assert found == truth


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[accounts]]\nregion = "cn-north-4"', "name"),
        ('[[accounts]]\nname = "a"\nreigon = "x"', "accounts"),
        ('[[accounts]]\nname = "a"\n[[accounts]]\nname = "a"', "Two"),
        ('token = "t"\n[[accounts]]\nname = "a"\ntoken = "x"', "both"),
        ('[[accounts]]\nname = "a"\nsk_file = "/nowhere"', "sk_file"),
        ('accounts = "a"', "accounts"),
        ('[[accounts]]\nname = "a"\ntoken = ["planted-secret"]', "token"),
    ],
)
def test_a_mistake_in_the_accounts_gets_one_sentence(live, text, said):
    """Exit 2, the setting named, no secret shown, no traceback."""
    Path("live-traffic.toml").write_text(text)
    outcome = live("nightly", "--engine", "direct")
    assert outcome.code == 2
    assert outcome.err.startswith("live-traffic: ")
    assert said in outcome.err
    assert "Traceback" not in outcome.err
    assert "planted-secret" not in outcome.err
