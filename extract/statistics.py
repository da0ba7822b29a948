"""One API's statistics of one project: how each is asked and read is data (``extract.operations``)."""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from extract.answers import Action, decide
from extract.exchange import Reply
from extract.operations import TRAFFIC, Series
from extract.transport import Transport
from livetraffic.errors import ContractError, Refused, UnknownDomain
from livetraffic.limits import Limits
from livetraffic.window import Window, to_seconds

if TYPE_CHECKING:
    from extract.frames import Parsed

logger = logging.getLogger(__name__)

Keep = Callable[[bytes, Mapping[str, str]], str | None]
"""Keeps a body with its facts; the path, or None."""

_SKEW_ALLOWANCE_S = 300


@dataclass(frozen=True, slots=True)
class Answer:
    """One traffic answer that was understood.

    ``fetched_at`` is the instant just before the attempt that succeeded was sent, UTC.
    """

    parsed: "Parsed"
    fetched_at: datetime
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Keeper:
    """Puts what could not be understood into quarantine, without secrets."""

    transport: Transport
    quarantine: Keep | None

    def kept(self, exc: ContractError, reply: Reply, facts: dict[str, str]) -> ContractError:
        """The error, with where the answer is kept."""
        body = self.transport.masked(reply.body.decode("utf-8", "surrogateescape"))
        sheet = {"reason": exc.message, "request_id": reply.request_id or "", **facts}
        sheet = {name: self.transport.masked(value) for name, value in sheet.items()}
        path = None
        if self.quarantine is not None:
            path = self.quarantine(body.encode("utf-8", "surrogateescape"), sheet)
        kept = f" The answer is kept in {path}." if path is not None else ""
        return ContractError(
            f"{exc.message}{kept}", exc.remedy, status=reply.status, request_id=reply.request_id
        )


class Statistics:
    """The traffic that one API serves; safe to use from several threads.

    Args:
        keeper: the transport to the endpoint, and the quarantine.
        project_id: the project, asked for on first use.
        limits: what the API allows.
        step: seconds; one of ``limits.steps``.
        clock: now, UTC; may be simulated.
        series: what is asked for; None: the API's traffic.
    """

    def __init__(
        self,
        keeper: Keeper,
        *,
        project_id: Callable[[], str],
        limits: Limits,
        step: int,
        clock: Callable[[], datetime],
        series: Series | None = None,
    ) -> None:
        if step not in limits.steps:
            msg = f"the source has no step of {step} s, only {limits.steps}"
            raise ValueError(msg)
        self.limits = limits
        self.step = step
        self._keeper = keeper
        self._project_id = project_id
        self._clock = clock
        self._series = TRAFFIC[limits.source] if series is None else series
        self._lock = threading.Lock()
        self._named_fields: set[str] = set()

    @property
    def source(self) -> str:
        """The API: ``v1`` or ``v2``."""
        return self.limits.source

    def now(self) -> datetime:
        """Now, UTC, by the clock that dates requests."""
        return self._clock()

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
        self.check(window)
        return self._asked((domain,), window, attempts=1 if single_attempt else None)

    def probed(self, domain: str, window: Window) -> Answer:
        """As ``traffic``, but of a window that may break the limits: to find out what they are."""
        return self._asked((domain,), window, attempts=None)

    def total(self, window: Window) -> Answer:
        """The points of the whole tenant on this API; the frame's domain is empty.

        Raises:
            As ``traffic``.
        """
        self.check(window)
        return self._asked((), window, attempts=None)

    def check(self, window: Window) -> None:
        """Refuse a window that may not be asked for.

        Raises:
            ValueError: it is off the grid, longer than the span, or starts before the retention.
        """
        if window.start % self.step or window.end % self.step:
            msg = f"the window {window} is not on the grid of {self.step} s"
            raise ValueError(msg)
        if window.seconds > self.limits.span:
            msg = f"the window {window} is longer than the span of {self.limits.span} s"
            raise ValueError(msg)
        if window.start < self.limits.hard_edge(to_seconds(self._clock())):
            msg = f"the window {window} starts before the source's retention"
            raise ValueError(msg)

    def _asked(self, named: tuple[str, ...], window: Window, *, attempts: int | None) -> Answer:
        operation, domain = self._series.operation, "".join(named)
        query = operation.query(named, window, self.step)
        try:
            reply = self._keeper.transport.get(
                operation.name,
                operation.path.format(self._project_id()),
                query,
                quota=self.limits.requests_per_minute,
                attempts=attempts,
            )
        except Refused as exc:
            raise self._explained(exc, domain, window) from exc
        return Answer(self._parsed(reply, domain, window), reply.sent_at, reply.request_id)

    def _parsed(self, reply: Reply, domain: str, window: Window) -> "Parsed":
        # pandas takes most of a second to import, and listing domains does not need it.
        from extract.frames import parse

        try:
            parsed = parse(
                reply.body,
                window=window,
                step=self.step,
                domain=domain,
                source=self.source,
                fields=self._series.fields,
            )
        except ContractError as exc:
            name = self._series.operation.name
            facts = {"operation": name, "domain": domain, "window": str(window)}
            raise self._keeper.kept(exc, reply, facts) from exc
        self._name_unknown(parsed.unknown_fields)
        return parsed

    def _explained(self, exc: Refused, domain: str, window: Window) -> Refused:
        action = decide(exc.status or 0, exc.error_code).action
        if action not in (Action.WINDOW, Action.UNKNOWN_DOMAIN) or not domain:
            return exc
        edge = self.limits.hard_edge(to_seconds(self._clock())) + _SKEW_ALLOWANCE_S
        kind: type[Refused] = UnknownDomain
        message = (
            f"The source does not know {domain}, or not on the API {self.source}, or it "
            f"refuses {window} by a rule that this program does not know "
            f"(HTTP {exc.status} {exc.error_code}, request {exc.request_id})."
        )
        remedy = (
            "Check the domain's spelling and project; if it is on the other Live service, set "
            "LIVE_TRAFFIC_API to auto."
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

    def _name_unknown(self, names: tuple[str, ...]) -> None:
        with self._lock:
            new = set(names) - self._named_fields
            self._named_fields |= new
        if new:
            logger.warning("answer has unknown fields", extra={"fields": sorted(new)})
