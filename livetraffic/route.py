"""Which account and API serve which part of a domain's time.

The v1 statistics serve domains on the old Live service, the v2 statistics those on the new one, and
no field says which (reference: huawei-live-api section 3.6). A domain that was deleted and added again
on the other service, or under another account, has two services, split at the move; their values are
never added up.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from livetraffic.domain import Domain
from livetraffic.ledger import Entry
from livetraffic.window import Window, ceil, intersect

V1, V2 = "v1", "v2"
ALWAYS = Window(0, 253_402_300_800)
"""From 1970 to the year 10000."""


class Service(NamedTuple):
    """One account and API, and the time that it serves; ``past`` where the domain has left it."""

    account: str
    source: str
    window: Window
    past: bool = False


def services(domain: Domain, step: int, presumed: str = V1) -> tuple[Service, ...]:
    """Who serves the domain, the earliest first.

    Args:
        domain: as the warehouse knows it.
        step: seconds; a move inside a period counts from the next one on.
        presumed: the API of a domain of which it is not known yet.
    """
    source = domain.api or presumed
    if domain.moved_at is None:
        return (Service(domain.account, source, ALWAYS),)
    at = min(max(ceil(domain.moved_at, step), ALWAYS.start + step), ALWAYS.end - step)
    before = Service(
        domain.previous_account or domain.account,
        domain.previous_api or source,
        Window(ALWAYS.start, at),
        past=True,
    )
    return (before, Service(domain.account, source, Window(at, ALWAYS.end)))


def counted(entries: Iterable[Entry], domains: Mapping[str, Domain], step: int) -> Iterator[Entry]:
    """The entries that speak for their time: those of the API that serves it, cut to that time.

    All of them count while it is not known which API serves a domain, and of a domain that is not
    among ``domains``. The view ``ledger_spans`` holds the same rule.
    """
    serving: dict[tuple[str, str], tuple[Window, ...] | None] = {}
    for entry in entries:
        key = (entry.domain, entry.source)
        if key not in serving:
            serving[key] = _times(domains.get(entry.domain), entry.source, step)
        times = serving[key]
        if times is None:
            yield entry
            continue
        for part in intersect((entry.window,), times):
            yield (
                entry
                if part == entry.window
                else entry._replace(window_start=part.start, window_end=part.end)
            )


def _times(domain: Domain | None, source: str, step: int) -> tuple[Window, ...] | None:
    """When the API serves the domain; None: all the time, or nobody knows."""
    if domain is None or not domain.api:
        return None
    windows = [service.window for service in services(domain, step) if service.source == source]
    return None if len(windows) > 1 or windows == [ALWAYS] else tuple(windows)
