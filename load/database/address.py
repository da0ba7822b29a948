"""The database that a URL names, and how it is shown: never with its password."""

import re
from dataclasses import dataclass, field
from enum import StrEnum

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from livetraffic.errors import ConfigError

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
WAREHOUSE = "LIVE_TRAFFIC_WAREHOUSE"
_SPECIAL = "Percent-encode special characters in the user and the password (@ is %40, / is %2F)."


class Kind(StrEnum):
    """The families of databases, by the name that ``sql`` and ``load.views`` know them by."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"
    MYSQL = "mysql"


_DRIVERS = {
    "sqlite": (Kind.SQLITE, "sqlite"),
    "postgresql": (Kind.POSTGRESQL, "postgresql+psycopg"),
    "postgres": (Kind.POSTGRESQL, "postgresql+psycopg"),
    "mysql": (Kind.MYSQL, "mysql+pymysql"),
    "mariadb": (Kind.MYSQL, "mysql+pymysql"),
}
SCHEMES = frozenset(_DRIVERS)


@dataclass(frozen=True, slots=True)
class Address:
    """One database. ``str`` shows it without password and driver options."""

    kind: Kind
    url: URL = field(repr=False)
    """With the driver's name, without our own options."""
    shown: str
    schema: str | None = None
    """PostgreSQL's namespace; None: the one that the server gives the user."""
    setting: str = WAREHOUSE
    """Where the user wrote it."""

    def __str__(self) -> str:
        return self.shown


def parse(text: str, setting: str = WAREHOUSE) -> Address:
    """The address of ``sqlite:///file``, ``postgresql://…``, ``mysql://…`` or ``mariadb://…``.

    Raises:
        ConfigError: it is no such URL, names no database, or has an option that cannot be used.
    """
    scheme = text.split(":", 1)[0].split("+", 1)[0]
    if scheme not in _DRIVERS:
        raise ConfigError(
            f"{setting} is no URL of a database that this version can write.",
            f"Give one of {', '.join(f'{name}://' for name in sorted(SCHEMES))}.",
        )
    kind, driver = _DRIVERS[scheme]
    url = _read(text, setting)
    if "+" in text.split(":", 1)[0] and url.drivername != driver:
        raise ConfigError(
            f"{setting} names a driver that this version does not use.", f"Write {scheme}://."
        )
    schema = _schema(kind, url, setting)
    url = url.set(drivername=driver).difference_update_query(["schema"])
    _check(kind, url, setting)
    return Address(kind, url, _shown(scheme, url, schema), schema, setting)


def _read(text: str, setting: str) -> URL:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ConfigError(f"{setting} is not a URL that can be read.", _SPECIAL) from None
    if "@" in (url.host or ""):  # the rest of a password
        raise ConfigError(f"{setting} has more than one @.", _SPECIAL)
    return url


def _schema(kind: Kind, url: URL, setting: str) -> str | None:
    name = url.query.get("schema")
    if name is None:
        return None
    if kind is not Kind.POSTGRESQL:
        raise ConfigError(
            f"{setting} names a schema, which only PostgreSQL has.", "Leave ?schema= out."
        )
    if not isinstance(name, str) or not _IDENTIFIER.fullmatch(name):
        raise ConfigError(
            f"{setting} names the schema {name!r}, which is not an identifier.",
            "Use letters, digits and _, at most 63, not beginning with a digit.",
        )
    return name


def _check(kind: Kind, url: URL, setting: str) -> None:
    if kind is not Kind.SQLITE:
        if not url.database:
            raise ConfigError(
                f"{setting} names no database.", "Give it after the host: …://host/database."
            )
    elif url.query or url.host or url.database in {None, "", ":memory:"}:
        raise ConfigError(
            f"{setting} names no SQLite file.",
            "Write sqlite:///warehouse.db, or four slashes before an absolute path.",
        )


def _shown(scheme: str, url: URL, schema: str | None) -> str:
    plain = URL.create(scheme, url.username, None, url.host, url.port, url.database)
    shown = plain.render_as_string(hide_password=True)
    return shown if schema is None else f"{shown}?schema={schema}"
