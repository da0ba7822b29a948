"""The Live API of one project as this program uses it: domains, traffic, and sums to check it by."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from extract.answers import Action, decide
from extract.domain_list import parse_domains
from extract.operations import BANDWIDTH, STATISTICS, SUMMARY, Series
from extract.statistics import Answer, Keep, Keeper, Statistics
from extract.summaries import parse_summary
from extract.transport import Transport
from livetraffic.domain import Listed
from livetraffic.errors import ContractError, Refused, UnknownDomain
from livetraffic.limits import Limits
from livetraffic.window import Window

DOMAINS = "domains"
_DOMAINS_PER_MINUTE = 300
_FEWEST_PER_SUMMARY = 10
"""What the pages of 2021 allowed; those of today allow a hundred."""


@dataclass(frozen=True, slots=True)
class Summary:
    """The bytes of each domain in a window, as v2 itself sums them up.

    A domain that the answer leaves out is not in ``values``. ``fetched_at``: when the last request
    was sent, UTC.
    """

    values: Mapping[str, int]
    fetched_at: datetime
    requests: int


class LiveApi:
    """The statistics of one project; safe to use from several threads.

    Args:
        transport: to the Live endpoint.
        project_id: the project that the domains belong to, or the way to find it, asked once.
        region: region of the endpoint, for the ledger; may be empty.
        account: the account, for the ledger.
        apis: what each API that is in use allows.
        step: seconds; one of the steps of each of them.
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
        apis: Mapping[str, Limits],
        step: int,
        clock: Callable[[], datetime],
        quarantine: Keep | None = None,
    ) -> None:
        self.transport = transport
        self._project_id = project_id
        self.region = region
        self.account = account
        self._clock = clock
        self._keeper = Keeper(transport, quarantine)
        self._step = step
        self._statistics = {source: self._asking(limits) for source, limits in apis.items()}
        self._per_summary = apis["v2"].domains_per_request if "v2" in apis else 0

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
        """Statistics requests sent so far, of every API, retries included."""
        return sum(self.requests_by_operation.values())

    @property
    def requests_by_operation(self) -> dict[str, int]:
        """The same by operation; those that were not used are left out."""
        sent = self.transport.sent
        return {name: sent[name] for name in STATISTICS if sent.get(name)}

    @property
    def clock_skew_s(self) -> float | None:
        """The server's clock minus ours, seconds; None before the first answer."""
        return self.transport.clock_skew_s

    def now(self) -> datetime:
        """Now, UTC, by the clock that dates requests."""
        return self._clock()

    def statistics(self, source: str) -> Statistics:
        """The traffic that one API serves.

        Raises:
            ValueError: the API is not in use.
        """
        if source not in self._statistics:
            msg = f"the API {source!r} is not in use, only {sorted(self._statistics)}"
            raise ValueError(msg)
        return self._statistics[source]

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
            raise self._keeper.kept(exc, reply, {"operation": DOMAINS}) from exc

    def tenant_total(self, window: Window) -> Answer:
        """The points of all the tenant's domains on the old service together.

        From v1 without a domain; the points' domain is empty.

        Raises:
            As ``Statistics.traffic``.
        """
        return self.statistics("v1").total(window)

    def summary(self, domains: Sequence[str], window: Window) -> Summary:
        """The bytes of each domain in the window, from v2's summary, in as few requests as it takes.

        Source: the page ListDomainTrafficSummary. The request names up to a hundred domains; where
        the server refuses more than ten, as the pages of 2021 said, they are named in tens from then
        on. No domains are no request.

        Raises:
            As ``Statistics.traffic``; ValueError also where one of several names is empty.
        """
        self.statistics("v2").check(window)
        values: dict[str, int] = {}
        left = list(dict.fromkeys(domain.lower() for domain in domains))
        requests, fetched_at, most = 0, self._clock(), self._per_summary
        while left:
            names = left[:most]
            requests += 1
            try:
                part, fetched_at = self._summary(names, window)
            except Refused as exc:
                if len(names) <= _FEWEST_PER_SUMMARY or not _is_about_request(exc):
                    raise
                most = _FEWEST_PER_SUMMARY
                continue
            values |= part
            left = left[len(names) :]
        # Only now it is known that the number of names was what was refused, and not one of them.
        self._per_summary = min(most, self._per_summary)
        return Summary(values, fetched_at, requests)

    def _summary(self, names: Sequence[str], window: Window) -> tuple[dict[str, int], datetime]:
        reply = self.transport.get(
            SUMMARY.name,
            SUMMARY.path.format(self.project_id),
            SUMMARY.query(names, window, self._step),
            quota=self.statistics("v2").limits.requests_per_minute,
        )
        try:
            return parse_summary(reply.body, names), reply.sent_at
        except ContractError as exc:
            facts = {"operation": SUMMARY.name, "domain": ",".join(names[:3])}
            raise self._keeper.kept(exc, reply, facts | {"window": str(window)}) from exc

    def bandwidth(self, domain: str, window: Window) -> dict[int, int]:
        """Bits per second of each period (start, seconds), from v2's bandwidth/detail.

        For cross-checks: at 5 minutes it is bytes times 8 by 300, at longer steps the largest of
        those (source: the page ListBandwidthDetail).

        Raises:
            As ``Statistics.traffic``.
        """
        asking = self._asking(self.statistics("v2").limits, BANDWIDTH)
        points = asking.traffic(domain, window).parsed.points
        return dict(zip(points.seconds.tolist(), points.traffic.tolist(), strict=True))

    def _asking(self, limits: Limits, series: Series | None = None) -> Statistics:
        return Statistics(
            self._keeper,
            project_id=lambda: self.project_id,
            limits=limits,
            step=self._step,
            clock=self._clock,
            series=series,
        )


def _is_about_request(exc: Refused) -> bool:
    return decide(exc.status or 0, exc.error_code).action is Action.WINDOW
