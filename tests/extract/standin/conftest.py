"""A stand-in whose clock stands still, and calls over real HTTP."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
import requests

from extract.standin.server import Standin

NOW = datetime(2026, 3, 1, tzinfo=UTC)
START, END = "2026-02-27T00:00:00Z", "2026-02-28T00:00:00Z"


@pytest.fixture
def standin() -> Iterator[Standin]:
    """Six domains; it is 2026-03-01T00:00:00Z."""
    with Standin(now=NOW, seed=7) as running:
        yield running


@pytest.fixture
def session() -> Iterator[requests.Session]:
    """One connection, kept alive."""
    with requests.Session() as opened:
        opened.trust_env = False
        yield opened


@pytest.fixture
def call(standin: Standin, session: requests.Session) -> Callable[..., requests.Response]:
    """``call("/stream/traffic", **parameters)`` with the token, below the project."""

    def get(path: str, **parameters: object) -> requests.Response:
        return session.get(
            f"{standin.url}/v1/{standin.ready['project_id']}{path}",
            params={name: str(value) for name, value in parameters.items()},
            headers={"X-Auth-Token": standin.ready["token"]},
            allow_redirects=False,
            timeout=30,
        )

    return get


@pytest.fixture
def traffic(call: Callable[..., requests.Response]) -> Callable[..., requests.Response]:
    """ShowTraffic of ``play001`` on 2026-02-27, unless told otherwise; None leaves one out."""

    def get(**parameters: object) -> requests.Response:
        asked = {"domain": "play001.example.com", "start_time": START, "end_time": END} | parameters
        return call(
            "/stream/traffic",
            **{name: value for name, value in asked.items() if value is not None},
        )

    return get


@pytest.fixture
def control(standin: Standin, session: requests.Session) -> Callable[..., requests.Response]:
    """``control("PUT", "clock", {...})``."""

    def send(method: str, name: str, body: object = None) -> requests.Response:
        return session.request(method, f"{standin.url}/_standin/{name}", json=body, timeout=30)

    return send
