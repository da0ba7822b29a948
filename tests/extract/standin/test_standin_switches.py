"""Each unknown of the source is a switch; each position does what it says."""

from collections.abc import Callable

import pytest
import requests

from extract.standin.server import Standin
from extract.standin.switches import SPECS, Panel, SwitchError, Switches

Traffic = Callable[..., requests.Response]
Control = Callable[..., requests.Response]


def times(answer: requests.Response) -> list[str]:
    """The timestamps in the order served."""
    assert answer.status_code == 200, answer.text
    return [point["timestamp"] for point in answer.json()["traffic_info"]]


def values(answer: requests.Response) -> list[int]:
    """The bytes in the order served."""
    return [point["traffic"] for point in answer.json()["traffic_info"]]


@pytest.mark.parametrize("step", [5, 60])
def test_idle_periods_can_be_left_out(traffic: Traffic, standin: Standin, step: int) -> None:
    week = {"start_time": "2026-02-20T00:00:00Z", "step": step}
    with_zeros = traffic(**week).json()
    standin.switches(idle="omit")
    without = traffic(**week).json()
    kept = [point for point in with_zeros["traffic_info"] if point["traffic"]]
    assert len(kept) < len(with_zeros["traffic_info"])
    assert without == {"total": len(kept), "traffic_info": kept}
    assert traffic(domain="play003.example.com").json() == {"total": 0, "traffic_info": []}


def test_the_end_can_be_inclusive(traffic: Traffic, standin: Standin) -> None:
    standin.switches(end_inclusive=True)
    assert times(traffic())[-1] == "2026-02-28T00:00:00Z"
    assert times(traffic(end_time="2026-02-27T23:58:00Z"))[-1] == "2026-02-27T23:55:00Z"


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        ("floor", ["2026-02-27T10:00:00Z", "2026-02-27T10:05:00Z"]),
        ("next", ["2026-02-27T10:05:00Z"]),
        ("keep", ["2026-02-27T10:00:15Z", "2026-02-27T10:05:15Z"]),
    ],
)
def test_unaligned_starts(
    traffic: Traffic, standin: Standin, position: str, expected: list[str]
) -> None:
    standin.switches(unaligned_start=position)
    asked = {"start_time": "2026-02-27T10:00:15Z", "end_time": "2026-02-27T10:10:00Z"}
    assert times(traffic(**asked)) == expected


def test_the_default_step(traffic: Traffic, standin: Standin) -> None:
    standin.switches(default_step=60)
    assert len(times(traffic())) == 24


def test_the_legal_steps(traffic: Traffic, standin: Standin) -> None:
    standin.switches(legal_steps="5,10")
    assert len(times(traffic(step=10))) == 144
    assert traffic(step=60).status_code == 400


def test_days_can_begin_at_beijings_midnight(traffic: Traffic, standin: Standin) -> None:
    five = traffic(start_time="2026-02-26T16:00:00Z", end_time="2026-02-27T16:00:00Z")
    standin.switches(day_origin="UTC+8")
    asked = {"start_time": "2026-02-26T16:00:00Z", "end_time": "2026-02-27T16:00:00Z"}
    day = traffic(step=1440, **asked)
    assert times(day) == ["2026-02-26T16:00:00Z"]
    assert values(day) == [sum(values(five))]
    assert times(traffic(step=60))[0] == "2026-02-27T00:00:00Z"
    truth = standin.truth("play001.example.com", step_minutes=1440)
    assert {f"{t:%H:%M}" for t in truth} == {"16:00"}


@pytest.mark.parametrize(
    ("position", "status", "code"),
    [("empty", 200, None), ("400", 400, "LIVE.100011001"), ("404", 404, "LIVE.103011019")],
)
def test_unknown_domains(
    traffic: Traffic, standin: Standin, position: str, status: int, code: str | None
) -> None:
    standin.switches(unknown_domain=position)
    answer = traffic(domain="nobody.example.com")
    assert (answer.status_code, answer.json().get("error_code")) == (status, code)


@pytest.mark.parametrize(("position", "status"), [("empty", 200), ("400", 400), ("404", 404)])
def test_push_domains(traffic: Traffic, standin: Standin, position: str, status: int) -> None:
    standin.switches(push_domain=position)
    assert traffic(domain="publish001.example.com").status_code == status


def test_push_domains_can_have_zeros(traffic: Traffic, standin: Standin) -> None:
    standin.switches(push_domain="zero")
    assert set(values(traffic(domain="publish001.example.com"))) == {0}


def test_an_empty_domain_is_refused_or_means_the_tenant(traffic: Traffic, standin: Standin) -> None:
    assert traffic(domain="").status_code == 400
    standin.switches(empty_domain="total")
    assert traffic(domain="").json() == traffic(domain=None).json()


def test_a_tenant_without_domains(standin: Standin) -> None:
    with Standin(domains=0) as empty:
        url = f"{empty.url}/v1/{empty.ready['project_id']}/domain"
        headers = {"X-Auth-Token": empty.ready["token"]}
        assert requests.request("GET", url, headers=headers, timeout=30).json()["total"] == 0
        empty.switches(empty_tenant="404")
        assert requests.request("GET", url, headers=headers, timeout=30).status_code == 404


def test_periods_before_the_creation_can_be_zeros(traffic: Traffic, standin: Standin) -> None:
    asked = {"start_time": "2026-01-14T00:00:00Z", "end_time": "2026-01-16T00:00:00Z"}
    omitted = traffic(domain="play004.example.com", **asked)
    standin.switches(before_creation="zero")
    filled = traffic(domain="play004.example.com", **asked)
    assert len(times(filled)) == 2 * 288
    assert values(filled)[-len(values(omitted)) :] == values(omitted)
    assert set(values(filled)[: -len(values(omitted))]) == {0}


def test_order(traffic: Traffic, standin: Standin) -> None:
    ascending = times(traffic())
    assert ascending == sorted(ascending)
    standin.switches(order="descending")
    assert times(traffic()) == ascending[::-1]
    standin.switches(order="shuffled")
    assert times(traffic()) not in (ascending, ascending[::-1])
    assert sorted(times(traffic())) == ascending


@pytest.mark.parametrize(("minutes", "last"), [(0, "23:55"), (10, "23:45"), (180, "20:55")])
def test_the_delay(traffic: Traffic, standin: Standin, minutes: int, last: str) -> None:
    standin.switches(delay_minutes=minutes)
    asked = {"start_time": "2026-02-28T00:00:00Z", "end_time": "2026-03-01T00:00:00Z"}
    assert times(traffic(**asked))[-1] == f"2026-02-28T{last}:00Z"


def test_an_unfinished_hour_is_not_served(traffic: Traffic) -> None:
    asked = {"start_time": "2026-02-28T00:00:00Z", "end_time": "2026-03-01T00:00:00Z"}
    assert times(traffic(step=60, **asked))[-1] == "2026-02-28T22:00:00Z"
    assert times(traffic(step=1440, **asked)) == []


def test_late_values_grow_until_they_are_final(traffic: Traffic, standin: Standin) -> None:
    point = {"start_time": "2026-02-28T22:00:00Z", "end_time": "2026-02-28T22:05:00Z"}
    final = values(traffic(**point))[0]
    standin.switches(late_minutes=180)
    seen = []
    for hour in (22, 23):
        standin.set_clock(standin.now().replace(month=2, day=28, hour=hour, minute=30))
        seen.append(values(traffic(**point))[0])
    standin.set_clock(standin.now().replace(month=3, day=1, hour=1, minute=4))
    seen.append(values(traffic(**point))[0])
    assert final // 2 < seen[0] < seen[1] < seen[2] < final
    standin.set_clock(standin.now().replace(minute=5))
    assert values(traffic(**point))[0] == final


def test_late_hours_are_sums_of_late_five_minutes(traffic: Traffic, standin: Standin) -> None:
    standin.switches(late_minutes=180, delay_minutes=0)
    asked = {"start_time": "2026-02-28T00:00:00Z", "end_time": "2026-03-01T00:00:00Z"}
    five, hours = values(traffic(**asked)), values(traffic(step=60, **asked))
    assert [sum(five[i : i + 12]) for i in range(0, 288, 12)] == hours
    assert standin.truth("play001.example.com", step_minutes=1440)[
        standin.now().replace(month=2, day=28)
    ] == sum(five)


@pytest.mark.parametrize(
    ("position", "edge"), [("90d", "2025-12-01"), ("3mo", "2025-12-01"), ("2mo", "2026-01-01")]
)
def test_the_look_back(traffic: Traffic, standin: Standin, position: str, edge: str) -> None:
    standin.switches(look_back=position)
    inside = {"start_time": f"{edge}T00:00:00Z", "end_time": f"{edge}T01:00:00Z"}
    assert traffic(**inside).status_code == 200
    assert traffic(**inside | {"start_time": f"{edge[:-2]}00T00:00:00Z"}).status_code == 400


def test_calendar_months_end_where_the_month_ends() -> None:
    end_of_may = 1_780_185_600  # 2026-05-31T00:00:00Z
    assert Switches(look_back="3mo").edge(end_of_may) == 1_772_236_800  # 2026-02-28T00:00:00Z


def test_language(traffic: Traffic, standin: Standin) -> None:
    assert traffic(step=7).json()["error_msg"].isascii()
    standin.switches(language="zh")
    chinese = traffic(step=7).json()
    assert chinese["error_code"] == "LIVE.100011001"
    assert not chinese["error_msg"].isascii()


def test_the_code_prefix(standin: Standin) -> None:
    standin.switches(code_prefix="APIG")
    assert (
        requests.request("GET", f"{standin.url}/x", timeout=30).json()["error_code"] == "APIG.0101"
    )


def test_gzip_only_where_both_sides_want_it(traffic: Traffic, standin: Standin) -> None:
    plain = traffic()
    assert "Content-Encoding" not in plain.headers
    standin.switches(gzip=True)
    packed = traffic()
    assert packed.headers["Content-Encoding"] == "gzip"
    assert int(packed.headers["Content-Length"]) < len(plain.content) / 3
    assert packed.json() == plain.json()


def test_every_switch_is_shown_with_whether_it_is_a_guess(control: Control) -> None:
    shown = control("GET", "switches").json()["switches"]
    assert set(shown) == set(SPECS)
    assert shown["idle"] == {
        "value": "zero",
        "guess": True,
        "about": "idle periods: explicit zeros or left out",
    }
    assert shown["traffic_per_minute"]["guess"] is False


def test_switches_are_thrown_all_or_none(control: Control, standin: Standin) -> None:
    assert control("PUT", "switches", {"idle": "omit", "order": "upwards"}).status_code == 400
    assert standin.world.panel.current.idle == "zero"
    thrown = control("PUT", "switches", {"idle": "omit", "delay_minutes": 3})
    assert thrown.json()["switches"]["delay_minutes"]["value"] == 3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("nonsense", 1),
        ("idle", "maybe"),
        ("delay_minutes", -1),
        ("delay_minutes", True),
        ("legal_steps", "7"),
        ("legal_steps", "0"),
        ("look_back", "90"),
        ("gzip", "perhaps"),
    ],
)
def test_a_wrong_switch_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(SwitchError, match=name):
        Panel({name: value})
