"""IAM tokens: issued, expiring by the real clock, revoked by a fault."""

import hashlib
import threading
from dataclasses import dataclass

from extract.standin.clock import Clock
from extract.standin.fixtures import Account


@dataclass(frozen=True, slots=True)
class Token:
    """A token; ``project_id`` is None where its scope is not a project; times are real seconds."""

    text: str
    project_id: str | None
    issued_at: float
    expires_at: float

    def __repr__(self) -> str:
        return f"Token(project_id={self.project_id!r}, expires_at={self.expires_at})"


class Tokens:
    """All tokens issued; a new one does not invalidate an older one."""

    def __init__(self, seed: int, account: Account, clock: Clock) -> None:
        self._seed, self._clock = seed, clock
        self._lock = threading.Lock()
        self._issued: dict[str, Token] = {}
        self._revoked: set[str] = set()
        self.lasting = self.issue(account.project_id, float("inf"))

    def issue(self, project_id: str | None, ttl: float) -> Token:
        """A new token that lives ``ttl`` seconds."""
        now = self._clock.real()
        with self._lock:
            label = f"{self._seed}/token/{len(self._issued)}"
            text = f"standin-token-{hashlib.sha256(label.encode()).hexdigest()[:40]}"
            token = Token(text, project_id, now, now + ttl)
            self._issued[text] = token
            return token

    def find(self, text: str) -> Token | None:
        """The token of that text, expired or not; None where it was never issued."""
        with self._lock:
            return self._issued.get(text)

    def stale(self, token: Token) -> bool:
        """Whether it has expired or been revoked."""
        with self._lock:
            return token.text in self._revoked or token.expires_at <= self._clock.real()

    def revoke_all(self) -> None:
        """Every token issued so far becomes invalid."""
        with self._lock:
            self._revoked.update(self._issued)
