"""Settings in, wired parts out: the one place where the parts meet."""

import os
import socket
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flows.clock import Clock, real_clock
from flows.outlook import Rules
from flows.warehouse import open_sink, rules_of
from load.sink import Sink

if TYPE_CHECKING:
    from extract.live_api import LiveApi
    from flows.settings import Settings


@dataclass(frozen=True, slots=True)
class Deps:
    """Everything a run needs, wired. ``clock`` is *now* for planning, ages and stamps."""

    sink: Sink
    api: "LiveApi"
    rules: Rules
    configured: tuple[str, ...]
    account: str
    timezone: str
    clock: Clock
    stop: threading.Event


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
        ConfigError: credentials, project, region or endpoint are missing or contradict each other,
            or the warehouse is one that this run may not use.
    """
    from flows.source import account_of, live_api  # requests and SQLite

    stopping = stop or threading.Event()
    rules, sink = rules_of(settings), open_sink(settings)
    sink.check(step=rules.step, timezone=settings.timezone)
    return Deps(
        sink=sink,
        api=live_api(
            settings,
            rules,
            clock=clock,
            stop=stopping,
            keeps_budget=writes,
            checks_clock=checks_clock,
        ),
        rules=rules,
        configured=settings.domains,
        account=account_of(settings),
        timezone=settings.timezone,
        clock=clock,
        stop=stopping,
    )
