"""The v2 statistics: documented rules, two profiles, both services, and what must add up."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
import requests
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdklive.v2 import (
    ListBandwidthDetailRequest,
    ListDomainTrafficDetailRequest,
    ListDomainTrafficSummaryRequest,
    LiveClient,
)

from extract.standin.server import Standin

NOW = datetime(2026, 3, 1, tzinfo=UTC)
NEW, MOVED, OLD = "new001.example.com", "moved001.example.com", "play001.example.com"
DAY = {"start_time": "2026-02-27T00:00:00Z", "end_time": "2026-02-27T23:59:59Z"}
Call = Callable[..., requests.Response]


@pytest.fixture
def standin() -> Iterator[Standin]:
    """Six domains on the old service, one on the new, one that moved 40 days ago."""
    with Standin(now=NOW, seed=7, services=True) as running:
        yield running


@pytest.fixture
def v2(standin: Standin, session: requests.Session) -> Call:
    """``v2("traffic/detail", play_domains=…)`` on 2026-02-27, unless told otherwise."""

    def get(path: str, **parameters: object) -> requests.Response:
        asked = {"play_domains": NEW} | DAY | parameters
        return session.get(
            f"{standin.url}/v2/{standin.ready['project_id']}/stats/{path}",
            params={name: value for name, value in asked.items() if value is not None},
            headers={"X-Auth-Token": standin.ready["token"]},
            timeout=30,
        )

    return get


def series(response: requests.Response) -> dict[datetime, int]:
    assert response.status_code == 200, response.text
    rows = response.json()["data_list"]
    return {datetime.fromisoformat(row["time"]): row["value"] for row in rows}


def sums(response: requests.Response) -> dict[str, int]:
    assert response.status_code == 200, response.text
    return {row["domain"]: row["value"] for row in response.json()["traffic_list"]}


def test_a_day_is_what_the_truth_is(standin: Standin, v2: Call) -> None:
    found = series(v2("traffic/detail"))
    assert len(found) == 288
    assert found == standin.truth(NEW, NOW - timedelta(days=2), NOW - timedelta(days=1))


def test_what_is_served_adds_up(v2: Call) -> None:
    fine = series(v2("traffic/detail"))
    for interval in (3_600, 86_400):
        coarse = series(v2("traffic/detail", interval=interval))
        assert len(coarse) == 86_400 // interval
        assert sum(coarse.values()) == sum(fine.values())
    halves = [
        series(v2("traffic/detail", end_time="2026-02-27T11:59:59Z")),
        series(v2("traffic/detail", start_time="2026-02-27T12:00:00Z")),
    ]
    assert halves[0] | halves[1] == fine
    assert len(halves[0]) + len(halves[1]) == 288
    assert sums(v2("traffic/summary")) == {NEW: sum(fine.values())}
    merged = series(v2("traffic/detail", play_domains=f"{NEW},{MOVED}"))
    other = series(v2("traffic/detail", play_domains=MOVED))
    assert merged == {at: value + other[at] for at, value in fine.items()}
    assert series(v2("traffic/detail", play_domains=None)) == merged, "the tenant"


def test_bandwidth_is_the_largest_mean_of_five_minutes(v2: Call) -> None:
    fine = series(v2("traffic/detail"))
    assert series(v2("bandwidth/detail")) == {at: v * 8 // 300 for at, v in fine.items()}
    (day,) = series(v2("bandwidth/detail", interval=86_400)).values()
    assert day == max(fine.values()) * 8 // 300
    (peak,) = v2("bandwidth/peak").json()["bandwidth_list"]
    assert peak == {"domain": NEW, "value": day}


def test_both_list_forms_are_read(v2: Call) -> None:
    both = sums(v2("traffic/summary", play_domains=f"{NEW},{MOVED}"))
    assert sums(v2("traffic/summary", play_domains=[NEW, MOVED])) == both
    assert list(both) == [NEW, MOVED]


def test_each_api_has_its_own_service(standin: Standin, v2: Call, traffic: Call) -> None:
    assert series(v2("traffic/detail", play_domains=OLD)) == {}
    assert sums(v2("traffic/summary", play_domains=OLD)) == {}
    standin.switches(foreign_domain_v2="zero", foreign_domain_v1="zero")
    assert set(series(v2("traffic/detail", play_domains=OLD)).values()) == {0}
    assert sums(v2("traffic/summary", play_domains=OLD)) == {OLD: 0}
    points = traffic(domain=NEW).json()["traffic_info"]
    assert {point["traffic"] for point in points} == {0}
    standin.switches(foreign_domain_v2="400", foreign_domain_v1="400")
    for refused in (v2("traffic/detail", play_domains=OLD), traffic(domain=NEW)):
        assert (refused.status_code, refused.json()["error_code"]) == (400, "LIVE.100011001")


def test_a_moved_domain_is_split_between_them(standin: Standin, v2: Call, traffic: Call) -> None:
    moved = NOW - timedelta(days=40)
    text = "%Y-%m-%dT%H:%M:%SZ"
    around = {
        "start_time": (moved - timedelta(days=1)).strftime(text),
        "end_time": (moved + timedelta(days=1)).strftime(text),
    }
    before = traffic(domain=MOVED, **around).json()["traffic_info"]
    assert [point["timestamp"] for point in (before[0], before[-1])] == [
        around["start_time"], (moved - timedelta(minutes=5)).strftime(text),
    ]  # fmt: skip
    after = series(v2("traffic/detail", play_domains=MOVED, **around))
    assert min(after) == moved
    truth = standin.truth(MOVED, moved - timedelta(days=1), moved + timedelta(days=1))
    assert len(truth) == 576
    listed = {row["domain"]: row for row in _listed(standin)}
    assert listed[MOVED]["create_time"] == moved.strftime(text)


def _listed(standin: Standin) -> list[dict[str, str]]:
    ready = standin.ready
    answer = requests.get(
        f"{standin.url}/v1/{ready['project_id']}/domain",
        headers={"X-Auth-Token": ready["token"]},
        timeout=30,
    )
    return list(answer.json()["domain_info"])


@pytest.mark.parametrize(
    "asked",
    [
        {"interval": 60},
        {"interval": "5m"},
        {"start_time": "2026-02-28T00:00:00Z"},
        {"start_time": "2026-01-01T00:00:00Z"},
        {"start_time": "2025-02-27T00:00:00Z", "end_time": "2025-03-02T00:00:00Z"},
        {"start_time": "yesterday"},
        {"play_domains": ""},
        {"play_domains": ",".join(f"a{n}.example.com" for n in range(101))},
        {"isp": "nobody"},
        {"region": "ZZ"},
        {"service_type": "all"},
    ],
)
def test_what_breaks_a_rule_is_refused(v2: Call, asked: dict[str, object]) -> None:
    answer = v2("traffic/detail", **asked)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "LIVE.100011001")


def test_the_rules_of_2021(standin: Standin, v2: Call) -> None:
    standin.switches(profile="2021")
    ten = ",".join([NEW] * 10)
    assert v2("traffic/detail", play_domains=ten).status_code == 200
    assert v2("traffic/detail", play_domains=f"{ten},{NEW}").status_code == 400
    assert v2("traffic/detail", play_domains=None).status_code == 400
    old = {"start_time": "2025-11-30T00:00:00Z", "end_time": "2025-12-01T00:00:00Z"}
    assert v2("traffic/detail", **old).status_code == 400
    for _ in range(17):
        v2("traffic/detail")
    assert v2("traffic/detail").status_code == 429, "20 a minute, refused calls count"
    assert v2("traffic/summary").status_code == 200, "each operation has its own"


def test_times_that_are_left_out_or_off_the_grid_are_legal(standin: Standin, v2: Call) -> None:
    week = series(v2("traffic/detail", start_time=None, end_time=None))
    assert len(week) == 7 * 288 - 2, "seven days up to now, less ten minutes of delay"
    odd = series(
        v2("traffic/detail", start_time="2026-02-27T00:02:00Z", end_time="2026-02-27T00:07:00Z")
    )
    assert [at.minute for at in odd] == [0, 5]


def test_bandwidth_has_a_larger_quota(standin: Standin, v2: Call) -> None:
    """6,000 a minute, 60 in 2021; the others 1,200 and 20."""
    standin.switches(profile="2021")
    for _ in range(60):
        assert v2("bandwidth/detail", interval=86_400).status_code == 200
    assert v2("bandwidth/detail").status_code == 429
    assert v2("bandwidth/peak").status_code == 200


@pytest.mark.parametrize("order", ["descending", "shuffled"])
def test_several_domains_together_come_in_the_same_order(
    standin: Standin, v2: Call, order: str
) -> None:
    both = f"{NEW},{MOVED}"
    plain = [series(v2(path, play_domains=both)) for path in ("traffic/detail", "bandwidth/detail")]
    standin.switches(order=order)
    for path, expected in zip(("traffic/detail", "bandwidth/detail"), plain, strict=True):
        found = series(v2(path, play_domains=both))
        assert found == expected
        assert list(found) != sorted(found)


def test_a_deleted_domain_is_as_the_switches_say(standin: Standin, v2: Call) -> None:
    standin.change_domain("delete", NEW)
    assert series(v2("traffic/detail")) == {}
    standin.switches(foreign_domain_v2="400")
    assert v2("traffic/detail").status_code == 400
    standin.switches(deleted_domain="history")
    assert len(series(v2("traffic/detail"))) == 288


@pytest.mark.parametrize(
    ("action", "domain", "details"),
    [
        ("move", NEW, {}),
        ("move", MOVED, {}),
        ("move", "publish001.example.com", {}),
        ("move", OLD, {"at": datetime(2020, 1, 1, tzinfo=UTC)}),
        ("create", "x.example.com", {"region": "cn-north-1", "service": "new"}),
    ],
)
def test_what_the_new_service_does_not_serve_does_not_move(
    standin: Standin, action: str, domain: str, details: dict[str, object]
) -> None:
    with pytest.raises(ValueError, match="service"):
        standin.change_domain(action, domain, **details)


def test_the_old_region_has_the_old_service_only(standin: Standin, traffic: Call) -> None:
    standin.change_domain(
        "create", "x.example.com", region="cn-north-1", at=NOW - timedelta(days=9)
    )
    listed = {row["domain"]: row["region"] for row in _listed(standin)}
    assert (listed["x.example.com"], listed[OLD]) == ("cn-north-1", "cn-north-4")
    assert len(traffic(domain="x.example.com").json()["traffic_info"]) == 288
    with pytest.raises(ValueError, match="does not serve"):
        standin.change_domain("move", "x.example.com")


def test_an_hour_of_the_move_is_in_both_and_the_truth_is_their_sum(standin: Standin) -> None:
    moved = NOW - timedelta(days=3, minutes=-35)
    standin.change_domain("move", OLD, at=moved)
    hour = moved.replace(minute=0)
    ends = (OLD, hour, hour + timedelta(hours=1))
    parts = [standin.truth(*ends, 60, service=service)[hour] for service in ("v1", "v2")]
    assert min(parts) > 0
    assert standin.truth(*ends, 60) == {hour: sum(parts)}
    assert sum(standin.truth(*ends, 5).values()) == sum(parts)


def test_the_list_tells_of_a_move_once_it_happened(standin: Standin) -> None:
    created = {row["domain"]: row["create_time"] for row in _listed(standin)}
    standin.change_domain("move", OLD, at=NOW + timedelta(days=1))
    assert {row["domain"]: row["create_time"] for row in _listed(standin)} == created


def test_the_vendors_broken_example_is_a_fault(standin: Standin, v2: Call) -> None:
    standin.faults([{"kind": "split_points", "operation": "traffic_v2", "indexes": [1]}])
    rows = v2("traffic/detail").json()["data_list"]
    assert [sorted(row) for row in rows[:4]] == [
        ["time", "value"],
        ["value"],
        ["time"],
        ["time", "value"],
    ]
    assert "total" not in v2("traffic/detail").json()


def test_the_journal_names_the_operations(standin: Standin, v2: Call) -> None:
    v2("traffic/detail")
    v2("traffic/summary", play_domains=[f"{NEW},{MOVED}", OLD])
    found = [(e["operation"], e["play_domains"]) for e in standin.requests()]
    assert found == [("traffic_v2", (NEW,)), ("summary_v2", (NEW, MOVED, OLD))]


def test_the_vendors_own_client_gets_the_same_numbers(standin: Standin, v2: Call) -> None:
    ready = standin.ready
    keys = BasicCredentials(ready["ak"], ready["sk"], ready["project_id"])
    live = LiveClient.new_builder().with_credentials(keys).with_endpoint(standin.url).build()
    detail = live.list_domain_traffic_detail(
        ListDomainTrafficDetailRequest(play_domains=[NEW, MOVED], interval=300, **DAY)
    )
    merged = series(v2("traffic/detail", play_domains=[NEW, MOVED]))
    assert {datetime.fromisoformat(row.time): row.value for row in detail.data_list} == merged
    summary = live.list_domain_traffic_summary(
        ListDomainTrafficSummaryRequest(play_domains=[NEW, MOVED], **DAY)
    )
    found = {row.domain: row.value for row in summary.traffic_list}
    assert found == sums(v2("traffic/summary", play_domains=[NEW, MOVED]))
    bandwidth = live.list_bandwidth_detail(
        ListBandwidthDetailRequest(play_domains=[NEW], interval=3600, **DAY)
    )
    assert {datetime.fromisoformat(row.time): row.value for row in bandwidth.data_list} == series(
        v2("bandwidth/detail", interval=3600)
    )
