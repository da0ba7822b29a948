"""Settings in, wired parts out: the one place where the parts meet."""

import os
import secrets
import socket
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flows.clock import Clock, real_clock
from flows.outlook import Rules
from flows.warehouse import open_sink, rules_of
from livetraffic.errors import LiveTrafficError
from load.sink import Sink

if TYPE_CHECKING:
    from extract.live_api import LiveApi
    from flows.settings import Settings


@dataclass(frozen=True, slots=True)
class Tenant:
    """One account's project: its client and what is configured for it."""

    name: str
    """The account's name in the warehouse."""
    api: "LiveApi"
    configured: tuple[str, ...] = ()
    """The domains that are named; empty: those that the domain list names."""
    mode: str = "auto"
    """``auto``, ``v1`` or ``v2``."""
    pins: Mapping[str, str] = field(default_factory=dict)
    """Domains whose API is named."""

    def pinned(self, domain: str) -> str:
        """The API that is named for a domain; empty where it is to be found out."""
        return self.pins.get(domain) or ("" if self.mode == "auto" else self.mode)


@dataclass(frozen=True, slots=True)
class Deps:
    """Everything a run needs, wired. ``clock`` is *now* for planning, ages and stamps."""

    sink: Sink
    tenants: tuple[Tenant, ...]
    rules: Rules
    timezone: str
    clock: Clock
    stop: threading.Event
    only: tuple[str, ...] = ()
    """Of several accounts' domains only these; empty: all."""
    broken: Mapping[str, LiveTrafficError] = field(default_factory=dict)
    """The accounts that could not be wired, and why."""

    @property
    def requests_sent(self) -> int:
        """Statistics requests sent so far, retries included."""
        return sum(self.requests_by_operation.values())

    @property
    def requests_by_operation(self) -> dict[str, int]:
        """The same by what was asked: traffic, traffic_v2, summary_v2."""
        sent: Counter[str] = Counter()
        for tenant in self.tenants:
            sent.update(tenant.api.requests_by_operation)
        return dict(sorted(sent.items()))


def new_run_id(deps: Deps) -> str:
    """A name for a run that sorts by time and is never used twice."""
    return f"{deps.clock():%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


def holder(run_id: str) -> str:
    """The line that a waiting run is shown about this one."""
    now = real_clock().strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"run {run_id}, process {os.getpid()} on {socket.gethostname()}, since {now}"


def connect(
    settings: "Settings",
    *,
    clock: Clock = real_clock,
    stop: threading.Event | None = None,
    writes: bool = False,
    checks_clock: bool = True,
) -> Deps:
    """The source and the warehouse, wired. Sends nothing; only a run that writes leaves a trace.

    Raises:
        ConfigError: credentials, project, region or endpoint are missing or contradict each other
            (of several accounts: of all of them), or the warehouse is one that may not be used.
    """
    from flows.settings import account_settings  # pydantic
    from flows.source import live_api  # requests and SQLite

    stopping = stop or threading.Event()
    rules, sink = rules_of(settings), open_sink(settings)
    sink.check(step=rules.step, timezone=settings.timezone)
    tenants: list[Tenant] = []
    broken: dict[str, LiveTrafficError] = {}
    for name, own in account_settings(settings).items():
        try:
            api = live_api(
                own,
                rules,
                account=name,
                clock=clock,
                stop=stopping,
                keeps_budget=writes,
                checks_clock=checks_clock,
            )
        except LiveTrafficError as error:
            broken[name] = error
        else:
            tenants.append(Tenant(name, api, own.domains, own.api, own.domain_apis))
    if not tenants:
        raise next(iter(broken.values()))
    return Deps(
        sink=sink,
        tenants=tuple(tenants),
        rules=rules,
        timezone=settings.timezone,
        clock=clock,
        stop=stopping,
        only=settings.domains if settings.accounts else (),
        broken=broken,
    )
