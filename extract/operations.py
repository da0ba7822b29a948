"""The statistics operations as data: where each is, how it is asked, what its answer calls its parts.

Sources: the vendor's pages ShowTraffic (v1, live_03_0015), ListDomainTrafficDetail,
ListDomainTrafficSummary and ListBandwidthDetail (v2).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from extract.fields import V1_FIELDS, V2_FIELDS, Fields
from livetraffic.window import MINUTE, Window, instant_text

Query = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """How one operation is asked.

    Attributes:
        name: under which the rate budget counts it.
        path: of its URL; ``{}`` stands for the project.
        domain: the parameter that names a domain; it is repeated for several, as the vendor's own
            client does.
        inclusive_end: seconds that ``end_time`` lies before the window's exclusive end.
        period: the parameter that tells the length of a period; None: there are no periods.
        unit: what ``period`` is counted in, seconds.
    """

    name: str
    path: str
    domain: str
    inclusive_end: int
    period: str | None = None
    unit: int = 1

    def query(self, domains: Iterable[str], window: Window, step: int) -> Query:
        """The parameters; both ends always, so that no default of the server counts.

        Raises:
            ValueError: a domain's name is empty, which would silently mean the whole tenant.
        """
        named = tuple((self.domain, domain) for domain in domains)
        if not all(domain for _, domain in named):
            msg = "an empty domain would silently ask for the total of the whole tenant"
            raise ValueError(msg)
        start, end = instant_text(window.start), instant_text(window.end - self.inclusive_end)
        period = () if self.period is None else ((self.period, str(step // self.unit)),)
        return (*named, ("start_time", start), ("end_time", end), *period)


@dataclass(frozen=True, slots=True)
class Series:
    """An operation that answers with one value a period, and its answer's field names."""

    operation: Operation
    fields: Fields


# v2 starts on the grid and ends one second before the next point: its alignment rule.
TRAFFIC: Mapping[str, Series] = {
    "v1": Series(
        Operation("traffic", "/v1/{}/stream/traffic", "domain", 0, "step", MINUTE), V1_FIELDS
    ),
    "v2": Series(
        Operation("traffic_v2", "/v2/{}/stats/traffic/detail", "play_domains", 1, "interval"),
        V2_FIELDS,
    ),
}
"""The bytes of a domain by period, by API."""

BANDWIDTH = Series(
    Operation("bandwidth_v2", "/v2/{}/stats/bandwidth/detail", "play_domains", 1, "interval"),
    V2_FIELDS,
)
"""Bits per second by period, of v2."""

SUMMARY = Operation("summary_v2", "/v2/{}/stats/traffic/summary", "play_domains", 1)
"""The bytes of each of several domains, of v2."""

STATISTICS = (
    *(series.operation.name for series in TRAFFIC.values()),
    SUMMARY.name,
    BANDWIDTH.operation.name,
)
"""The names of the operations that count as statistics requests."""
