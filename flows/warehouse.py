"""The warehouse that the settings name, and the arithmetic it is kept by."""

from pathlib import Path
from typing import TYPE_CHECKING

from flows.outlook import Rules
from livetraffic.errors import ConfigError
from livetraffic.limits import V1, Limits
from load.sink import MonthlySink, Sink

if TYPE_CHECKING:
    from flows.settings import Settings

DATABASES = frozenset({"sqlite", "postgresql", "postgres", "mysql", "mariadb"})
"""Schemes of the URLs that name a SQL database."""


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
    return Rules(settings.step, settings.settle_after, limits, settings.idle)


def open_sink(settings: "Settings") -> Sink:
    """The warehouse that the settings name; nothing is created yet.

    Raises:
        ConfigError: a kind of warehouse that this version does not have, or a driver that is not
            installed.
    """
    if is_database(settings.warehouse):
        from load.database.sink import DatabaseSink

        return DatabaseSink(settings.warehouse)
    return sink_at(settings.warehouse)


def sink_at(location: str) -> MonthlySink:
    """The warehouse at a path or URL; nothing is created yet.

    Raises:
        ConfigError: a kind of warehouse that this version does not have.
    """
    from load.parquet import ParquetSink

    return ParquetSink(local_path(location))


def shown(location: str) -> str:
    """A path or URL as people may see it: without password and options."""
    scheme, mark, rest = location.partition("://")
    if not mark:
        return location
    user, at, place = rest.partition("?")[0].rpartition("@")
    return f"{scheme}://{user.partition(':')[0]}{at}{place}"


def is_database(warehouse: str) -> bool:
    """Whether this is the URL of a SQL database."""
    return warehouse.partition("://")[0].partition("+")[0] in DATABASES


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
