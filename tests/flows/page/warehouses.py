"""Small warehouses to report, made by the sink itself, and one that is as large as a page may be."""

from datetime import UTC, datetime

import pandas as pd

from livetraffic.domain import Domain
from livetraffic.ledger import Entry
from load.sink import Sink

DAY = 86_400
ZONE = "Asia/Shanghai"
NOW = int(datetime(2026, 11, 25, 19, 0, tzinfo=UTC).timestamp())
"""2026-11-26 03:00 in Shanghai."""
MIDNIGHT = int(datetime(2026, 11, 25, 16, 0, tzinfo=UTC).timestamp())
"""The one that begins 2026-11-26 there."""
AS_OF = "2026-11-25T19:00:00Z"


def prepared(sink: Sink, *, days: int, step: int = 300) -> Sink:
    """An empty warehouse with a calendar for so many days before now."""
    sink.prepare(step=step, timezone=ZONE, settle_after=DAY)
    sink.extend_calendar(MIDNIGHT - days * DAY, NOW)
    return sink


def known(sink: Sink, names: list[str], *, since: int) -> None:
    """Put these domains, first seen at ``since`` (seconds) and listed ever since."""
    sink.put_domains(
        Domain(name, "pull", "on", "", "", since, "acct", "p", "cn-north-4", since, NOW, api="v1")
        for name in names
    )


def entry(
    domain: str, start: int, end: int, *, state: str = "read", sent: int = NOW, step: int = 300
) -> Entry:
    """A ledger entry of the window."""
    points = (end - start) // step
    read = points if state == "read" else 0
    return Entry(
        domain, start, end, state, read, points, 0, "v1", "acct", "p", "cn-north-4",
        sent * 1_000_000, "run",
    )  # fmt: skip


def frame(values: dict[str, dict[int, int]]) -> pd.DataFrame:
    """Rows of domain -> second -> bytes."""
    rows = [(d, at, count) for d, points in values.items() for at, count in points.items()]
    stamps = pd.to_datetime([at for _, at, _ in rows], unit="s", utc=True)
    return pd.DataFrame(
        {
            "domain": [d for d, _, _ in rows],
            "timestamp": stamps.astype("datetime64[us, UTC]"),
            "traffic_bytes": pd.array([count for _, _, count in rows], "int64"),
            "source": "v1",
        }
    )


def stored(
    sink: Sink, values: dict[str, dict[int, int]], entries: list[Entry], *, at: int = NOW
) -> None:
    """Upsert values and entries in one commit."""
    sink.upsert(frame(values), entries, loaded_at=datetime.fromtimestamp(at, UTC), run_id="run")


def read_whole(sink: Sink, domain: str, values: dict[int, int], start: int, end: int) -> None:
    """The domain's values, with a read of the whole window that settles what is old enough."""
    stored(sink, {domain: values}, [entry(domain, start, end)])
