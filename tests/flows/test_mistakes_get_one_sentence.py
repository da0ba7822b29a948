"""A user's mistake: one clear sentence, the right exit code, nothing lost, no secret, no traceback."""

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from extract.standin.server import Standin
from flows.cli import main
from terminal import commands, settings_of

SECRET = "planted-SECRET-value-0123456789"


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch):
    """The waits between attempts are the transport's business, not this file's."""
    import extract.transport

    monkeypatch.setattr(extract.transport.Retries, "first", lambda *_: 0.001)


def refused(outcome, code, *words):
    """One or two sentences on standard error, an error document with --json, never a traceback."""
    assert outcome.code == code, outcome.err
    assert "Traceback" not in outcome.err + outcome.out
    text = outcome.err.splitlines()[-1] if outcome.err.strip() else outcome.out
    for word in words:
        assert word in outcome.err + outcome.out
    return text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["plan", "--start", "yesterday"], ["--start", "yesterday"]),
        (["plan", "--start", "2026-03-01T00:00:00"], ["--start", "offset"]),
        (["plan", "--start", "2026-03-02", "--end", "2026-03-01"], ["range is empty"]),
        (["plan", "--domain", "../etc/passwd"], ["../etc/passwd", "domain"]),
        (["plan", "--domain", "play.example.com;drop table"], ["domain"]),
        (["plan", "--timezone", "Mars/Olympus"], ["TIMEZONE", "Mars/Olympus"]),
        (["plan", "--step-minutes", "7"], ["STEP_MINUTES", "7"]),
        (["plan", "--settle-after", "a day"], ["SETTLE_AFTER", "a day"]),
        (["plan", "--requests-per-minute", "0"], ["REQUESTS_PER_MINUTE"]),
        (["plan", "--endpoint", "http://live.example.com"], ["https"]),
        (["plan", "--no-such-flag"], ["--no-such-flag"]),
        (["no-such-command"], ["no-such-command"]),
        (["expiring", "--within", "soon"], ["--within", "soon"]),
        (["sql", "DROP TABLE traffic"], []),
        (["sql", "SELECT 1", "--csv", "--json"], []),
        (["backfill", "--warehouse", "mysql://root@localhost/x"], ["WAREHOUSE", "mysql"]),
        (["backfill", "--lock-wait", "1 hour"], ["--lock-wait"]),
        (["backfill", "--engine", "celery"], ["engine"]),
        (["standin", "--switch", "idle"], ["idle"]),
        (["standin", "--now", "tomorrow"], ["--now"]),
        (["serve", "--cron", "every night"], ["--cron"]),
    ],
)
def test_a_wrong_argument_is_named(live, arguments, words):
    """Exit 2; what was wrong and the remedy."""
    run = (
        [*arguments, "--engine", "direct"]
        if arguments[0] == "backfill" and ("--engine" not in arguments)
        else arguments
    )
    outcome = live(*run)
    assert outcome.out == "" or "--json" in arguments
    refused(outcome, 2, *words)


@pytest.mark.parametrize(
    "endpoint",
    ["https://live.example.com", "https://127.example.com", "http://[127.0.0.1", ""],
)
@pytest.mark.parametrize(
    "command", [("nightly", "--engine", "direct"), ("reconcile",), ("fsck", "--repair")]
)
def test_simulated_time_is_written_only_for_an_endpoint_on_this_machine(
    live, monkeypatch, endpoint, command
):
    """A name may begin like an address of this machine."""
    monkeypatch.setenv("LIVE_TRAFFIC_ENDPOINT", endpoint)
    refused(live(*command, as_of="2026-03-01"), 2, "--as-of")
    assert not live.warehouse.exists()


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"LIVE_TRAFFIC_DOMAN": "a.example.com"}, ["LIVE_TRAFFIC_DOMAN", "LIVE_TRAFFIC_DOMAINS"]),
        ({"LIVE_TRAFFIC_IDLE": "maybe"}, ["LIVE_TRAFFIC_IDLE", "maybe"]),
        ({"LIVE_TRAFFIC_API": "v9"}, ["LIVE_TRAFFIC_API", "v9"]),
        ({"LIVE_TRAFFIC_TOKEN": ""}, ["No credentials"]),
        ({"LIVE_TRAFFIC_TOKEN": "", "LIVE_TRAFFIC_AK": "x"}, ["half"]),
        ({"LIVE_TRAFFIC_AK": "x", "LIVE_TRAFFIC_SK": SECRET}, ["Two kinds"]),
        (
            {"LIVE_TRAFFIC_TOKEN": "", "LIVE_TRAFFIC_TOKEN_FILE": "/no/such"},
            ["TOKEN_FILE", "/no/such"],
        ),
        ({"LIVE_TRAFFIC_CONFIG": "/no/such.toml"}, ["LIVE_TRAFFIC_CONFIG"]),
        ({"LIVE_TRAFFIC_SPAN": "7m"}, ["SPAN"]),
        ({"LIVE_TRAFFIC_RETENTION": "1h"}, ["RETENTION"]),
        ({"LIVE_TRAFFIC_ENDPOINT": ""}, ["REGION"]),
        ({"LIVE_TRAFFIC_ENDPOINT": "", "LIVE_TRAFFIC_REGION": "mars-1"}, ["mars-1", "cn-north-4"]),
        ({"LIVE_TRAFFIC_TOKEN": f"{SECRET} with spaces"}, ["token"]),
    ],
)
def test_a_wrong_setting_is_named(live, monkeypatch, variables, words):
    """Exit 2; the variable is in the sentence, a secret never is."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    outcome = live("backfill", "--engine", "direct")
    refused(outcome, 2, *words)
    assert SECRET not in outcome.err + outcome.out
    assert not live.warehouse.exists() or not list(live.warehouse.glob("traffic/**/*.parquet"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("warehose = 'x'", ["warehose", "warehouse"]),
        ("warehouse = ", ["live-traffic.toml", "TOML"]),
        ("step_minutes = 'five'", ["step_minutes", "five"]),
        ("sk_file = '/nowhere/sk'", ["sk_file in live-traffic.toml", "/nowhere/sk"]),
        ("sk = 'x'\nsk_file = 'y'", ["sk and sk_file are both set in live-traffic.toml"]),
    ],
)
def test_a_wrong_file_is_named(live, tmp_path, content, words):
    """Exit 2; the key and the file are in the sentence."""
    (tmp_path / "live-traffic.toml").write_text(content)
    refused(live("plan"), 2, *words)


def test_a_secret_of_the_wrong_kind_is_not_shown(live, tmp_path):
    """A list where text belongs: the key is named, what it holds is not."""
    (tmp_path / "live-traffic.toml").write_text(f"sk = ['{SECRET}']")
    outcome = live("plan")
    refused(outcome, 2, "setting sk")
    assert SECRET not in outcome.err + outcome.out


def test_the_file_may_name_the_files_of_secrets(tmp_path):
    """As the environment can; the value is a secret from there on."""
    from flows import settings

    (tmp_path / "live-traffic.toml").write_text("ak = 'AK'\nsk_file = 'sk.txt'")
    (tmp_path / "sk.txt").write_text(f"{SECRET}\n")
    loaded = settings.load()
    assert loaded.sk is not None
    assert loaded.sk.get_secret_value() == SECRET
    assert SECRET not in repr(loaded)


def test_the_order_is_flags_environment_file(live, tmp_path, monkeypatch):
    """The nearest wins."""
    from flows import settings

    (tmp_path / "live-traffic.toml").write_text("settle_after = '1h'\ndelay = '1m'\nspan = '2d'")
    monkeypatch.setenv("LIVE_TRAFFIC_SETTLE_AFTER", "2h")
    monkeypatch.setenv("LIVE_TRAFFIC_DELAY", "2m")
    loaded = settings.load({"settle_after": "3h"})
    assert (loaded.settle_after, loaded.delay, loaded.span) == (10800, 120, 172800)


def test_the_sdk_names_are_fall_backs_and_never_a_second_kind(live, monkeypatch):
    """Names that Huawei's SDK reads count only where ours are not set."""
    from flows import settings

    monkeypatch.setenv("HUAWEICLOUD_SDK_AK", "sdk-ak")
    monkeypatch.setenv("HUAWEICLOUD_SDK_SK", SECRET)
    assert settings.load().ak is None
    monkeypatch.setenv("LIVE_TRAFFIC_TOKEN", "")
    assert settings.load().ak.get_secret_value() == "sdk-ak"
    assert SECRET not in repr(settings.load())


@pytest.mark.parametrize("kind", ["token", "keys", "password"])
def test_wrong_credentials_stop_the_run_at_once(live, monkeypatch, kind):
    """Exit 2 after at most two refusals, so that nothing is locked; no secret is printed."""
    monkeypatch.delenv("LIVE_TRAFFIC_TOKEN")
    ready = live.standin.ready
    given = {
        "token": {"TOKEN": SECRET},
        "keys": {"AK": ready["ak"], "SK": SECRET},
        "password": {
            "USERNAME": ready["username"],
            "PASSWORD": SECRET,
            "ACCOUNT": ready["account"],
            "IAM_ENDPOINT": ready["iam_endpoint"],
        },
    }[kind]
    for name, value in given.items():
        monkeypatch.setenv(f"LIVE_TRAFFIC_{name}", value)
    outcome = live("backfill", "--engine", "direct", "--log-level", "debug")
    refused(outcome, 2)
    assert SECRET not in outcome.err + outcome.out
    assert len([r for r in live.standin.requests() if r["status"] == 401]) <= 2


@pytest.mark.parametrize("kind", ["token", "keys", "password"])
def test_each_kind_of_credentials_works(live, monkeypatch, kind):
    """Token, signed keys, and a password through IAM, without a configured project for the last."""
    ready = live.standin.ready
    monkeypatch.setenv("LIVE_TRAFFIC_IAM_ENDPOINT", ready["iam_endpoint"])
    if kind != "token":
        monkeypatch.delenv("LIVE_TRAFFIC_TOKEN")
    if kind == "keys":
        monkeypatch.setenv("LIVE_TRAFFIC_AK", ready["ak"])
        monkeypatch.setenv("LIVE_TRAFFIC_SK", ready["sk"])
    if kind == "password":
        monkeypatch.delenv("LIVE_TRAFFIC_PROJECT_ID")
        monkeypatch.setenv("LIVE_TRAFFIC_REGION", "cn-north-4")
        for name in ("username", "password", "account"):
            monkeypatch.setenv(f"LIVE_TRAFFIC_{name.upper()}", ready[name])
    summary = live.json("nightly", "--engine", "direct")
    assert summary["exit_code"] == 0, summary
    assert summary["slices"] == 15
    if kind == "token":
        assert not live.standin.requests("tokens"), "with a token and a project IAM is never called"


def test_a_wrong_project_is_named(live, monkeypatch):
    """Exit 2: the token belongs to another project."""
    monkeypatch.setenv("LIVE_TRAFFIC_PROJECT_ID", "0" * 32)
    refused(live("nightly", "--engine", "direct"), 2, "project")


def test_an_unreachable_host_is_named(live, monkeypatch):
    """Exit 1: the host, and that nothing was lost."""
    monkeypatch.setenv("LIVE_TRAFFIC_ENDPOINT", "http://127.0.0.1:9")
    refused(live("nightly", "--engine", "direct"), 1, "127.0.0.1:9")


def test_a_wrong_domain_is_named_and_the_others_are_read(live):
    """Exit 5; the unknown domain stays in the list of failures."""
    start = (datetime.now(UTC) - timedelta(days=20)).strftime("%Y-%m-%d")
    summary = live.json(
        "backfill", "--engine", "direct", "--start", start,
        "--domain", "play001.example.com", "--domain", "nobody.example.com",
    )  # fmt: skip
    assert summary["exit_code"] == 5
    assert [item["domain"] for item in summary["failed"]] == ["nobody.example.com"]
    assert summary["rows_fetched"] > 0
    assert not live.standin.requests("domains"), "configured domains need no list"


def test_a_full_quota_waits_and_is_never_crossed(capsys, monkeypatch, tmp_path):
    """The source's counter sees no more than the quota in any minute, and answers no 429."""
    with Standin(domains=6, requests_per_minute=300) as standin:
        live = commands(capsys, monkeypatch, standin, tmp_path / "w")
        assert live.json("nightly", "--engine", "direct")["exit_code"] == 0
        assert all(item["status"] == 200 for item in standin.requests())


@pytest.mark.parametrize("kind", ["file", "foreign", "readonly-parent"])
def test_a_wrong_warehouse_path_is_named(live, monkeypatch, tmp_path, kind):
    """A file, a directory that holds something else, a place that cannot be made."""
    target = tmp_path / "place"
    if kind == "file":
        target.write_text("not a directory")
    if kind == "foreign":
        target.mkdir()
        (target / "warehouse.json").write_text("{]")
    if kind == "readonly-parent":
        target = tmp_path / "place" / "inner"
        (tmp_path / "place").write_text("a file where a directory should be")
    monkeypatch.setenv("LIVE_TRAFFIC_WAREHOUSE", str(target))
    outcome = live("nightly", "--engine", "direct")
    assert outcome.code in (1, 2)
    refused(outcome, outcome.code, str(target))
    assert not live.standin.requests("traffic")


def test_another_step_or_zone_is_refused_with_the_remedy(live, monkeypatch):
    """Exit 2; nothing is asked and nothing written."""
    assert live("nightly", "--engine", "direct").code == 0
    live.standin.clear_requests()
    refused(live("nightly", "--engine", "direct", "--timezone", "UTC"), 2, "Asia/Shanghai", "UTC")
    refused(live("coverage", "--step-minutes", "60"), 2, "STEP_MINUTES")
    refused(live("plan", "--step-minutes", "60"), 2, "STEP_MINUTES")
    assert not live.standin.requests("traffic")


def test_errors_are_json_documents_with_json(live):
    """One document on stdout: code, message, remedy."""
    outcome = live("plan", "--start", "yesterday", "--json")
    assert outcome.code == 2
    assert outcome.document["error"].keys() == {"code", "message", "remedy"}
    assert outcome.document["error"]["code"] == "config"


@pytest.mark.parametrize("command", [("nightly", "--engine", "direct"), ("reconcile",)])
def test_a_second_run_is_told_who_holds_the_warehouse(live, command):
    """Exit 1 after --lock-wait, naming the holder."""
    assert live("nightly", "--engine", "direct").code == 0
    held = subprocess.Popen(
        [
            sys.executable, "-c",
            "import sys; from pathlib import Path; from load.parquet.sink import ParquetSink\n"
            "with ParquetSink(Path(sys.argv[1])).run_lock(wait=1, holder='run of another'):\n"
            "    print('held', flush=True); sys.stdin.read()",
            str(live.warehouse),
        ],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert held.stdout.readline() == "held\n"
        outcome = live(*command, "--lock-wait", "0s", "--json")
        assert outcome.code == 1
        assert outcome.document["error"]["code"] == "locked"
        assert "run of another" in outcome.document["error"]["message"]
    finally:
        held.communicate("")


def test_planted_secrets_appear_nowhere(live, monkeypatch, tmp_path):
    """All output of a good run and of failing ones, at debug level, and every file they leave."""
    ready = live.standin.ready
    secrets = {ready[name] for name in ("token", "sk", "password")}
    monkeypatch.delenv("LIVE_TRAFFIC_TOKEN")
    for name in ("username", "password", "account"):
        monkeypatch.setenv(f"LIVE_TRAFFIC_{name.upper()}", ready[name])
    monkeypatch.setenv("LIVE_TRAFFIC_IAM_ENDPOINT", ready["iam_endpoint"])
    talk = ""
    for faults in (
        [],
        [{"kind": "not_json", "operation": "traffic", "times": 2}],
        [{"kind": "html", "status": 502, "operation": "traffic", "times": 3}],
        [{"kind": "revoke_tokens", "times": 1}],
        [{"kind": "status", "status": 403, "error_code": "APIGW.0302"}],
    ):
        live.standin.faults(faults)
        for arguments in (("nightly", "--engine", "direct"), ("doctor",), ("plan",)):
            outcome = live(*arguments, "--log-level", "debug", "--log-format", "json")
            talk += outcome.out + outcome.err
    assert "slice loaded" in talk, "debug logging was on"
    left = b"".join(
        path.read_bytes()
        for path in tmp_path.rglob("*")
        if path.is_file() and not path.is_symlink()
    )
    for secret in secrets:
        assert secret not in talk
        assert secret.encode() not in left


@pytest.mark.parametrize("command", ["plan", "coverage", "expiring"])
def test_looking_at_nothing_makes_nothing(live, command):
    """Commands that only look leave no trace where there is no warehouse."""
    outcome = live(command)
    assert outcome.code == 0, outcome.err
    assert not live.warehouse.exists()


def test_help_names_every_command(capsys):
    """The commands of the design that this version has."""
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    for name in (
        "demo", "plan", "backfill", "nightly", "serve", "coverage", "expiring", "sql", "doctor",
        "standin",
    ):  # fmt: skip
        assert re.search(rf"\b{name}\b", shown)


def test_a_proxyless_environment_is_ours(standin, tmp_path):
    """The settings that tests give are the stand-in's and no others."""
    assert settings_of(standin, tmp_path)["LIVE_TRAFFIC_ENDPOINT"].startswith("http://127.")
