"""The documented time rules of ShowTraffic, boundary by boundary."""

from collections.abc import Callable

import pytest
import requests

from extract.standin.server import Standin

Traffic = Callable[..., requests.Response]

LEGAL = [
    ("2026-01-30T00:00:00Z", "2026-03-01T00:00:00Z"),  # exactly 30 days
    ("2025-12-01T00:00:00Z", "2025-12-02T00:00:00Z"),  # exactly 90 days ago
    ("2026-02-28T00:00:00Z", "2026-03-05T00:00:00Z"),  # the future is empty, not illegal
    ("2026-02-28T00:00:00Z", None),
]
ILLEGAL = [
    ("2026-01-30T00:00:00Z", "2026-03-01T00:00:01Z"),  # a second more than 30 days
    ("2025-11-30T23:59:59Z", "2025-12-02T00:00:00Z"),  # a second more than 90 days ago
    ("2026-02-28T00:00:00Z", "2026-02-28T00:00:00Z"),  # empty
    ("2026-02-28T00:00:00Z", "2026-02-27T00:00:00Z"),  # backwards
    (None, "2026-02-28T00:00:00Z"),  # end alone
    ("2026-03-02T00:00:00Z", None),  # start alone, after now
    ("2026-02-28", "2026-03-01T00:00:00Z"),
    ("2026-02-28T00:00:00", "2026-03-01T00:00:00Z"),
    ("2026-02-28T00:00:00+08:00", "2026-03-01T00:00:00Z"),
    ("2026-02-30T00:00:00Z", "2026-03-01T00:00:00Z"),
    ("", "2026-03-01T00:00:00Z"),
    ("1772236800", "1772323200"),
]


@pytest.mark.parametrize(("start", "end"), LEGAL)
def test_legal_times(traffic: Traffic, start: str | None, end: str | None) -> None:
    assert traffic(start_time=start, end_time=end).status_code == 200


@pytest.mark.parametrize(("start", "end"), ILLEGAL)
def test_illegal_times(traffic: Traffic, start: str | None, end: str | None) -> None:
    answer = traffic(start_time=start, end_time=end)
    assert answer.status_code == 400
    assert answer.json()["error_code"] == "LIVE.100011001"
    assert set(answer.json()) == {"error_code", "error_msg"}


@pytest.mark.parametrize("step", ["5", "60", "1440"])
def test_legal_steps(traffic: Traffic, step: str) -> None:
    assert traffic(step=step).json()["total"] == 1440 // int(step)


@pytest.mark.parametrize("step", ["0", "-5", "5.0", "", "five", "7", "300", "٥"])
def test_illegal_steps(traffic: Traffic, step: str) -> None:
    answer = traffic(step=step)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "LIVE.100011001")


def test_without_times_the_latest_published_period_is_served(traffic: Traffic) -> None:
    points = traffic(start_time=None, end_time=None).json()["traffic_info"]
    assert [point["timestamp"] for point in points] == ["2026-02-28T23:45:00Z"]


def test_start_alone_reaches_until_now(traffic: Traffic) -> None:
    points = traffic(start_time="2026-02-28T23:00:00Z", end_time=None).json()["traffic_info"]
    assert points[0]["timestamp"] == "2026-02-28T23:00:00Z"
    assert points[-1]["timestamp"] == "2026-02-28T23:45:00Z"


def test_a_window_is_half_open_and_starts_periods(traffic: Traffic) -> None:
    points = traffic().json()["traffic_info"]
    assert points[0]["timestamp"] == "2026-02-27T00:00:00Z"
    assert points[-1]["timestamp"] == "2026-02-27T23:55:00Z"
    assert len(points) == 288


def test_the_edge_moves_with_the_clock(traffic: Traffic, standin: Standin) -> None:
    standin.set_clock(standin.now().replace(hour=1))
    assert (
        traffic(start_time="2025-12-01T00:59:59Z", end_time="2025-12-02T00:00:00Z").status_code
        == 400
    )
    assert (
        traffic(start_time="2025-12-01T01:00:00Z", end_time="2025-12-02T00:00:00Z").status_code
        == 200
    )
