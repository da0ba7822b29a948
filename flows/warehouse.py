"""The warehouse that the settings name, and the arithmetic it is kept by."""

from pathlib import Path
from typing import TYPE_CHECKING

from flows.outlook import Rules
from livetraffic.errors import ConfigError
from livetraffic.limits import V1, Limits
from load.sink import Sink

if TYPE_CHECKING:
    from flows.settings import Settings

DUCKDB = "duckdb://"
DATABASES = frozenset({"sqlite", "postgresql", "postgres", "mysql", "mariadb", "duckdb"})
"""Schemes of the URLs that name a database."""


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
        ConfigError: as ``sink_at``.
    """
    return sink_at(settings.warehouse)


def sink_at(location: str) -> Sink:
    """The warehouse at a path or URL; nothing is created yet.

    Raises:
        ConfigError: a kind of warehouse that this version does not have, a URL that cannot be used,
            or a driver that is not installed.
    """
    if location.startswith(DUCKDB):
        from load.duckdb_file import DuckDbSink

        return DuckDbSink(duckdb_path(location))
    if is_database(location):
        from load.database.sink import DatabaseSink

        return DatabaseSink(location)
    from load.parquet import ParquetSink

    return ParquetSink(local_path(location))


def duckdb_path(url: str) -> Path:
    """The file of ``duckdb:///warehouse.duckdb``; four slashes before an absolute path.

    Raises:
        ConfigError: it names no file.
    """
    host, slash, path = url.removeprefix(DUCKDB).partition("/")
    if host or not slash or not path or path == ":memory:" or "?" in path:
        raise ConfigError(
            "LIVE_TRAFFIC_WAREHOUSE names no DuckDB file.",
            "Write duckdb:///warehouse.duckdb, or four slashes before an absolute path.",
        )
    return Path(path).expanduser()


def shown(location: str) -> str:
    """A path or URL as people may see it: without password, and of the options only the schema."""
    scheme, mark, rest = location.partition("://")
    if not mark:
        return location
    rest, _, options = rest.partition("?")
    user, at, place = rest.rpartition("@")
    schema = "".join(f"?{each}" for each in options.split("&") if each.startswith("schema="))
    return f"{scheme}://{user.partition(':')[0]}{at}{place}{schema}"


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
