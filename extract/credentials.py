"""Who we are to the source, in a form that cannot be printed by accident."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

from livetraffic.errors import ConfigError

MASK = "***"


class Secret:
    """A secret text that shows as ``***`` wherever it is printed; ``reveal`` is the only way in.

    Not a ``str`` on purpose: joining, JSON and ``%`` would take a subclass's text unmasked.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself: for the wire and for nothing else."""
        return self._text

    def __repr__(self) -> str:
        return f"Secret({MASK!r})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, _spec: str) -> str:
        return MASK

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash((Secret, self._text))


def masked(text: str, secrets: Iterable[Secret]) -> str:
    """The text with every one of these secrets replaced by ``***``, also as JSON and URLs write it."""
    for secret in secrets:
        if secret:
            for form in _forms(secret.reveal()):
                text = text.replace(form, MASK)
    return text


def _forms(text: str) -> list[str]:
    quoted = [json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]]
    return sorted({text, *quoted, quote(text, safe=""), quote_plus(text)}, key=len, reverse=True)


def _header_safe(secret: Secret, name: str) -> Secret:
    text = secret.reveal().strip()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise ConfigError(
            f"The {name} is empty or holds characters that a request header cannot carry.",
            "Copy it again, without quotes, spaces and line breaks.",
        )
    return Secret(text)


@dataclass(frozen=True, slots=True)
class TokenCredentials:
    """A project-scoped IAM token that somebody else renews.

    Raises:
        ConfigError: the token is empty or cannot be sent in a header.
    """

    token: Secret

    def __post_init__(self) -> None:
        object.__setattr__(self, "token", _header_safe(self.token, "token"))


@dataclass(frozen=True, slots=True)
class KeyCredentials:
    """An access key pair; with ``security_token`` a temporary one.

    Raises:
        ConfigError: a part is empty or cannot be sent in a header.
    """

    ak: str
    sk: Secret
    security_token: Secret | None = None

    def __post_init__(self) -> None:
        ak = _header_safe(Secret(self.ak), "access key (AK)").reveal()
        object.__setattr__(self, "ak", ak)
        object.__setattr__(self, "sk", _header_safe(self.sk, "secret key (SK)"))
        if self.security_token is not None:
            token = _header_safe(self.security_token, "security token")
            object.__setattr__(self, "security_token", token)


@dataclass(frozen=True, slots=True)
class PasswordCredentials:
    """An IAM user's name and password, and the account (IAM "domain") that the user belongs to.

    Raises:
        ConfigError: a part is empty.
    """

    username: str
    password: Secret
    account: str

    def __post_init__(self) -> None:
        if not self.username or not self.password or not self.account:
            raise ConfigError(
                "Password credentials need a user name, a password and an account name.",
                "Set all three; the account is the name of the tenant, not of the user.",
            )


Credentials = TokenCredentials | KeyCredentials | PasswordCredentials
