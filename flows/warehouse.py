"""The warehouse that the settings name, and the arithmetic it is kept by."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.outlook import Rules
from livetraffic.errors import ConfigError
from livetraffic.limits import V1, V2, Limits
from load.sink import Sink

if TYPE_CHECKING:
    from flows.settings import Settings

DUCKDB = "duckdb://"
OBJECTS = "s3://"
DATABASES = frozenset({"sqlite", "postgresql", "postgres", "mysql", "mariadb", "duckdb"})
"""Schemes of the URLs that name a database."""


def rules_of(settings: "Settings") -> Rules:
    """The limits of the APIs in use, with the overrides of the settings."""
    both = {"delay": settings.delay, "margin": settings.margin}
    quota = settings.requests_per_minute
    own = {
        "v1": (V1, settings.span, settings.retention, quota),
        "v2": (
            V2,
            settings.v2_span,
            settings.v2_retention,
            settings.v2_requests_per_minute or quota,
        ),
    }
    wanted = {account.api or settings.api for account in settings.accounts} or {settings.api}
    wanted |= set(settings.domain_apis.values())
    names = [name for name in own if name in wanted or "auto" in wanted]
    apis: dict[str, Limits] = {}
    for name in names:
        limits, span, retention, per_minute = own[name]
        given = {"span": span, "retention": retention, "requests_per_minute": per_minute, **both}
        changes: dict[str, Any] = {k: v for k, v in given.items() if v is not None}
        apis[name] = replace(limits, **changes)
    presumed = "v1" if "v1" in apis else "v2"
    return Rules(settings.step, settings.settle_after, apis, settings.idle, presumed)


def open_sink(settings: "Settings") -> Sink:
    """The warehouse that the settings name; nothing is created yet.

    Raises:
        ConfigError: as ``sink_at``.
    """
    return sink_at(settings.warehouse, settings)


def sink_at(location: str, settings: "Settings | None" = None) -> Sink:
    """The warehouse at a path or URL; nothing is created yet.

    Args:
        location: the path or URL.
        settings: how an object store is reached; None: those of this process.

    Raises:
        ConfigError: a kind of warehouse that this version does not have, a URL that cannot be used,
            or a driver that is not installed.
    """
    if location.startswith(DUCKDB):
        from load.duckdb.sink import DuckDbSink

        return DuckDbSink(duckdb_path(location))
    if is_database(location):
        from load.database.sink import DatabaseSink

        return DatabaseSink(location)
    if location.startswith(OBJECTS):
        from flows.object_store import object_sink
        from flows.settings import load

        return object_sink(location, load() if settings is None else settings)
    from load.parquet.sink import ParquetSink

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


def is_directory(warehouse: str) -> bool:
    """Whether this is a directory of this machine."""
    return "://" not in warehouse


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
