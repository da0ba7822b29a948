"""The part of IAM that a statistics client needs: a token by password, and the projects."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from extract.standin.clock import Clock
from extract.standin.fixtures import Account
from extract.standin.quota import FailureLock
from extract.standin.refusals import iam_refusal
from extract.standin.switches import Panel
from extract.standin.tokens import Token, Tokens
from extract.standin.wire import Answer, Request, json_answer

OTHER_PROJECT = "MOS"


@dataclass(frozen=True, slots=True)
class Login:
    """What a token request says."""

    username: str
    password: str
    account: str
    project: Mapping[str, object] | None


class Iam:
    """``POST /v3/auth/tokens`` and ``GET /v3/projects``."""

    def __init__(self, account: Account, tokens: Tokens, clock: Clock, panel: Panel) -> None:
        self._account, self._tokens, self._panel = account, tokens, panel
        self._users = FailureLock(clock.real)

    def create_token(self, request: Request) -> Answer:
        """A token by user name and password: 201, the token in ``X-Subject-Token``."""
        login = _login(request.body)
        self._check(login)
        project_id = self._scope(login.project) if login.project is not None else None
        token = self._tokens.issue(project_id, self._panel.current.token_ttl)
        answer = json_answer({"token": self._described(token, request)}, 201)
        answer.headers["X-Subject-Token"] = token.text
        return answer

    def list_projects(self, request: Request) -> Answer:
        """The user's projects, by name if one is given, a page of them if both page numbers are."""
        wanted = {key: request.param(key) for key in ("name", "domain_id", "parent_id", "enabled")}
        found = [
            project
            for project in self._projects()
            if all(v is None or v == _text(project[key]) for key, v in wanted.items())
        ]
        found = _page(found, request.param("page"), request.param("per_page"))
        own = f"http://{request.headers.get('host', '')}/v3/projects"
        links = {"self": own, "previous": None, "next": None}
        return json_answer({"projects": found, "links": links})

    def _check(self, login: Login) -> None:
        if self._users.locked(login.username):
            raise iam_refusal(401, "The account is locked.")
        account = self._account
        expected = (account.username, account.password, account.account)
        if (login.username, login.password, login.account) != expected:
            self._users.failed(login.username)
            raise iam_refusal(401, "The username or password is wrong.")
        self._users.succeeded(login.username)

    def _scope(self, project: Mapping[str, object]) -> str:
        by_id = project.get("id") == self._account.project_id
        if not by_id and project.get("name") != self._account.region:
            raise iam_refusal(404, "Could not find the project.")
        return self._account.project_id

    def _described(self, token: Token, request: Request) -> dict[str, object]:
        domain = {"id": self._account.account_id, "name": self._account.account}
        user = {"id": self._account.user_id, "name": self._account.username, "domain": domain}
        described: dict[str, object] = {
            "issued_at": _micros(token.issued_at),
            "expires_at": _micros(token.expires_at),
            "methods": ["password"],
            "roles": [{"id": "0", "name": "te_admin"}],
            "user": user | {"password_expires_at": ""},
        }
        if not request.param("nocatalog"):
            described["catalog"] = []
        if token.project_id is None:
            return described | {"domain": domain}
        project = {"id": token.project_id, "name": self._account.region, "domain": domain}
        return described | {"project": project}

    def _projects(self) -> list[dict[str, object]]:
        other = self._account.account_id[::-1]
        return [
            {
                "id": project_id,
                "name": name,
                "domain_id": self._account.account_id,
                "parent_id": self._account.account_id,
                "enabled": True,
                "is_domain": False,
                "description": "",
                "links": {"self": ""},
            }
            for project_id, name in (
                (self._account.project_id, self._account.region),
                (other, OTHER_PROJECT),
            )
        ]


def _login(body: bytes) -> Login:
    auth = _member(_document(body), "auth")
    identity = _member(auth, "identity")
    user = _member(_member(identity, "password"), "user")
    name, password = user.get("name"), user.get("password")
    account = _member(user, "domain").get("name")
    texts = isinstance(name, str) and isinstance(password, str) and isinstance(account, str)
    if not texts or identity.get("methods") != ["password"]:
        raise iam_refusal(400, "The request body is invalid")
    scope = auth.get("scope")
    project = scope.get("project") if isinstance(scope, dict) else None
    chosen = project if isinstance(project, dict) else None
    return Login(str(name), str(password), str(account), chosen)


def _document(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise iam_refusal(400, "The request body is invalid") from None


def _member(parent: object, key: str) -> Mapping[str, object]:
    value = parent.get(key) if isinstance(parent, dict) else None
    if not isinstance(value, dict):
        raise iam_refusal(400, "The request body is invalid")
    return value


def _page(
    found: list[dict[str, object]], page: str | None, per_page: str | None
) -> list[dict[str, object]]:
    if page is None and per_page is None:
        return found
    if not all(re.fullmatch(r"[1-9]\d{0,8}", text or "") for text in (page, per_page)):
        raise iam_refusal(400, "page and per_page must both be given, as numbers from 1")
    number, size = int(page or 1), int(per_page or 1)
    if size > 5000:
        raise iam_refusal(400, "per_page must not exceed 5000")
    return found[(number - 1) * size : number * size]


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _micros(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
