"""The wired client against the stand-in: every kind of credentials, every fault, the full quota."""

import dataclasses
import math
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from extract.budget import Unmetered
from extract.budget_file import SqliteBudget
from extract.connect import Place, Surroundings, connect
from extract.credentials import KeyCredentials, PasswordCredentials, Secret, TokenCredentials
from extract.exchange import Bounds
from extract.slices import Stamp, read_slice
from extract.standin.server import Standin
from livetraffic.errors import ConfigError, CredentialsError, UnknownDomain
from livetraffic.limits import V1
from livetraffic.window import DAY, Window, from_seconds, to_seconds

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
END = to_seconds(NOW) - 2 * DAY
WINDOW = Window(END - 2 * DAY, END)
DOMAIN = "play001.example.com"
REGION = "cn-north-4"


@pytest.fixture
def standin():
    with Standin(now=NOW) as server:
        yield server


def credentials(ready, kind):
    return {
        "token": lambda: TokenCredentials(Secret(ready["token"])),
        "keys": lambda: KeyCredentials(ready["ak"], Secret(ready["sk"])),
        "password": lambda: PasswordCredentials(
            ready["username"], Secret(ready["password"]), ready["account"]
        ),
    }[kind]()


def client(standin, who, *, project=True, budget=None, region=REGION):
    ready = standin.ready
    place = Place(
        region,
        ready["project_id"] if project else None,
        ready["endpoint"],
        ready["iam_endpoint"],
    )
    surroundings = Surroundings(
        clock=standin.now,
        real_clock=lambda: datetime.now(UTC),
        sleep=lambda _: False,
        monotonic=time.monotonic,
        bounds=Bounds(read_s=0.5),
    )
    return connect(
        who,
        place,
        surroundings,
        account="acme",
        budget=budget or Unmetered(sleep=lambda _: False),
        apis={"v1": V1},
        step=300,
    )


def operations(standin):
    return [entry["operation"] for entry in standin.requests()]


@pytest.mark.parametrize(
    ("kind", "project", "first"),
    [
        ("token", True, []),
        ("token", False, ["projects"]),
        ("keys", True, []),
        ("keys", False, ["projects"]),
        ("password", True, ["tokens"]),
        ("password", False, ["tokens"]),
    ],
)
def test_every_kind_of_credentials_reads(standin, kind, project, first):
    """With a token and a project ID the identity service is never called."""
    api = client(standin, credentials(standin.ready, kind), project=project)
    assert operations(standin) == []
    listed = api.list_domains()
    answer = api.statistics("v1").traffic(DOMAIN, WINDOW)
    assert operations(standin) == [*first, "domains", "traffic"]
    assert [item.domain for item in listed] == sorted(standin.domains())
    assert api.project_id == standin.ready["project_id"]
    truth = standin.truth(DOMAIN, from_seconds(WINDOW.start), from_seconds(WINDOW.end))
    frame = answer.parsed.frame
    stamps = [stamp.to_pydatetime() for stamp in frame["timestamp"]]
    assert dict(zip(stamps, frame["traffic_bytes"].tolist(), strict=True)) == truth


@pytest.mark.parametrize("kind", ["token", "keys", "password"])
def test_wrong_credentials_send_one_request_from_eight_threads(standin, kind):
    """Well before the fifth failure that locks the account."""
    wrong = dict.fromkeys(("token", "sk", "password"), "wrong-secret")
    api = client(standin, credentials(standin.ready | wrong, kind))
    with ThreadPoolExecutor(8) as pool:
        tasks = [pool.submit(api.statistics("v1").traffic, DOMAIN, WINDOW) for _ in range(24)]
    assert {type(task.exception()) for task in tasks} == {CredentialsError}
    assert len(standin.requests()) == 1
    assert all("wrong-secret" not in repr(task.exception()) for task in tasks)


def test_tokens_that_are_revoked_mid_run_are_renewed_once_for_all_threads(standin):
    """Eight requests fail together, one token is fetched."""
    api = client(standin, credentials(standin.ready, "password"))
    api.statistics("v1").traffic(DOMAIN, WINDOW)
    standin.faults([{"kind": "revoke_tokens", "times": 1}])
    with ThreadPoolExecutor(8) as pool:
        tasks = [pool.submit(api.statistics("v1").traffic, DOMAIN, WINDOW) for _ in range(16)]
    assert [task.exception() for task in tasks] == [None] * 16
    assert operations(standin).count("tokens") == 2


@pytest.mark.parametrize("mode", ["400", "404"])
def test_an_unknown_domain_is_known_as_such(standin, mode):
    """Both answers are plausible."""
    standin.switches(unknown_domain=mode)
    with pytest.raises(UnknownDomain):
        client(standin, credentials(standin.ready, "token")).statistics("v1").traffic(
            "nobody.example.com", WINDOW
        )


FAULTS = [
    ({"kind": "status", "status": 503, "times": 2}, "full"),
    ({"kind": "html", "status": 502, "times": 1}, "full"),
    ({"kind": "status", "status": 504, "error_code": "APIGW.0201", "times": 1}, "full"),
    ({"kind": "throttle", "times": 1}, "full"),
    ({"kind": "reset", "times": 1}, "full"),
    ({"kind": "cut_body", "times": 1}, "full"),
    ({"kind": "cut_body", "times": 5}, "full"),
    ({"kind": "slow", "seconds": 2, "times": 1}, "full"),
    ({"kind": "disorder"}, "full"),
    ({"kind": "duplicate_equal"}, "full"),
    ({"kind": "outside_window"}, "full"),
    ({"kind": "string_number"}, "full"),
    ({"kind": "integral_float"}, "full"),
    ({"kind": "huge_values"}, "full"),
    ({"kind": "off_grid", "seconds": 15}, "full"),
    ({"kind": "unknown_field"}, "full"),
    ({"kind": "total_mismatch", "by": 2}, "full"),
    ({"kind": "truncate_tail", "points": 50, "times": 1}, "full"),
    ({"kind": "split_points"}, "hole"),
    ({"kind": "missing_value"}, "hole"),
    ({"kind": "missing_time"}, "hole"),
    ({"kind": "null_value"}, "hole"),
    ({"kind": "negative"}, "hole"),
    ({"kind": "fraction"}, "hole"),
    ({"kind": "nan"}, "hole"),
    ({"kind": "bool_value"}, "hole"),
    ({"kind": "too_big"}, "hole"),
    ({"kind": "time_without_zone"}, "hole"),
    ({"kind": "duplicate_conflict"}, "hole"),
    ({"kind": "drop_points"}, "hole"),
    ({"kind": "truncate_tail", "points": 50}, "hole"),
    ({"kind": "off_grid_mixed"}, "failed"),
    ({"kind": "no_list"}, "failed"),
    ({"kind": "not_object"}, "failed"),
    ({"kind": "not_json"}, "failed"),
    ({"kind": "empty_body"}, "failed"),
    ({"kind": "redirect", "status": 302}, "failed"),
]


@pytest.mark.parametrize(("fault", "outcome"), FAULTS, ids=lambda value: str(value)[:60])
def test_every_fault_of_the_stand_in_ends_as_the_design_says(standin, fault, outcome):
    """Stored values are true ones, whatever is done to the answer."""
    standin.faults([{"operation": "traffic", **fault}])
    result = read_slice(
        client(standin, credentials(standin.ready, "token")).statistics("v1"),
        DOMAIN,
        WINDOW,
        expected=WINDOW,
        absent=(),
        zero_filling=False,
        idle="auto",
        settle_after=DAY,
        step=300,
        stamp=Stamp("v1", "acme", "p", REGION, "run-1"),
    )
    states = {entry.state.value for entry in result.entries}
    assert states == {"full": {"read"}, "hole": {"read", "partial"}, "failed": {"failed"}}[outcome]
    if fault["kind"] != "huge_values":
        truth = standin.truth(DOMAIN, from_seconds(WINDOW.start), from_seconds(WINDOW.end))
        stamps = [from_seconds(at) for at in result.points.seconds.tolist()]
        stored = dict(zip(stamps, result.points.traffic.tolist(), strict=True))
        assert stored.items() <= truth.items()
        assert (len(stored) == len(truth)) == (outcome == "full")


def test_the_quota_is_used_and_never_exceeded(tmp_path):
    """Eight threads at full speed for a window and a bit: as many as allowed, and no 429."""
    quota = 40
    # The stand-in's window is a minute by its own clock, which here runs sixty times as fast.
    pace = 60.0
    origin = time.monotonic()
    stop = threading.Event()
    budget = SqliteBudget(
        tmp_path / "rate.sqlite",
        clock=lambda: 1_780_000_000 + (time.monotonic() - origin) * pace,
        sleep=lambda seconds: stop.wait(seconds / pace),
    )
    with Standin(now=NOW, requests_per_minute=quota, plain=True) as standin:
        standin.world.quota._clock = lambda: (time.monotonic() - origin) * pace
        api = client(standin, credentials(standin.ready, "token"), budget=budget)
        api.statistics("v1").limits = dataclasses.replace(V1, requests_per_minute=quota)
        name = standin.domains("pull")[0]
        small = Window(END - 3600, END)
        count = quota * 4 + quota // 2
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: api.statistics("v1").traffic(name, small), range(count)))
        took_s = (time.monotonic() - origin) * pace
        statuses = {entry["status"] for entry in standin.requests("traffic")}
    assert statuses == {200}
    assert api.requests_sent == count
    # Four full windows must have passed, and hardly a fifth; how much of the quota is used to the
    # request is shown where no thread can be late (test_rate_budget).
    windows = math.ceil(count / quota) - 1
    assert 61.0 * windows <= took_s < 61.0 * (windows + 1) + 30


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (Place(None, "p"), "LIVE_TRAFFIC_REGION"),
        (Place("nowhere-1", "p"), "LIVE_TRAFFIC_ENDPOINT"),
        (Place(None, None, "https://live.example"), "LIVE_TRAFFIC_PROJECT_ID"),
        (Place(REGION, None, "http://127.0.0.1:1"), "LIVE_TRAFFIC_IAM_ENDPOINT"),
        (Place(None, None, "https://a.example", "https://b.example"), "LIVE_TRAFFIC_PROJECT_ID"),
    ],
    ids=["no place", "unknown region", "no project", "foreign identity service", "no region"],
)
@pytest.mark.parametrize("kind", ["token", "keys", "password"])
def test_a_place_that_cannot_be_reached_is_a_setting_that_lacks(kind, place, words):
    """Credentials of the stand-in must never go to the real identity service."""
    ready = dict.fromkeys(("token", "ak", "sk", "username", "password", "account"), "x")
    who = credentials(ready, kind)
    surroundings = Surroundings(lambda: NOW, lambda: NOW, lambda _: False, time.monotonic)
    budget = Unmetered(sleep=lambda _: False)
    with pytest.raises(ConfigError) as caught:
        connect(who, place, surroundings, account="a", budget=budget, apis={"v1": V1}, step=300)
    assert words in caught.value.remedy


def test_a_region_alone_is_enough():
    """Its endpoints are known; nothing is sent."""
    surroundings = Surroundings(lambda: NOW, lambda: NOW, lambda _: False, time.monotonic)
    api = connect(
        TokenCredentials(Secret("x")),
        Place(REGION, "p"),
        surroundings,
        account="a",
        budget=Unmetered(sleep=lambda _: False),
        apis={"v1": V1},
        step=300,
    )
    assert api.transport.host == "live.cn-north-4.myhuaweicloud.com"


def test_a_clock_that_is_off_is_found_before_the_key_is_blamed(standin):
    """A skewed clock spoils signatures too."""
    standin.faults([{"kind": "clock_skew", "seconds": 86_400}])
    api = client(standin, credentials(standin.ready, "keys"))
    with pytest.raises(Exception, match="1 day behind"):
        api.list_domains()


def test_listing_domains_needs_no_pandas():
    """``plan`` and ``doctor`` must start at once."""
    code = (
        "import sys, extract.connect, extract.live_api, extract.quarantine, extract.budget;"
        "heavy = {'pandas', 'pyarrow', 'numpy', 'prefect', 'sqlalchemy'} & set(sys.modules);"
        "print(sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_simulated_years_are_read_with_a_moved_clock(standin):
    """Signatures stay those of the real clock."""
    later = NOW + timedelta(days=400)
    standin.set_clock(later)
    end = to_seconds(later) - 2 * DAY
    answer = (
        client(standin, credentials(standin.ready, "keys"))
        .statistics("v1")
        .traffic(DOMAIN, Window(end - DAY, end))
    )
    assert answer.fetched_at == later
    assert len(answer.parsed.frame) == 288
