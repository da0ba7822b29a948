"""The identity service: tokens for a password, and the project ID behind a region's name."""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from extract.auth import AUTH_TOKEN, Clock, Outgoing
from extract.credentials import PasswordCredentials, Secret
from extract.transport import Transport
from livetraffic.errors import ConfigError, ContractError, CredentialsError, Refused, SourceError

logger = logging.getLogger(__name__)

_RENEW_BEFORE = timedelta(minutes=30)
_ASK_AGAIN = timedelta(minutes=1)
_ASSUMED_LIFE = timedelta(hours=1)
_QUOTA = 60


@dataclass(frozen=True, slots=True)
class Token:
    """An issued token; ``renew_at`` and ``expires_at`` are true time, UTC."""

    text: Secret
    project_id: str
    renew_at: datetime
    expires_at: datetime


class PasswordTokens:
    """Gets a project-scoped token for a name and a password, and renews it early.

    One thread asks at a time; the others use the old token while it lives. A refusal is final: wrong
    passwords lock the user, so nothing is asked a second time.

    Args:
        credentials: the IAM user.
        iam: to the identity service, with ``Anonymous`` credentials.
        project_id: the token's scope; None: the project that is named like the region.
        region: the scope where there is no project ID.
        real_clock: the true time.

    Raises:
        ConfigError: neither a project ID nor a region is given.
    """

    prove_first = False

    def __init__(
        self,
        credentials: PasswordCredentials,
        *,
        iam: Transport,
        project_id: str | None,
        region: str | None,
        real_clock: Clock,
    ) -> None:
        if not project_id and not region:
            raise ConfigError(
                "A password needs a project ID or a region to get a token for.",
                "Set LIVE_TRAFFIC_PROJECT_ID or LIVE_TRAFFIC_REGION.",
            )
        self._iam = iam
        self._project_id = project_id
        self._password = credentials.password
        scope = {"id": project_id} if project_id else {"name": region}
        self._request = _token_request(credentials, scope)
        self._real_clock = real_clock
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._refusal: CredentialsError | None = None

    def project_id(self) -> str:
        """The configured project ID, else that of the token (which is asked for if need be)."""
        if self._project_id:
            return self._project_id
        self.prepare()
        found = self._current().project_id
        if not found:
            raise ConfigError("The token names no project.", "Set LIVE_TRAFFIC_PROJECT_ID.")
        return found

    def prepare(self) -> None:
        """Have a token that lives; renew it half an hour before its end."""
        token = self._token
        now = self._real_clock()
        if token is not None and now < token.renew_at:
            return
        usable = token is not None and now < token.expires_at
        if not self._lock.acquire(blocking=not usable):
            return
        try:
            if self._token is token:
                self._issue(usable=usable)
        finally:
            self._lock.release()

    def headers(self, request: Outgoing) -> dict[str, str]:
        """The request's headers with the token."""
        if self._token is None:
            self.prepare()
        return {**request.headers, AUTH_TOKEN: self._current().text.reveal()}

    def renew(self, sent: Mapping[str, str], /) -> bool:
        """A new token, unless another thread has already replaced the one that was sent."""
        with self._lock:
            if self._current().text.reveal() == sent.get(AUTH_TOKEN):
                self._issue(usable=False)
        return True

    def secrets(self) -> tuple[Secret, ...]:
        """The password and the token."""
        token = self._token
        return (self._password,) if token is None else (self._password, token.text)

    def _current(self) -> Token:
        if self._token is None:
            raise self._refusal or CredentialsError("There is no token.")
        return self._token

    def _issue(self, *, usable: bool) -> None:
        """Replace the token; with the lock held. ``usable``: the old one will do for now."""
        if self._refusal is not None:
            raise CredentialsError(self._refusal.message, self._refusal.remedy)
        try:
            self._token = self._ask()
        except (Refused, CredentialsError) as exc:
            self._refusal = CredentialsError(
                f"The identity service gives no token: {exc.message}",
                "Check user name, password, account and project; a HUAWEI ID cannot be used, only "
                "an IAM user with programmatic access.",
            )
            raise self._refusal from exc
        except SourceError as exc:
            if not usable or self._token is None:
                raise
            later = self._real_clock() + _ASK_AGAIN
            old = self._token
            self._token = Token(old.text, old.project_id, later, old.expires_at)
            logger.warning("token renewal put off", extra={"cause": exc.code})

    def _ask(self) -> Token:
        now = self._real_clock()
        reply = self._iam.post(
            "tokens", "/v3/auth/tokens?nocatalog=true", self._request, quota=_QUOTA
        )
        text = reply.headers.get("x-subject-token", "")
        if not text:
            raise ContractError(
                "The identity service answers without a token.", "Check its endpoint."
            )
        token = _member(_document(reply.body), "token")
        expires_at = _instant(token.get("expires_at")) or now + _ASSUMED_LIFE
        life = max(expires_at - now, timedelta(0))
        project_id = _member(token, "project").get("id")
        return Token(
            text=Secret(text),
            project_id=project_id if isinstance(project_id, str) else "",
            renew_at=expires_at - min(_RENEW_BEFORE, life / 4),
            expires_at=expires_at,
        )


class NamedProject:
    """The ID of the project that is named like the region, looked up once and only when asked for.

    Args:
        connect: opens the identity service with the same credentials.
        region: the region, which is the name of its default project.
    """

    def __init__(self, connect: Callable[[], Transport], region: str) -> None:
        self._connect = connect
        self._region = region
        self._lock = threading.Lock()
        self._found: str | None = None

    def __call__(self) -> str:
        """The project ID.

        Raises:
            ConfigError: there is not exactly one project of that name.
            CredentialsError, SourceError: the identity service did not answer the question.
        """
        with self._lock:
            if self._found is None:
                self._found = self._look_up()
            return self._found

    def _look_up(self) -> str:
        remedy = "Set LIVE_TRAFFIC_PROJECT_ID (console: My Credentials, API Credentials)."
        iam = self._connect()
        try:
            reply = iam.get("projects", "/v3/projects", [("name", self._region)], quota=_QUOTA)
        except Refused as exc:
            raise CredentialsError(
                f"The project ID of {self._region} could not be looked up: {exc.message}", remedy
            ) from exc
        finally:
            iam.close()
        projects = _document(reply.body).get("projects")
        ids = [
            project["id"]
            for project in (projects if isinstance(projects, list) else [])
            if isinstance(project, dict) and isinstance(project.get("id"), str)
        ]
        if len(ids) != 1:
            raise ConfigError(f"{len(ids)} projects are named {self._region}, not one.", remedy)
        return str(ids[0])


def _token_request(credentials: PasswordCredentials, scope: Mapping[str, str | None]) -> bytes:
    user = {
        "name": credentials.username,
        "password": credentials.password.reveal(),
        "domain": {"name": credentials.account},
    }
    identity = {"methods": ["password"], "password": {"user": user}}
    return orjson.dumps({"auth": {"identity": identity, "scope": {"project": dict(scope)}}})


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        raise ContractError(
            "The identity service's answer is not JSON.", "Check its endpoint."
        ) from exc
    return document if isinstance(document, dict) else {}


def _member(document: dict[str, Any], name: str) -> dict[str, Any]:
    value = document.get(name)
    return value if isinstance(value, dict) else {}


def _instant(text: object) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    return instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)
