"""Settings in, wired parts out: the one place where the parts meet."""

import os
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flows.outlook import Rules
from livetraffic.errors import ConfigError
from livetraffic.limits import V1, Limits
from load.sink import Sink

if TYPE_CHECKING:
    from extract.live_api import LiveApi
    from flows.settings import Settings

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Deps:
    """Everything a run needs, wired. ``clock`` is *now* for planning, ages and stamps."""

    sink: Sink
    api: "LiveApi"
    rules: Rules
    configured: tuple[str, ...]
    account: str
    idle: str
    timezone: str
    clock: Clock
    stop: threading.Event


def real_clock() -> datetime:
    """Now, in UTC: the clock of signing and of token expiry, always."""
    return datetime.now(UTC)


def clock_at(instant: int | None) -> Clock:
    """The real clock, or one that stands at ``instant`` (seconds)."""
    if instant is None:
        return real_clock
    fixed = datetime.fromtimestamp(instant, UTC)
    return lambda: fixed


def rules_of(settings: "Settings") -> Rules:
    """The limits of the API with the overrides of the settings."""
    limits = Limits(
        source=V1.source,
        span=settings.span,
        retention=settings.retention,
        margin=settings.margin,
        delay=settings.delay,
        steps=V1.steps,
        requests_per_minute=settings.requests_per_minute,
    )
    return Rules(settings.step, settings.settle_after, limits)


def open_sink(settings: "Settings") -> Sink:
    """The warehouse that the settings name; nothing is created yet.

    Raises:
        ConfigError: a kind of warehouse that this version does not have.
    """
    from load.parquet import ParquetSink

    return ParquetSink(local_path(settings.warehouse))


def local_path(warehouse: str) -> Path:
    """The directory of a Parquet warehouse.

    Raises:
        ConfigError: it is a URL.
    """
    if "://" in warehouse:
        scheme = warehouse.split("://", 1)[0]
        raise ConfigError(
            f"LIVE_TRAFFIC_WAREHOUSE is a {scheme}:// URL, which this version cannot write.",
            "Give a local directory, such as ./warehouse.",
        )
    return Path(warehouse).expanduser()


def is_loopback(url: str | None) -> bool:
    """Whether a URL points at this machine's loopback interface."""
    host = urlsplit(url or "").hostname or ""
    return host in {"localhost", "::1"} or host.startswith("127.")


def holder(run_id: str) -> str:
    """The line that a waiting run is shown about this one."""
    now = real_clock().strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"run {run_id}, process {os.getpid()} on {socket.gethostname()}, since {now}"


def connect(
    settings: "Settings", *, clock: Clock = real_clock, stop: threading.Event | None = None
) -> Deps:
    """The source and the warehouse, ready for a run. Creates no warehouse.

    Asks IAM only where the project ID is not configured.

    Raises:
        ConfigError: credentials, project, region or endpoint are missing or contradict each other.
    """
    from flows.source import live_api

    stopping = stop or threading.Event()
    rules = rules_of(settings)
    return Deps(
        sink=open_sink(settings),
        api=live_api(settings, rules, clock=clock, stop=stopping),
        rules=rules,
        configured=settings.domains,
        account=account_of(settings),
        idle=settings.idle,
        timezone=settings.timezone,
        clock=clock,
        stop=stopping,
    )


def account_of(settings: "Settings") -> str:
    """The account's name in the ledger: as configured, else ``default``."""
    return settings.account or "default"


