"""What a request carries to say who we are, made anew for every attempt."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple, Protocol

from extract.credentials import KeyCredentials, Secret, TokenCredentials
from extract.signing import signed_headers

Clock = Callable[[], datetime]

AUTH_TOKEN = "X-Auth-Token"  # noqa: S105 (the name of a header)


class Outgoing(NamedTuple):
    """A request as it will be sent, before it says who we are."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes = b""


class Authenticator(Protocol):
    """One way of proving who we are; safe to use from several threads."""

    prove_first: bool
    """Send one request alone until one was accepted: a few refused ones lock an account."""

    def prepare(self) -> None:
        """Do what takes time (get or renew a token) before a place in the rate budget is taken.

        Raises:
            CredentialsError: the source does not accept who we are.
            SourceError: the identity service could not be asked.
        """

    def headers(self, request: Outgoing) -> dict[str, str]:
        """All headers to send: the request's and those that authenticate this very attempt."""

    def renew(self, sent: Mapping[str, str], /) -> bool:
        """After a 401 to a request with the headers ``sent``: whether asking again makes sense."""

    def secrets(self) -> tuple[Secret, ...]:
        """Everything that must not appear in a message or a file."""


class Anonymous:
    """No authentication: for the one call that asks for a token."""

    prove_first = False

    def __init__(self, *secrets: Secret) -> None:
        self._secrets = secrets

    def prepare(self) -> None:
        """Nothing to do."""

    def headers(self, request: Outgoing) -> dict[str, str]:
        """The request's headers."""
        return dict(request.headers)

    def renew(self, _sent: Mapping[str, str], /) -> bool:
        """There is nothing to renew."""
        return False

    def secrets(self) -> tuple[Secret, ...]:
        """The secrets that requests carry in their bodies."""
        return self._secrets


class FixedToken:
    """A token as it was given; it cannot be renewed here."""

    prove_first = True

    def __init__(self, credentials: TokenCredentials) -> None:
        self._token = credentials.token

    def prepare(self) -> None:
        """Nothing to do."""

    def headers(self, request: Outgoing) -> dict[str, str]:
        """The request's headers with the token."""
        return {**request.headers, AUTH_TOKEN: self._token.reveal()}

    def renew(self, _sent: Mapping[str, str], /) -> bool:
        """We do not know how."""
        return False

    def secrets(self) -> tuple[Secret, ...]:
        """The token."""
        return (self._token,)


class SignedKeys:
    """Signs every attempt with an access key pair.

    Args:
        credentials: the key pair.
        project_id: sent and signed as ``X-Project-Id`` (or the way to find it, asked before the
            first request); None on the identity service.
        real_clock: the true time, never a simulated one: the gateway compares it with its own.
    """

    prove_first = True

    def __init__(
        self,
        credentials: KeyCredentials,
        *,
        project_id: str | Callable[[], str] | None,
        real_clock: Clock,
    ) -> None:
        self._credentials = credentials
        self._project_id = project_id
        self._real_clock = real_clock

    def prepare(self) -> None:
        """Find the project ID where it is not known yet."""
        if callable(self._project_id):
            self._project_id = self._project_id()

    def headers(self, request: Outgoing) -> dict[str, str]:
        """The request's headers; content type, host, date, project and security token are signed."""
        self.prepare()
        to_sign: dict[str, str] = {}
        if "Content-Type" in request.headers:
            to_sign["Content-Type"] = request.headers["Content-Type"]
        if isinstance(self._project_id, str):
            to_sign["X-Project-Id"] = self._project_id
        if self._credentials.security_token is not None:
            to_sign["X-Security-Token"] = self._credentials.security_token.reveal()
        signed = signed_headers(
            request.method,
            request.url,
            to_sign,
            request.body,
            ak=self._credentials.ak,
            sk=self._credentials.sk,
            at=self._real_clock(),
        )
        return {**request.headers, **signed}

    def renew(self, _sent: Mapping[str, str], /) -> bool:
        """A wrong signature stays wrong, and five of them lock the key."""
        return False

    def secrets(self) -> tuple[Secret, ...]:
        """Secret key, security token, and the access key that names its owner."""
        found = [self._credentials.sk, Secret(self._credentials.ak)]
        if self._credentials.security_token is not None:
            found.append(self._credentials.security_token)
        return tuple(found)
