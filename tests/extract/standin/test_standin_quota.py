"""The quota: a sliding minute for each user and API."""

from collections.abc import Callable

import requests

from extract.standin.quota import Quota
from extract.standin.server import Standin

Call = Callable[..., requests.Response]


def test_the_request_beyond_the_quota_is_throttled(traffic: Call, standin: Standin) -> None:
    standin.switches(traffic_per_minute=3)
    assert [traffic().status_code for _ in range(4)] == [200, 200, 200, 429]
    answer = traffic()
    text = "policy user over ratelimit,limit:3,time:1 minute"
    assert answer.json() == {
        "error_msg": f"The throttling threshold has been reached: {text}",
        "error_code": "APIGW.0308",
        "request_id": answer.headers["X-Request-Id"],
    }
    assert "Retry-After" not in answer.headers


def test_retry_after_can_be_given(traffic: Call, standin: Standin) -> None:
    standin.switches(traffic_per_minute=1, retry_after=True)
    traffic()
    assert 1 <= int(traffic().headers["Retry-After"]) <= 61


def test_each_api_has_a_count_of_its_own(traffic: Call, call: Call, standin: Standin) -> None:
    standin.switches(traffic_per_minute=1, domains_per_minute=1)
    assert [traffic().status_code, traffic().status_code] == [200, 429]
    assert [call("/domain").status_code, call("/domain").status_code] == [200, 429]


def test_refused_requests_count_but_unauthenticated_ones_do_not(
    traffic: Call, standin: Standin
) -> None:
    standin.switches(traffic_per_minute=2)
    url = f"{standin.url}/v1/{standin.ready['project_id']}/stream/traffic"
    for _ in range(5):
        requests.request("GET", url, timeout=30)
    assert [traffic(step=7).status_code, traffic().status_code, traffic().status_code] == [
        400,
        200,
        429,
    ]


def test_zero_means_no_quota_and_the_constructor_sets_both() -> None:
    with Standin(requests_per_minute=0) as standin:
        assert standin.world.panel.current.traffic_per_minute == 0
        assert standin.world.panel.current.domains_per_minute == 0
    assert Quota(lambda: 0.0).admit("u", "traffic", 0, rejected_count=True) is None


def test_the_window_slides() -> None:
    now = [0.0]
    quota = Quota(lambda: now[0])

    def admitted(limit: int = 2, *, rejected_count: bool = False) -> bool:
        return quota.admit("u", "traffic", limit, rejected_count=rejected_count) is None

    assert admitted()
    now[0] = 30.0
    assert admitted()
    assert quota.admit("u", "traffic", 2, rejected_count=False) == 30.0
    now[0] = 59.9
    assert not admitted()
    now[0] = 60.0
    assert admitted()
    assert not admitted()


def test_rejected_calls_count_if_the_switch_says_so() -> None:
    now = [0.0]
    quota = Quota(lambda: now[0])
    for at, expected in ((0.0, True), (59.0, False), (61.0, False), (122.0, True)):
        now[0] = at
        assert (quota.admit("u", "traffic", 1, rejected_count=True) is None) is expected
