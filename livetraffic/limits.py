"""What one endpoint of the source allows, as data.

The figures of ``V1`` are those of the vendor's page ShowTraffic (live_03_0015) and its quota table:
30 days a request, the last three months (read as 90 days, as the page's revisions of May 2020 say),
300 requests a minute a user. Those of ``V2`` are of the pages ListDomainTrafficDetail and -Summary: 31
days a request, one year back, up to 100 domains in a summary, and the lowest quota that the vendor
named, 20 requests a minute an operation. Delay and margin are ours: see ``docs/decisions/``.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from livetraffic.window import DAY, HOUR, MINUTE, Window, ceil, floor


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one endpoint; all durations in seconds."""

    source: str
    span: int
    retention: int
    margin: int
    delay: int
    steps: tuple[int, ...]
    requests_per_minute: int
    domains_per_request: int = 1
    """How many domains one request for per-domain sums may name."""

    def edge(self, now: int, step: int) -> int:
        """The earliest grid point that is planned for: retention less the margin."""
        return ceil(now - self.retention + self.margin, step)

    def hard_edge(self, now: int) -> int:
        """The earliest instant that may be asked for at all, two minutes inside the retention.

        A request whose start has slid behind it while the run was queueing is clipped to ``edge``.
        """
        return now - self.retention + min(2 * MINUTE, self.margin)

    def horizon(self, now: int, step: int) -> int:
        """The end of the last step that the source has finished and had ``delay`` to publish."""
        return floor(now - self.delay, step)

    def reach(self, now: int, step: int) -> Window | None:
        """Everything that may be wanted now; None where retention and delay leave nothing."""
        start, end = self.edge(now, step), self.horizon(now, step)
        return Window(start, end) if start < end else None

    def expires_at(self, start: int) -> int:
        """The last instant at which a window that starts there is still planned for whole."""
        return start + self.retention - self.margin


V1 = Limits(
    source="v1",
    span=30 * DAY,
    retention=90 * DAY,
    margin=HOUR,
    delay=15 * MINUTE,
    steps=(5 * MINUTE, HOUR, DAY),
    requests_per_minute=300,
)

V2 = Limits(
    source="v2",
    span=31 * DAY,
    retention=365 * DAY,
    margin=HOUR,
    delay=15 * MINUTE,
    steps=(5 * MINUTE, HOUR, DAY),
    requests_per_minute=20,
    domains_per_request=100,
)

APIS: Mapping[str, Limits] = {"v1": V1, "v2": V2}
