"""Tokens, IAM's two operations, and the order in which a request is judged."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import requests

from extract.standin.server import Standin

Call = Callable[..., requests.Response]


@pytest.fixture
def login(standin: Standin, session: requests.Session) -> Call:
    """``POST /v3/auth/tokens``; keywords replace the user's name, password or account."""

    def post(query: str = "", scope: object = None, **wrong: str) -> requests.Response:
        ready = standin.ready | wrong
        user = {
            "name": ready["username"],
            "password": ready["password"],
            "domain": {"name": ready["account"]},
        }
        auth: dict[str, object] = {
            "identity": {"methods": ["password"], "password": {"user": user}}
        }
        auth["scope"] = scope if scope is not None else {"project": {"name": "cn-north-4"}}
        url = f"{standin.url}/v3/auth/tokens{query}"
        return session.post(url, json={"auth": auth}, timeout=30)

    return post


def domains(standin: Standin, token: str, project: str | None = None) -> requests.Response:
    url = f"{standin.url}/v1/{project or standin.ready['project_id']}/domain"
    return requests.request("GET", url, headers={"x-auth-token": token}, timeout=30)


def test_a_password_buys_a_token_in_a_header(login: Call, standin: Standin) -> None:
    answer = login()
    assert answer.status_code == 201
    token = answer.json()["token"]
    assert token["project"]["id"] == standin.ready["project_id"]
    assert token["catalog"] == []
    issued, expires = (
        datetime.strptime(token[name], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
        for name in ("issued_at", "expires_at")
    )
    assert expires - issued == timedelta(hours=24)
    assert abs(datetime.now(UTC) - issued) < timedelta(minutes=1), "by the real clock"
    assert domains(standin, answer.headers["X-Subject-Token"]).status_code == 200


def test_the_catalog_can_be_left_out(login: Call) -> None:
    assert "catalog" not in login("?nocatalog=true").json()["token"]


def test_scopes(login: Call, standin: Standin) -> None:
    by_id = login(scope={"project": {"id": standin.ready["project_id"]}})
    assert by_id.json()["token"]["project"]["name"] == "cn-north-4"
    both = login(scope={"project": {"name": "cn-north-4"}, "domain": {"name": "x"}})
    assert "project" in both.json()["token"]
    assert login(scope={"project": {"name": "mars"}}).status_code == 404
    unscoped = login(scope={})
    assert unscoped.status_code == 201
    refused = domains(standin, unscoped.headers["X-Subject-Token"])
    assert refused.json()["error_code"] == "LIVE.100011015"


@pytest.mark.parametrize("wrong", ["username", "password", "account"])
def test_wrong_names_are_refused_in_iams_own_shape(login: Call, wrong: str) -> None:
    answer = login(**{wrong: "wrong"})
    assert answer.status_code == 401
    message = "The username or password is wrong."
    expected = {"error": {"code": 401, "message": message, "title": "Unauthorized"}}
    assert answer.json() == expected


def test_wrong_passwords_lock_the_user(login: Call) -> None:
    for _ in range(6):
        login(password="wrong")
    assert login().status_code == 401
    assert "locked" in login().json()["error"]["message"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"auth": {"identity": {}}}', b"{nonsense"])
def test_a_body_that_is_no_login_is_a_bad_request(standin: Standin, body: bytes) -> None:
    answer = requests.post(f"{standin.url}/v3/auth/tokens", data=body, timeout=30)
    assert answer.status_code == 400
    assert answer.json()["error"]["title"] == "Bad Request"


def test_a_new_token_leaves_the_old_one_valid(login: Call, standin: Standin) -> None:
    first, second = (login().headers["X-Subject-Token"] for _ in range(2))
    assert first != second
    assert domains(standin, first).status_code == domains(standin, second).status_code == 200


def test_tokens_expire_by_the_real_clock(login: Call, standin: Standin) -> None:
    token = login().headers["X-Subject-Token"]
    standin.set_clock(datetime(2031, 1, 1, tzinfo=UTC))
    assert domains(standin, token).status_code == 200
    standin.switches(token_ttl=0)
    stale = domains(standin, login().headers["X-Subject-Token"])
    assert (stale.status_code, stale.json()["error_code"]) == (401, "APIGW.0307")
    assert stale.json()["error_msg"] == "The token must be updated."
    assert domains(standin, standin.ready["token"]).status_code == 200, "the ready one lasts"


def test_no_token_and_a_foreign_token_are_refused_in_three_fields(standin: Standin) -> None:
    url = f"{standin.url}/v1/{standin.ready['project_id']}/domain"
    for answer in (requests.request("GET", url, timeout=30), domains(standin, "garbled")):
        assert answer.status_code == 401
        assert set(answer.json()) == {"error_code", "error_msg", "request_id"}
        assert answer.json()["error_code"] == "APIGW.0301"
        assert answer.json()["request_id"] == answer.headers["X-Request-Id"]


def test_authentication_comes_before_everything(standin: Standin) -> None:
    url = f"{standin.url}/v1/{'f' * 32}/stream/traffic?end_time=nonsense&step=-1"
    assert requests.request("GET", url, timeout=30).json()["error_code"] == "APIGW.0301"


def test_another_project_is_refused(standin: Standin) -> None:
    answer = domains(standin, standin.ready["token"], "f" * 32)
    assert answer.status_code == 401
    assert answer.json()["error_code"] == "LIVE.100011015"
    assert set(answer.json()) == {"error_code", "error_msg"}


def test_projects_by_name_and_by_page(standin: Standin, session: requests.Session) -> None:
    def projects(query: str) -> requests.Response:
        headers = {"X-Auth-Token": standin.ready["token"]}
        return session.get(f"{standin.url}/v3/projects{query}", headers=headers, timeout=30)

    found = projects("?name=cn-north-4").json()["projects"]
    assert [project["id"] for project in found] == [standin.ready["project_id"]]
    assert len(projects("").json()["projects"]) == 2
    assert len(projects("?page=2&per_page=1").json()["projects"]) == 1
    assert projects("?enabled=true&name=nowhere").json()["projects"] == []
    for wrong in ("?page=1", "?per_page=5", "?page=0&per_page=1", "?page=1&per_page=5001"):
        assert projects(wrong).status_code == 400


def test_projects_need_credentials_and_refuse_in_iams_shape(standin: Standin) -> None:
    answer = requests.request("GET", f"{standin.url}/v3/projects", timeout=30)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/{p}/stream/traffic/"),
        ("POST", "/v1/{p}/stream/traffic"),
        ("GET", "/v2/{p}/stats/traffic/details"),
        ("GET", "/v3/projects/"),
        ("GET", "/"),
    ],
)
def test_unknown_paths_and_methods_do_not_exist(standin: Standin, method: str, path: str) -> None:
    url = standin.url + path.format(p=standin.ready["project_id"])
    answer = requests.request(method, url, timeout=30)
    assert (answer.status_code, answer.json()["error_code"]) == (404, "APIGW.0101")
