"""Requests that survive what passes: retry above signing, within a budget of rate and of time."""

import logging
import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from urllib.parse import quote, urlencode

from extract.answers import Action, decide, read_error
from extract.auth import Authenticator, Outgoing
from extract.budget import Budget
from extract.credentials import masked
from extract.exchange import Bounds, Exchange, Reply
from extract.patience import Sleeper, held
from extract.refusals import error_for, retry_after_s, server_skew_s, skew_sentence
from livetraffic.errors import (
    ClockError,
    CredentialsError,
    LiveTrafficError,
    Stopped,
    Unavailable,
    Unreachable,
)

logger = logging.getLogger(__name__)

_HEADERS = {
    "Content-Type": "application/json",
    "Accept": "application/json",
    "Accept-Encoding": "gzip",
    "User-Agent": "live-traffic",
}


@dataclass(frozen=True, slots=True)
class Retries:
    """How often and how long one call is tried; times in seconds.

    ``total_s`` bounds the attempts and the waits between them, not the wait for the rate budget.
    """

    attempts: int = 4
    total_s: float = 120.0
    first_wait_s: float = 1.0
    first_slow_wait_s: float = 15.0
    first_unreachable_wait_s: float = 0.5
    longest_wait_s: float = 60.0

    def first(self, action: Action, error: LiveTrafficError) -> float:
        """The upper bound of the first wait; it doubles with every further attempt."""
        if isinstance(error, Unreachable):
            return self.first_unreachable_wait_s
        return self.first_slow_wait_s if action is Action.RETRY_SLOWLY else self.first_wait_s


class Call(NamedTuple):
    """One request of the source, before it is signed; ``operation`` names it in counts and logs."""

    operation: str
    method: str
    url: str
    body: bytes
    quota: int


class _Failure(NamedTuple):
    """An attempt that brought nothing, and what the table of answers says of it."""

    action: Action
    error: LiveTrafficError
    took_s: float
    retry_after_s: float = 0.0


_AGAIN = (Action.RETRY, Action.RETRY_SLOWLY, Action.THROTTLED)
_PROVES_ACCEPTANCE = (400, 404, 405)

_EVERYTHING = ""
"""In place of an operation: who we are is not accepted."""


class Transport:
    """Sends requests to one endpoint under one account; safe to use from several threads.

    Args:
        base_url: ``https://host``; plain ``http`` only to this machine itself.
        authenticator: asked anew for every attempt.
        budget: passed anew by every attempt; never more than the quota.
        account: the account whose quota is used.
        clock: our clock, UTC (may be simulated); held against the server's.
        sleep: waits that many seconds; True when the run was asked to stop.
        monotonic: seconds that never run backwards, for the time budget.
        retries: how often and how long.
        bounds: of a single attempt.
        jitter: a number in [0, 1).
        max_skew_s: how far the clocks may disagree; None only records it.

    Raises:
        ConfigError: the address is not one that may be used.
    """

    def __init__(
        self,
        base_url: str,
        authenticator: Authenticator,
        budget: Budget,
        *,
        account: str,
        clock: Callable[[], datetime],
        sleep: Sleeper,
        monotonic: Callable[[], float],
        retries: Retries | None = None,
        bounds: Bounds | None = None,
        jitter: Callable[[], float] = random.random,
        max_skew_s: float | None = 300.0,
    ) -> None:
        self._exchange = Exchange(
            base_url, clock=clock, sleep=sleep, monotonic=monotonic, bounds=bounds
        )
        self.authenticator = authenticator
        self._budget = budget
        self._account = account
        self._clock = clock
        self._sleep = sleep
        self._monotonic = monotonic
        self._retries = retries if retries is not None else Retries()
        self._jitter = jitter
        self._max_skew_s = max_skew_s
        self._lock = threading.Lock()
        self._alone = threading.Lock()
        self._accepted = not authenticator.prove_first
        self._sent: Counter[str] = Counter()
        self._answers: Counter[tuple[str, str]] = Counter()
        self._refusals: dict[str, CredentialsError] = {}
        self.clock_skew_s: float | None = None
        """The server's clock minus ours, seconds, at the latest answer that told its date."""

    @property
    def host(self) -> str:
        """The host (and port) that requests go to."""
        return self._exchange.host

    @property
    def sent(self) -> dict[str, int]:
        """How many requests were sent so far, by operation, retries included."""
        with self._lock:
            return dict(self._sent)

    @property
    def answers(self) -> dict[tuple[str, str], int]:
        """The same by operation and HTTP status; ``unreachable``, ``unavailable`` where none came."""
        with self._lock:
            return dict(self._answers)

    def close(self) -> None:
        """Close the pooled connections."""
        self._exchange.close()

    def get(
        self,
        operation: str,
        path: str,
        query: Sequence[tuple[str, str]] = (),
        *,
        quota: int,
        attempts: int | None = None,
    ) -> Reply:
        """GET; the answer when it is a success (2xx).

        Args:
            operation: a short constant name, for counts, logs and the rate budget.
            path: absolute path.
            query: pairs, encoded here.
            quota: requests a minute that this operation may take.
            attempts: instead of the usual number of attempts.

        Raises:
            CredentialsError: who we are is not accepted; from then on nothing more is sent.
            ClockError: the server's clock and ours disagree.
            SourceError: of the class that says what to do next.
            Stopped: the run was asked to stop.
        """
        text = urlencode(query, quote_via=quote, safe="~")
        url = f"{self._exchange.base_url}{path}{'?' if text else ''}{text}"
        return self._call(Call(operation, "GET", url, b"", quota), attempts)

    def post(self, operation: str, path: str, body: bytes, *, quota: int) -> Reply:
        """POST a JSON body; as ``get``."""
        url = f"{self._exchange.base_url}{path}"
        return self._call(Call(operation, "POST", url, body, quota), None)

    def masked(self, text: str) -> str:
        """The text without our secrets."""
        return masked(text, self.authenticator.secrets())

    def _call(self, call: Call, attempts: int | None) -> Reply:
        allowed = attempts if attempts is not None else self._retries.attempts
        spent_s = 0.0
        attempt = 1
        renewed = False
        while True:
            outcome = self._attempt(call, renewable=not renewed)
            if isinstance(outcome, Reply):
                return outcome
            if outcome.action is Action.RENEW_TOKEN:
                renewed = True
                continue
            wait_s = self._wait_s(outcome, attempt)
            spent_s += outcome.took_s + wait_s
            again = outcome.action in _AGAIN
            if not again or attempt >= allowed or spent_s > self._retries.total_s:
                raise outcome.error
            _log_retry(call, outcome, attempt, wait_s)
            if self._sleep(wait_s):
                raise Stopped
            attempt += 1

    def _attempt(self, call: Call, *, renewable: bool) -> Reply | _Failure:
        """One request, sent within the budget and signed at that moment.

        A failure with ``RENEW_TOKEN`` means that there is a new token to try.
        """
        if self._sleep(0):
            raise Stopped
        with self._admitted(call.operation):
            self.authenticator.prepare()
            with self._budget.acquire(self._account, call.operation, call.quota):
                self._raise_refusal(call.operation)
                outgoing = Outgoing(call.method, call.url, _HEADERS, call.body)
                headers = self.authenticator.headers(outgoing)
                with self._lock:
                    self._sent[call.operation] += 1
                started = self._monotonic()
                try:
                    reply = self._exchange.send(call.method, call.url, headers, call.body)
                except (Unavailable, Unreachable) as exc:
                    self._note(call, exc.code)
                    return _Failure(Action.RETRY, exc, self._monotonic() - started)
            took_s = self._monotonic() - started
            self._note(call, str(reply.status))
            self._check_clock(reply)
            failure = self._judge(call, reply, took_s)
            if failure is None or reply.status in _PROVES_ACCEPTANCE:
                self._accepted = True
            if failure is None:
                return reply
            may_renew = failure.action is Action.RENEW_TOKEN and renewable
            if may_renew and self.authenticator.renew(headers):
                return failure
            if failure.action in (Action.RENEW_TOKEN, Action.STOP):
                raise self._refuse(failure.error, _EVERYTHING)
            if failure.action is Action.FORBIDDEN:
                raise self._refuse(failure.error, call.operation)
            return failure

    def _note(self, call: Call, answer: str) -> None:
        with self._lock:
            self._answers[call.operation, answer] += 1

    def _admitted(self, operation: str) -> AbstractContextManager[object]:
        """Alone until one request was accepted, where few wrong ones lock the account."""
        self._raise_refusal(operation)
        return nullcontext() if self._accepted else held(self._alone, self._sleep)

    def _judge(self, call: Call, reply: Reply, took_s: float) -> _Failure | None:
        if 200 <= reply.status < 300:
            return None
        body = read_error(reply.body)
        row = decide(reply.status, body.code)
        if row.action is Action.THROTTLED:
            self._budget.throttled(self._account, call.operation)
        error = error_for(row, reply, body, host=self.host, secrets=self.authenticator.secrets())
        return _Failure(row.action, error, took_s, retry_after_s(reply, self._clock()))

    def _check_clock(self, reply: Reply) -> None:
        skew_s = server_skew_s(reply, self._clock())
        if skew_s is None:
            return
        self.clock_skew_s = skew_s
        if self._max_skew_s is not None and abs(skew_s) > self._max_skew_s:
            raise ClockError(*skew_sentence(skew_s))

    def _refuse(self, error: LiveTrafficError, operation: str) -> CredentialsError:
        """Nothing more is sent for the operation."""
        refusal = CredentialsError(error.message, error.remedy)
        with self._lock:
            self._refusals.setdefault(operation, refusal)
        return refusal

    def _raise_refusal(self, operation: str) -> None:
        refusal = self._refusals.get(_EVERYTHING) or self._refusals.get(operation)
        if refusal is not None:
            raise CredentialsError(refusal.message, refusal.remedy)

    def _wait_s(self, failure: _Failure, attempt: int) -> float:
        first = self._retries.first(failure.action, failure.error)
        bound = min(first * 2.0 ** (attempt - 1), self._retries.longest_wait_s)
        return max(failure.retry_after_s, self._jitter() * bound)


def _log_retry(call: Call, failure: _Failure, attempt: int, wait_s: float) -> None:
    facts = {
        "operation": call.operation,
        "attempt": attempt,
        "wait_s": round(wait_s, 1),
        "cause": failure.error.code,
        "status": getattr(failure.error, "status", None),
    }
    logger.info("request retried", extra=facts)
