"""The control: clock, journal, truth, restatements, and the lives of domains."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import requests

from extract.standin.clock import Clock
from extract.standin.server import Standin

Call = Callable[..., requests.Response]

PLAY = "play001.example.com"
NOON = {"start_time": "2026-02-27T12:00:00Z", "end_time": "2026-02-27T12:15:00Z"}


def values(answer: requests.Response) -> list[int]:
    return [point["traffic"] for point in answer.json()["traffic_info"]]


def test_the_clock_stands_still_runs_on_and_goes_back(control: Call) -> None:
    assert control("GET", "clock").json() == {"now": "2026-03-01T00:00:00Z", "running": False}
    moved = control("PUT", "clock", {"now": "2026-05-01T08:00:00+08:00"})
    assert moved.json() == {"now": "2026-05-01T00:00:00Z", "running": False}
    running = control("PUT", "clock", {"now": "2030-01-01T00:00:00Z", "running": True}).json()
    assert running["running"] is True
    assert running["now"].startswith("2030-01-01T00:0")
    real = control("PUT", "clock", {"now": None}).json()
    assert abs(datetime.fromisoformat(real["now"]) - datetime.now(UTC)).total_seconds() < 60


def test_a_clock_that_runs_on_keeps_its_distance() -> None:
    real = [1_000.0]
    clock = Clock(lambda: real[0])
    clock.set(5_000, running=True)
    real[0] += 60
    assert (clock.now(), clock.running) == (5_060, True)
    clock.set(7_000)
    real[0] += 60
    assert (clock.now(), clock.running) == (7_000, False)
    assert clock.real() == 1_120.0


@pytest.mark.parametrize("body", [{}, {"now": "yesterday"}, {"now": "2026-03-01T00:00:00"}, []])
def test_a_clock_needs_an_instant(control: Call, body: object) -> None:
    assert control("PUT", "clock", body).status_code == 400


def test_the_journal_holds_requests_and_no_secret(
    traffic: Call, call: Call, control: Call, standin: Standin
) -> None:
    traffic(step=60)
    call("/domain")
    refused = traffic(step=7)
    url = f"{standin.url}/v3/auth/tokens"
    requests.post(url, json={"password": standin.ready["password"]}, timeout=30)
    answer = control("GET", "requests")
    entries = answer.json()["requests"]
    assert [entry["operation"] for entry in entries] == ["traffic", "domains", "traffic", "tokens"]
    first = entries[0]
    assert first.pop("request_id")
    assert first.pop("real_s") > 1_780_000_000
    assert first == {
        "at": "2026-03-01T00:00:00Z",
        "method": "GET",
        "path": f"/v1/{standin.ready['project_id']}/stream/traffic",
        "operation": "traffic",
        "domain": PLAY,
        "play_domains": [],
        "start_time": "2026-02-27T00:00:00Z",
        "end_time": "2026-02-28T00:00:00Z",
        "step": "60",
        "status": 200,
        "error_code": None,
    }
    assert entries[2]["error_code"] == "LIVE.100011001"
    assert entries[2]["request_id"] == refused.headers["X-Request-Id"]
    for secret in ("token", "sk", "password"):
        assert standin.ready[secret] not in answer.text
    assert len(standin.requests("traffic")) == 2
    assert control("DELETE", "requests").json() == {"requests": []}


def test_control_is_not_journalled_but_unknown_paths_are(control: Call, standin: Standin) -> None:
    control("GET", "switches")
    requests.request("GET", f"{standin.url}/nowhere", timeout=30)
    assert [entry["operation"] for entry in standin.requests()] == [None]


def test_the_truth_is_what_is_served_and_reaches_the_look_back(
    control: Call, traffic: Call, standin: Standin
) -> None:
    truth = control("GET", f"truth?domain={PLAY}").json()
    assert truth["domain"] == PLAY
    assert truth["points"][0]["timestamp"] == "2025-12-01T00:00:00Z"
    assert truth["points"][-1]["timestamp"] == "2026-02-28T23:45:00Z"
    query = f"truth?domain={PLAY}&start=2026-02-27T00:00:00Z&end=2026-02-28T00:00:00Z&step=60"
    assert control("GET", query).json()["points"] == [
        {"timestamp": p["timestamp"], "traffic": p["traffic"]}
        for p in traffic(step=60).json()["traffic_info"]
    ]
    assert control("GET", "truth").json()["domain"] is None
    assert standin.truth("publish001.example.com") == {}
    total = standin.truth(None)
    assert all(total[t] >= size for t, size in standin.truth(PLAY).items())


def test_the_truth_refuses_what_it_does_not_know(control: Call) -> None:
    assert control("GET", "truth?domain=nobody.example.com").status_code == 400
    assert control("GET", f"truth?domain={PLAY}&step=7").status_code == 400
    assert control("GET", f"truth?domain={PLAY}&start=x").status_code == 400


def test_a_point_can_be_restated(control: Call, traffic: Call, standin: Standin) -> None:
    before = values(traffic(**NOON))
    point = {"domain": PLAY, "timestamp": "2026-02-27T12:05:00Z", "traffic": 42}
    assert control("PUT", "restate", {"points": [point]}).json() == {"restated": 1}
    assert values(traffic(**NOON)) == [before[0], 42, before[2]]
    assert standin.truth(PLAY)[datetime(2026, 2, 27, 12, 5, tzinfo=UTC)] == 42
    assert values(traffic(domain="play002.example.com")) == list(
        standin.truth(
            "play002.example.com",
            datetime(2026, 2, 27, tzinfo=UTC),
            datetime(2026, 2, 28, tzinfo=UTC),
        ).values()
    )
    control("DELETE", "restate")
    assert values(traffic(**NOON)) == before


def test_a_range_can_be_restated_by_a_factor_from_an_instant_on(
    control: Call, traffic: Call, standin: Standin
) -> None:
    before = values(traffic())
    order = {"domain": PLAY, "start": "2026-02-27T12:00:00Z", "end": "2026-02-27T13:00:00Z"}
    control("PUT", "restate", order | {"factor": 2, "at": "2026-03-01T06:00:00Z"})
    assert values(traffic()) == before
    standin.set_clock(datetime(2026, 3, 1, 6, tzinfo=UTC))
    after = values(traffic())
    assert after[144:156] == [2 * value for value in before[144:156]]
    assert after[:144] + after[156:] == before[:144] + before[156:]
    assert sum(values(traffic(step=60))) == sum(after), "hours follow"


@pytest.mark.parametrize(
    "order",
    [
        {"domain": "nobody.example.com", "timestamp": "2026-02-27T12:05:00Z", "traffic": 1},
        {"domain": PLAY, "timestamp": "2026-02-27T12:05:00Z", "traffic": -1},
        {"domain": PLAY, "start": "2026-02-27T12:00:00Z", "end": "2026-02-27T13:00:00Z"},
        {"points": [7]},
    ],
)
def test_a_wrong_restatement_is_refused(control: Call, order: object) -> None:
    assert control("PUT", "restate", order).status_code == 400


def test_a_domain_deleted_at_noon(
    control: Call, traffic: Call, call: Call, standin: Standin
) -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    standin.set_clock(noon)
    changed = control("PUT", "domains", {"action": "delete", "domain": PLAY}).json()["domains"][0]
    assert (changed["listed"], changed["deleted_at"]) == (False, "2026-03-01T12:00:00Z")
    assert PLAY not in [row["domain"] for row in call("/domain").json()["domain_info"]]
    assert call("/domain", domain=PLAY).status_code == 404
    assert traffic().json()["error_code"] == "LIVE.100011001"
    standin.switches(unknown_domain="404")
    assert traffic().status_code == 404
    standin.set_clock(noon.replace(hour=20))
    standin.switches(deleted_domain="history")
    today = traffic(start_time="2026-03-01T00:00:00Z", end_time="2026-03-02T00:00:00Z").json()
    assert today["traffic_info"][-1]["timestamp"] == "2026-03-01T11:55:00Z"
    assert max(standin.truth(PLAY)) == datetime(2026, 3, 1, 11, 55, tzinfo=UTC)


def test_the_tenant_total_may_forget_deleted_domains(traffic: Call, standin: Standin) -> None:
    with_it = values(traffic(domain=None))
    own = values(traffic())
    standin.change_domain("delete", PLAY)
    assert values(traffic(domain=None)) == with_it
    standin.switches(total_deleted="omit")
    assert values(traffic(domain=None)) == [a - b for a, b in zip(with_it, own, strict=True)]


def test_a_domain_is_created_and_deleted_and_created_again(
    control: Call, traffic: Call, standin: Standin
) -> None:
    new = "new.example.com"
    order = {"action": "create", "domain": new, "kind": "heavy"}
    assert control("PUT", "domains", {"changes": [order]}).status_code == 200
    assert control("PUT", "domains", order).status_code == 400, "it exists"
    assert new in standin.domains("pull")
    standin.set_clock(datetime(2026, 3, 2, tzinfo=UTC))
    asked = {"start_time": "2026-02-28T00:00:00Z", "end_time": "2026-03-02T00:00:00Z"}
    points = traffic(domain=new, **asked).json()["traffic_info"]
    assert points[0]["timestamp"] == "2026-03-01T00:00:00Z"
    standin.change_domain("delete", new)
    standin.set_clock(datetime(2026, 3, 3, tzinfo=UTC))
    standin.change_domain("create", new)
    assert new in standin.domains()


def test_a_domain_is_switched_off_and_on(traffic: Call, call: Call, standin: Standin) -> None:
    three, six = datetime(2026, 3, 1, 3, tzinfo=UTC), datetime(2026, 3, 1, 6, tzinfo=UTC)
    standin.change_domain("off", "play002.example.com", at=three)
    standin.set_clock(three)
    assert call("/domain", domain="play002.example.com").json()["domain_info"][0]["status"] == "off"
    standin.set_clock(six)
    standin.change_domain("on", "play002.example.com")
    standin.set_clock(six.replace(hour=9))
    asked = {"start_time": "2026-03-01T00:00:00Z", "end_time": "2026-03-01T08:00:00Z", "step": 60}
    hours = values(traffic(domain="play002.example.com", **asked))
    assert [bool(hour) for hour in hours] == [True] * 3 + [False] * 3 + [True] * 2


@pytest.mark.parametrize(
    "change",
    [
        {"action": "explode", "domain": PLAY},
        {"action": "delete", "domain": "nobody.example.com"},
        {"action": "create", "domain": ""},
        {"action": "create", "domain": "a.example.com", "kind": "strange"},
        {"changes": ["delete"]},
    ],
)
def test_a_wrong_change_of_domains_is_refused(control: Call, change: object) -> None:
    assert control("PUT", "domains", change).status_code == 400


def test_ready_names_everything_a_client_needs(control: Call, standin: Standin) -> None:
    ready = control("GET", "ready").json()
    assert ready.pop("security_token")
    assert ready == standin.ready
    assert set(ready) == {
        "endpoint", "iam_endpoint", "project_id", "token", "ak", "sk", "username", "password",
        "account",
    }  # fmt: skip


def test_an_unknown_control_lists_the_known_ones(control: Call) -> None:
    answer = control("GET", "nonsense")
    assert answer.status_code == 404
    assert "GET /_standin/truth" in answer.json()["controls"]
    assert answer.headers["X-Request-Id"]
    assert control("PUT", "clock").status_code == 400
