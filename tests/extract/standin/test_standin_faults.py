"""Each fault does what its name says, to the requests it is ordered for."""

import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest
import requests

from extract.standin.faults import BODY_KINDS, GATE_KINDS, HEADER_KINDS, KINDS, POINT_KINDS
from extract.standin.server import Standin

Call = Callable[..., requests.Response]
Point = dict[str, object]

HOUR = {"start_time": "2026-02-27T12:00:00Z", "end_time": "2026-02-27T13:00:00Z"}


@pytest.fixture
def spoilt(traffic: Call, standin: Standin) -> Callable[..., tuple[list[Point], dict[str, object]]]:
    """The good points of an hour, and the document that a fault makes of them."""

    def get(kind: str, **options: object) -> tuple[list[Point], dict[str, object]]:
        good = traffic(**HOUR).json()["traffic_info"]
        standin.faults([{"kind": kind, **options}])
        bad = json.loads(traffic(**HOUR).text)
        assert isinstance(bad, dict)
        return good, bad

    return get


Spoilt = Callable[..., tuple[list[Point], dict[str, object]]]


def points_of(document: Mapping[str, object]) -> list[Point]:
    points = document["traffic_info"]
    assert isinstance(points, list)
    return points


def test_split_points_is_the_vendors_malformed_example(spoilt: Spoilt) -> None:
    good, bad = spoilt("split_points", indexes=[1])
    value, time = points_of(bad)[1:3]
    assert value == {"traffic": good[1]["traffic"]}
    assert time == {"timestamp": good[1]["timestamp"]}
    assert bad["total"] == 13 == len(points_of(bad))


@pytest.mark.parametrize(
    ("kind", "check"),
    [
        ("missing_value", lambda p, _: "traffic" not in p and "timestamp" in p),
        ("missing_time", lambda p, _: "timestamp" not in p and "traffic" in p),
        ("null_value", lambda p, _: p["traffic"] is None),
        ("negative", lambda p, _: p["traffic"] < 0),
        ("fraction", lambda p, g: p["traffic"] == g["traffic"] + 0.5),
        ("string_number", lambda p, g: p["traffic"] == str(g["traffic"])),
        ("integral_float", lambda p, g: repr(p["traffic"]) == f"{g['traffic']}.0"),
        ("nan", lambda p, _: math.isnan(p["traffic"])),
        ("bool_value", lambda p, _: p["traffic"] is True),
        ("too_big", lambda p, _: p["traffic"] == 2**63),
        ("huge_values", lambda p, _: p["traffic"] == 2**63 - 1),
        ("time_without_zone", lambda p, g: p["timestamp"] + "Z" == g["timestamp"]),
    ],
)
def test_a_spoilt_value_leaves_the_others_alone(
    spoilt: Spoilt, kind: str, check: Callable[[Point, Point], bool]
) -> None:
    good, bad = spoilt(kind, indexes=[0, -1])
    points = points_of(bad)
    assert check(points[0], good[0])
    assert check(points[11], good[11])
    assert points[1:11] == good[1:11]
    assert bad["total"] == 12


def test_points_are_picked_by_index_by_every_or_in_the_middle(spoilt: Spoilt) -> None:
    def struck(**options: object) -> list[int]:
        _, bad = spoilt("null_value", **options)
        return [i for i, point in enumerate(points_of(bad)) if point["traffic"] is None]

    assert struck() == [6]
    assert struck(every=4) == [3, 7, 11]
    assert struck(indexes=[0, 99, -2]) == [0, 10]


def test_duplicates(spoilt: Spoilt) -> None:
    good, bad = spoilt("duplicate_equal", indexes=[3])
    assert points_of(bad) == [*good[:4], good[3], *good[4:]]
    assert bad["total"] == 13
    good, bad = spoilt("duplicate_conflict", indexes=[3])
    twin = points_of(bad)[4]
    assert twin["timestamp"] == good[3]["timestamp"]
    assert twin["traffic"] != good[3]["traffic"]


def test_disorder(spoilt: Spoilt) -> None:
    good, bad = spoilt("disorder")
    assert points_of(bad) != good
    assert sorted(points_of(bad), key=lambda p: str(p["timestamp"])) == good


def test_outside_window(spoilt: Spoilt) -> None:
    good, bad = spoilt("outside_window")
    points = points_of(bad)
    assert points[1:-1] == good
    assert points[0]["timestamp"] == "2026-02-27T11:55:00Z"
    assert points[-1]["timestamp"] == "2026-02-27T13:00:00Z"


def test_total_mismatch(spoilt: Spoilt) -> None:
    good, bad = spoilt("total_mismatch", by=5)
    assert points_of(bad) == good
    assert bad["total"] == 17


@pytest.mark.parametrize(("total", "expected"), [("kept", 12), ("adjusted", 9)])
def test_truncate_tail(spoilt: Spoilt, total: str, expected: int) -> None:
    good, bad = spoilt("truncate_tail", points=3, total=total)
    assert points_of(bad) == good[:9]
    assert bad["total"] == expected


@pytest.mark.parametrize(("total", "expected"), [("kept", 12), ("adjusted", 10)])
def test_drop_points(spoilt: Spoilt, total: str, expected: int) -> None:
    good, bad = spoilt("drop_points", indexes=[0, 5], total=total)
    assert points_of(bad) == good[1:5] + good[6:]
    assert bad["total"] == expected


def test_off_grid(spoilt: Spoilt) -> None:
    _, bad = spoilt("off_grid", seconds=15)
    assert {str(p["timestamp"])[-3:] for p in points_of(bad)} == {"15Z"}
    _, bad = spoilt("off_grid_mixed")
    assert len({str(p["timestamp"])[-3:] for p in points_of(bad)}) > 2


def test_unknown_field(spoilt: Spoilt) -> None:
    good, bad = spoilt("unknown_field")
    assert bad["quality"] == "good"
    assert points_of(bad) == [point | {"quality": "good"} for point in good]


def test_no_list_and_not_object(traffic: Call, standin: Standin) -> None:
    standin.faults([{"kind": "no_list"}])
    assert traffic(**HOUR).json() == {"total": 12}
    standin.faults([{"kind": "no_list", "as": "null"}])
    assert traffic(**HOUR).json()["traffic_info"] is None
    standin.faults([{"kind": "not_object"}])
    assert len(traffic(**HOUR).json()) == 12


def test_broken_bodies(traffic: Call, standin: Standin) -> None:
    standin.faults([{"kind": "empty_body"}])
    assert (traffic().status_code, traffic().content) == (200, b"")
    standin.faults([{"kind": "not_json"}])
    with pytest.raises(requests.exceptions.JSONDecodeError):
        traffic().json()
    standin.faults([{"kind": "cut_body", "times": 1}])
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        traffic()
    assert traffic().status_code == 200


def test_body_faults_strike_the_domain_list_too(call: Call, standin: Standin) -> None:
    standin.faults([{"kind": "no_list", "operation": "domains"}])
    assert call("/domain").json() == {"total": 6}


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ("live", {"error_code": "X.1", "error_msg": "why"}),
        ("code_message", {"code": "X.1", "message": "why"}),
        ("camel", {"errorCode": "X.1", "errorMsg": "why"}),
        ("iam", {"error": {"code": 503, "message": "why", "title": "Service Unavailable"}}),
    ],
)
def test_status_in_every_shape(
    traffic: Call, standin: Standin, shape: str, expected: dict[str, object]
) -> None:
    order = {"kind": "status", "status": 503, "error_code": "X.1", "error_msg": "why"}
    standin.faults([order | {"body_shape": shape}])
    answer = traffic()
    assert (answer.status_code, answer.json()) == (503, expected)


def test_status_without_json(traffic: Call, standin: Standin) -> None:
    standin.faults([{"kind": "status", "status": 504, "body_shape": "empty"}])
    assert (traffic().status_code, traffic().content) == (504, b"")
    standin.faults([{"kind": "status", "status": 599, "body_shape": "text", "error_msg": "no"}])
    assert (traffic().status_code, traffic().text) == (599, "no")
    standin.faults([{"kind": "status", "status": 502, "body_shape": "gateway"}])
    assert "request_id" in traffic().json()


def test_html_and_redirect(traffic: Call, standin: Standin) -> None:
    standin.faults([{"kind": "html", "status": 502}])
    answer = traffic()
    assert answer.status_code == 502
    assert answer.headers["Content-Type"] == "text/html"
    standin.faults([{"kind": "redirect", "location": "http://127.0.0.1:9/x"}])
    answer = traffic()
    assert (answer.status_code, answer.headers["Location"]) == (302, "http://127.0.0.1:9/x")


def test_throttle_speaks_with_two_tongues(traffic: Call, standin: Standin) -> None:
    standin.faults([{"kind": "throttle", "retry_after": 7}])
    answer = traffic()
    assert (answer.status_code, answer.json()["error_code"]) == (429, "APIGW.0308")
    assert answer.headers["Retry-After"] == "7"
    standin.faults([{"kind": "throttle", "as": "500"}])
    answer = traffic()
    assert (answer.status_code, answer.json()["error_code"]) == (500, "LIVE.100011007")


def test_reset_closes_without_an_answer(traffic: Call, standin: Standin) -> None:
    standin.faults([{"kind": "reset", "times": 1}])
    with pytest.raises(requests.exceptions.ConnectionError):
        traffic()
    assert traffic().status_code == 200
    assert [entry["status"] for entry in standin.requests()] == [None, 200]


def test_revoked_tokens_are_stale_and_new_ones_are_not(traffic: Call, standin: Standin) -> None:
    standin.faults([{"kind": "revoke_tokens", "after": 1}])
    assert [traffic().status_code for _ in range(3)] == [200, 401, 401]
    assert traffic().json()["error_code"] == "APIGW.0307"
    fresh = standin.world.tokens.issue(standin.ready["project_id"], 60)
    url = f"{standin.url}/v1/{standin.ready['project_id']}/domain"
    answer = requests.request("GET", url, headers={"X-Auth-Token": fresh.text}, timeout=30)
    assert answer.status_code == 200, "one shot"


def test_slow_answers_outlast_a_patience_that_is_shorter(
    traffic: Call, standin: Standin, session: requests.Session
) -> None:
    headers = {"X-Auth-Token": standin.ready["token"]}
    url = f"{standin.url}/v1/{standin.ready['project_id']}/domain"
    for kind in ("slow", "slow_body"):
        standin.faults([{"kind": kind, "seconds": 30, "times": 1}])
        with pytest.raises((requests.exceptions.Timeout, requests.exceptions.ConnectionError)):
            session.get(url, headers=headers, timeout=0.2)
    assert traffic().status_code == 200


def test_clock_skew_moves_the_date_header(traffic: Call, standin: Standin) -> None:
    standin.faults([{"kind": "clock_skew", "seconds": -7200}])
    assert traffic().headers["Date"] == "Sat, 28 Feb 2026 22:00:00 GMT"
    assert traffic(step=7).headers["Date"] == "Sat, 28 Feb 2026 22:00:00 GMT"


def test_faults_are_counted_and_aimed(traffic: Call, call: Call, standin: Standin) -> None:
    order = {"kind": "html", "operation": "traffic", "domain": "play002.example.com"}
    standin.faults([order | {"after": 1, "times": 2}])
    assert call("/domain").status_code == 200
    assert traffic().status_code == 200
    struck = [traffic(domain="play002.example.com").status_code for _ in range(5)]
    assert struck == [200, 502, 502, 200, 200]


def test_a_fault_of_points_waits_for_points(traffic: Call, standin: Standin) -> None:
    standin.faults([{"kind": "null_value", "times": 1}])
    traffic(domain="publish001.example.com")
    traffic(step=7)
    assert any(point["traffic"] is None for point in traffic().json()["traffic_info"])


def test_probability_is_seeded(traffic: Call, standin: Standin) -> None:
    def outcomes() -> list[int]:
        standin.faults([{"kind": "html", "probability": 0.5}])
        return [traffic().status_code for _ in range(24)]

    assert set(outcomes()) == {200, 502}
    assert outcomes() == outcomes()


def test_faults_do_not_touch_the_truth(traffic: Call, standin: Standin) -> None:
    before = standin.truth("play001.example.com")
    standin.faults([{"kind": "huge_values", "every": 1}])
    traffic()
    assert standin.truth("play001.example.com") == before


def test_several_faults_add_up(spoilt: Spoilt, traffic: Call, standin: Standin) -> None:
    standin.faults([{"kind": "null_value", "indexes": [0]}, {"kind": "disorder"}])
    points = traffic(**HOUR).json()["traffic_info"]
    nulls = [p for p in points if p["traffic"] is None]
    assert [p["timestamp"] for p in nulls] == ["2026-02-27T12:00:00Z"]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_can_be_ordered_and_shown(standin: Standin, kind: str) -> None:
    standin.faults([{"kind": kind}])
    assert standin.world.faults.describe()[0]["kind"] == kind


def test_each_kind_belongs_to_one_phase() -> None:
    phases = (GATE_KINDS, POINT_KINDS, BODY_KINDS, HEADER_KINDS)
    assert sum(len(kinds) for kinds in phases) == len(KINDS)


@pytest.mark.parametrize(
    "order",
    [
        {"kind": "nonsense"},
        {},
        "html",
        {"kind": "html", "colour": "red"},
        {"kind": "html", "operation": "everything"},
        {"kind": "html", "times": -1},
        {"kind": "html", "probability": "often"},
        {"kind": "html", "status": True},
        {"kind": ["html"]},
        {"kind": "null_value", "indexes": 3},
        {"kind": "null_value", "every": 0},
    ],
)
def test_a_wrong_order_changes_nothing(standin: Standin, control: Call, order: object) -> None:
    standin.faults([{"kind": "slow"}])
    assert control("PUT", "faults", {"faults": [order]}).status_code == 400
    assert [f["kind"] for f in control("GET", "faults").json()["faults"]] == ["slow"]
    assert control("PUT", "faults", {"faults": []}).json() == {"faults": []}


def test_the_date_is_a_date(traffic: Call) -> None:
    sent = parsedate_to_datetime(traffic().headers["Date"])
    assert sent == datetime(2026, 3, 1, tzinfo=UTC)
