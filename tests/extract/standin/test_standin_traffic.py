"""The invented traffic: pure, plausible, and conserved."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
import requests

from extract.standin.domains import Kind
from extract.standin.rhythm import value
from extract.standin.server import Standin

Call = Callable[..., requests.Response]

MONTH = {"start_time": "2026-01-30T00:00:00Z", "end_time": "2026-03-01T00:00:00Z"}
PULL = [f"play00{number}.example.com" for number in range(1, 6)]


def series(answer: requests.Response) -> dict[str, int]:
    """Timestamp to bytes; the answer must be well-formed."""
    document = answer.json()
    assert set(document) == {"total", "traffic_info"}
    assert document["total"] == len(document["traffic_info"])
    return {point["timestamp"]: point["traffic"] for point in document["traffic_info"]}


def test_values_are_a_function_of_the_seed() -> None:
    assert value(7, "a", Kind.PLAIN, 1_772_236_800) == value(7, "a", Kind.PLAIN, 1_772_236_800)
    values = {value(seed, name, Kind.PLAIN, 1_772_236_800) for seed in (1, 2) for name in "ab"}
    assert len(values) == 4


def test_two_stand_ins_of_one_seed_agree(traffic: Call, standin: Standin) -> None:
    with Standin(now=standin.now(), seed=7) as other:
        assert other.ready | {"endpoint": "", "iam_endpoint": ""} == standin.ready | {
            "endpoint": "",
            "iam_endpoint": "",
        }
        assert other.truth("play001.example.com") == standin.truth("play001.example.com")


def test_hours_and_days_are_sums_of_five_minutes(traffic: Call) -> None:
    for domain in PULL:
        five = series(traffic(domain=domain, step=5))
        hours = series(traffic(domain=domain, step=60))
        days = series(traffic(domain=domain, step=1440))
        assert sum(five.values()) == sum(hours.values()) == sum(days.values())
        first_hour = [v for t, v in five.items() if t.startswith("2026-02-27T00:")]
        assert sum(first_hour) == hours["2026-02-27T00:00:00Z"]


def test_the_tenant_is_the_sum_of_its_domains(traffic: Call) -> None:
    asked = {"start_time": "2026-01-14T00:00:00Z", "end_time": "2026-01-17T00:00:00Z"}
    tenant = series(traffic(domain=None, **asked))
    each = [series(traffic(domain=domain, **asked)) for domain in PULL]
    assert len(tenant) == 3 * 288
    assert all(tenant[t] == sum(one.get(t, 0) for one in each) for t in tenant)


def test_adjoining_windows_neither_overlap_nor_lose_a_period(traffic: Call) -> None:
    whole = series(traffic(**MONTH))
    cut = "2026-02-11T13:35:00Z"
    left = series(traffic(start_time=MONTH["start_time"], end_time=cut))
    right = series(traffic(start_time=cut, end_time=MONTH["end_time"]))
    assert not set(left) & set(right)
    assert left | right == whole


def test_rendered_days_say_the_same_as_the_truth(call: Call, standin: Standin) -> None:
    for domain in standin.domains():
        said = series(call("/stream/traffic", domain=domain, **MONTH))
        truth = standin.truth(domain, datetime(2026, 1, 30, tzinfo=UTC))
        if domain.startswith("publish"):
            assert said == {}
        else:
            assert said == {f"{t:%Y-%m-%dT%H:%M:%SZ}": v for t, v in truth.items()}


def test_the_domains_are_what_they_promise(traffic: Call) -> None:
    plain, heavy, idle, young, off = (series(traffic(domain=name, **MONTH)) for name in PULL)
    assert 0 in plain.values(), "explicit zeros in idle hours"
    assert max(plain.values()) > 10 * min(v for v in plain.values() if v)
    assert max(heavy.values()) > 2**31
    assert set(idle.values()) == {0}
    assert len(young) == len(plain)
    at_off = "2026-02-19T06:00:00Z"
    assert any(v for t, v in off.items() if t < at_off)
    assert not any(v for t, v in off.items() if t >= at_off)


def test_weeks_have_a_rhythm(standin: Standin) -> None:
    days: dict[int, list[int]] = {}
    for instant, size in standin.truth("play002.example.com", step_minutes=1440).items():
        days.setdefault(instant.weekday(), []).append(size)
    mean = {day: sum(sizes) / len(sizes) for day, sizes in days.items()}
    assert min(mean[5], mean[6]) > max(mean[day] for day in range(4))


def test_a_young_domain_has_no_points_before_its_creation(traffic: Call) -> None:
    asked = {"start_time": "2026-01-15T00:00:00Z", "end_time": "2026-01-16T00:00:00Z"}
    points = series(traffic(domain="play004.example.com", **asked))
    assert min(points) == "2026-01-15T02:55:00Z", "created at 02:57, inside this period"
    assert points["2026-01-15T02:55:00Z"] > 0
    hours = series(traffic(domain="play004.example.com", step=60, **asked))
    assert min(hours) == "2026-01-15T02:00:00Z"
    assert sum(hours.values()) == sum(points.values())


def test_a_domain_is_unknown_before_its_creation(
    traffic: Call, call: Call, standin: Standin
) -> None:
    young = "play004.example.com"
    standin.set_clock(datetime(2026, 1, 15, 2, 56, 59, tzinfo=UTC))
    asked = {"start_time": "2026-01-14T00:00:00Z", "end_time": "2026-01-15T00:00:00Z"}
    assert young not in standin.domains()
    assert traffic(domain=young, **asked).status_code == 400
    standin.set_clock(datetime(2026, 1, 15, 2, 57, tzinfo=UTC))
    assert call("/domain", domain=young).status_code == 200
    assert series(traffic(domain=young, **asked)) == {}


def test_many_connections_at_once_hear_the_same(standin: Standin) -> None:
    url = f"{standin.url}/v1/{standin.ready['project_id']}/stream/traffic"
    headers = {"X-Auth-Token": standin.ready["token"]}

    def ask(number: int) -> bytes:
        asked = MONTH | {"domain": PULL[number % 5]}
        return requests.request("GET", url, params=asked, headers=headers, timeout=30).content

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(40)))
    assert all(answers[number] == answers[number % 5] for number in range(40))
    assert len(set(answers)) == 5
    assert len(standin.requests("traffic")) == 40


@pytest.mark.parametrize("count", [0, 1, 3, 6, 50])
def test_as_many_domains_as_asked_for(count: int) -> None:
    with Standin(domains=count) as standin:
        assert len(standin.domains()) == count


def test_plain_tenants_have_ordinary_domains_only() -> None:
    with Standin(domains=9, plain=True) as standin:
        assert len(standin.domains("pull")) == 9
        assert all(any(standin.truth(d, step_minutes=1440).values()) for d in standin.domains())


def test_the_domain_list_is_the_vendors(call: Call, standin: Standin) -> None:
    document = call("/domain").json()
    assert document["total"] == 6 == len(document["domain_info"])
    by_name = {row["domain"]: row for row in document["domain_info"]}
    assert by_name["publish001.example.com"]["domain_type"] == "push"
    assert by_name["publish001.example.com"]["related_domain"] == ""
    assert by_name["play005.example.com"]["status"] == "off"
    row = by_name["play001.example.com"]
    expected = {"domain_type": "pull", "status": "on", "region": "cn-north-4"}
    assert expected.items() <= row.items()
    datetime.strptime(row["create_time"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def test_the_domain_list_can_be_filtered(call: Call) -> None:
    assert call("/domain", domain="play002.example.com").json()["total"] == 1
    missing = call("/domain", domain="nobody.example.com")
    assert missing.status_code == 404
    assert missing.json() == {"error_code": "LIVE.103011019", "error_msg": "Request Illegal"}
    assert call("/domain", enterprise_project_id="0").json()["total"] == 6
    assert call("/domain", enterprise_project_id="other").json()["total"] == 0
    assert call("/domain", domain="").status_code == 400


def test_every_answer_names_the_stand_in_its_request_and_its_clock(traffic: Call) -> None:
    for answer in (traffic(), traffic(step=7), traffic(domain="nobody.example.com")):
        assert answer.headers["Server"] == "local-stand-in (not Huawei Cloud)"
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers["Date"] == "Sun, 01 Mar 2026 00:00:00 GMT"
        assert len(answer.headers["X-Request-Id"]) == 32
