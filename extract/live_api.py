"""The Live API as this program uses it: the domain list, and one domain's traffic in one window."""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from extract.answers import Action, decide
from extract.domain_list import parse_domains
from extract.exchange import Reply
from extract.transport import Transport
from livetraffic.domain import Listed
from livetraffic.errors import ContractError, Refused, UnknownDomain
from livetraffic.limits import Limits
from livetraffic.window import MINUTE, Window, instant_text, to_seconds

if TYPE_CHECKING:
    from extract.frames import Parsed

logger = logging.getLogger(__name__)

Keep = Callable[[bytes, Mapping[str, str]], str | None]
"""Keeps a body with its facts; the path, or None."""

TRAFFIC = "traffic"
DOMAINS = "domains"
_DOMAINS_PER_MINUTE = 300
_SKEW_ALLOWANCE_S = 300


@dataclass(frozen=True, slots=True)
class Answer:
    """One traffic answer that was understood.

    ``fetched_at`` is the instant just before the attempt that succeeded was sent, UTC.
    """

    parsed: "Parsed"
    fetched_at: datetime
    request_id: str | None = None


class LiveApi:
    """The v1 statistics of one project; safe to use from several threads.

    Args:
        transport: to the Live endpoint.
        project_id: the project that the domains belong to, or the way to find it, asked once.
        region: region of the endpoint, for the ledger; may be empty.
        account: the account, for the ledger.
        limits: what the endpoint allows.
        step: seconds; one of ``limits.steps``.
        clock: now, UTC; may be simulated.
        quarantine: keeps a body that could not be understood.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        project_id: str | Callable[[], str],
        region: str,
        account: str,
        limits: Limits,
        step: int,
        clock: Callable[[], datetime],
        quarantine: Keep | None = None,
    ) -> None:
        if step not in limits.steps:
            msg = f"the source has no step of {step} s, only {limits.steps}"
            raise ValueError(msg)
        self.transport = transport
        self._project_id = project_id
        self.region = region
        self.account = account
        self.limits = limits
        self.step = step
        self._clock = clock
        self._quarantine = quarantine
        self._lock = threading.Lock()
        self._named_fields: set[str] = set()

    @property
    def project_id(self) -> str:
        """The project ID; where it has to be looked up, the first use asks for it.

        Raises:
            ConfigError, CredentialsError, SourceError: the look-up failed.
        """
        if callable(self._project_id):
            self._project_id = self._project_id()
        return self._project_id

    @property
    def requests_sent(self) -> int:
        """Statistics requests sent so far, retries included."""
        return self.transport.sent.get(TRAFFIC, 0)

    @property
    def clock_skew_s(self) -> float | None:
        """The server's clock minus ours, seconds; None before the first answer."""
        return self.transport.clock_skew_s

    def now(self) -> datetime:
        """Now, UTC, by the clock that dates requests."""
        return self._clock()

    def list_domains(self) -> list[Listed]:
        """Every domain of the project, of every type, sorted by name.

        Raises:
            CredentialsError, ClockError, SourceError: as ``Transport.get``.
        """
        path = f"/v1/{self.project_id}/domain"
        try:
            reply = self.transport.get(DOMAINS, path, quota=_DOMAINS_PER_MINUTE)
        except UnknownDomain:
            return []
        try:
            return parse_domains(reply.body)
        except ContractError as exc:
            raise self._kept(exc, reply, {"operation": DOMAINS}) from exc

    def traffic(self, domain: str, window: Window, *, single_attempt: bool = False) -> Answer:
        """The domain's points in the window.

        Args:
            domain: one playback domain, as ``livetraffic.domain.domain_name`` gives it.
            window: on the grid, within the limits' span and retention.
            single_attempt: do not retry.

        Raises:
            ValueError: the domain is empty, or the window is one that may not be asked for.
            UnknownDomain: the source does not know the domain, or not on this API.
            ContractError: the answer was not understood; it is in quarantine.
            CredentialsError, ClockError, SourceError, Stopped: as ``Transport.get``.
        """
        self._check(domain, window)
        query = (
            ("domain", domain),
            ("start_time", instant_text(window.start)),
            ("end_time", instant_text(window.end)),
            ("step", str(self.step // MINUTE)),
        )
        try:
            reply = self.transport.get(
                TRAFFIC,
                f"/v1/{self.project_id}/stream/traffic",
                query,
                quota=self.limits.requests_per_minute,
                attempts=1 if single_attempt else None,
            )
        except Refused as exc:
            raise self._explained(exc, domain, window) from exc
        return Answer(self._parsed(reply, domain, window), reply.sent_at, reply.request_id)

    def _check(self, domain: str, window: Window) -> None:
        if not domain:
            msg = "an empty domain would silently ask for the total of the whole tenant"
            raise ValueError(msg)
        if window.start % self.step or window.end % self.step:
            msg = f"the window {window} is not on the grid of {self.step} s"
            raise ValueError(msg)
        if window.seconds > self.limits.span:
            msg = f"the window {window} is longer than the span of {self.limits.span} s"
            raise ValueError(msg)
        if window.start < self.limits.hard_edge(to_seconds(self._clock())):
            msg = f"the window {window} starts before the source's retention"
            raise ValueError(msg)

    def _parsed(self, reply: Reply, domain: str, window: Window) -> "Parsed":
        # pandas takes most of a second to import, and listing domains does not need it.
        from extract.frames import parse

        try:
            parsed = parse(
                reply.body,
                window=window,
                step=self.step,
                domain=domain,
                source=self.limits.source,
            )
        except ContractError as exc:
            facts = {"operation": TRAFFIC, "domain": domain, "window": str(window)}
            raise self._kept(exc, reply, facts) from exc
        self._name_unknown(parsed.unknown_fields)
        return parsed

    def _explained(self, exc: Refused, domain: str, window: Window) -> Refused:
        action = decide(exc.status or 0, exc.error_code).action
        if action not in (Action.WINDOW, Action.UNKNOWN_DOMAIN):
            return exc
        edge = self.limits.hard_edge(to_seconds(self._clock())) + _SKEW_ALLOWANCE_S
        kind: type[Refused] = UnknownDomain
        message = (
            f"The source does not know {domain}, or not on the API {self.limits.source}, or it "
            f"refuses {window} by a rule that this program does not know "
            f"(HTTP {exc.status} {exc.error_code}, request {exc.request_id})."
        )
        remedy = (
            "Check the domain's spelling and project; if it is on the newer Live service, this "
            "API cannot serve it."
        )
        if action is Action.WINDOW and window.start < edge:
            kind = Refused
            message = (
                f"The source refuses {window}: its start has reached the end of the retention."
            )
            remedy = "The next run asks for what is left of it."
        return kind(
            message,
            remedy,
            status=exc.status,
            error_code=exc.error_code,
            request_id=exc.request_id,
        )

    def _kept(self, exc: ContractError, reply: Reply, facts: dict[str, str]) -> ContractError:
        body = self.transport.masked(reply.body.decode("utf-8", "surrogateescape"))
        sheet = {"reason": exc.message, "request_id": reply.request_id or "", **facts}
        path = None
        if self._quarantine is not None:
            path = self._quarantine(body.encode("utf-8", "surrogateescape"), sheet)
        kept = f" The answer is kept in {path}." if path is not None else ""
        return ContractError(
            f"{exc.message}{kept}", exc.remedy, status=reply.status, request_id=reply.request_id
        )

    def _name_unknown(self, names: tuple[str, ...]) -> None:
        with self._lock:
            new = set(names) - self._named_fields
            self._named_fields |= new
        if new:
            logger.warning("answer has unknown fields", extra={"fields": sorted(new)})
