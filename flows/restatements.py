"""``revisions``: what the source changed after it was published."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from livetraffic.table import TRAFFIC_REVISIONS
from livetraffic.window import from_seconds
from load.sink import Sink

_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Revision:
    """One changed value; ``timestamp`` in seconds, ``revised_at`` in microseconds, UTC."""

    domain: str
    timestamp: int
    revised_at: int
    old_bytes: int
    new_bytes: int
    run_id: str


def revisions(sink: Sink, since: int, names: tuple[str, ...] = ()) -> Iterator[Revision]:
    """The changes made at or after ``since`` (seconds), month by month, the earliest first.

    Args:
        names: of these domains only; empty: of all.
    """
    first = from_seconds(since).strftime("%Y-%m")
    for month in sink.months(TRAFFIC_REVISIONS):
        if month < first:
            continue
        found: list[Revision] = []
        with closing(sink.read_month(TRAFFIC_REVISIONS, month)) as batches:
            for batch in batches:
                columns = batch.to_pydict()
                for domain, point, revised, old, new, run in zip(
                    *(columns[name] for name in _COLUMNS), strict=True
                ):
                    at = round(revised.timestamp() * _MICROSECONDS)
                    if at >= since * _MICROSECONDS and (not names or domain in names):
                        stamp = int(point.timestamp())
                        found.append(Revision(domain, stamp, at, old, new, run))
        yield from sorted(found, key=lambda item: (item.revised_at, item.domain, item.timestamp))


_COLUMNS = ("domain", "timestamp", "revised_at", "old_bytes", "new_bytes", "run_id")
