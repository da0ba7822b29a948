"""Where an engine is measured, and what it says of itself: bytes written and statements.

Servers are those of ``BENCH_POSTGRES`` and ``BENCH_MARIADB``, or the ones on this machine's default ports.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event, make_url

POSTGRES = os.environ.get("BENCH_POSTGRES", "postgresql://postgres@127.0.0.1:5432/test")
MARIADB = os.environ.get("BENCH_MARIADB", "mysql://root@127.0.0.1:3306/test")


@dataclass(frozen=True, slots=True)
class Reading:
    """Counters at one moment."""

    written_bytes: int
    statements: int


@dataclass(slots=True)
class Meter:
    """Reads an engine's counters; statements are counted in this process."""

    written: Callable[[], int]
    statements: int = 0

    def read(self) -> Reading:
        """The counters now."""
        return Reading(self.written(), self.statements)


def _name(directory: Path) -> str:
    return f"bench_{sha256(str(directory).encode()).hexdigest()[:16]}"


def connected(engine: str, place: str) -> Any:
    """A plain connection to the place, not a sink's."""
    url = make_url(place)
    if engine == "postgresql":
        import psycopg

        schema = url.query.get("schema")
        bare = url.set(drivername="postgresql").difference_update_query(["schema"])
        connection = psycopg.connect(bare.render_as_string(hide_password=False))
        if schema:
            connection.execute(f'SET search_path TO "{schema}"')
            connection.execute("SET TIME ZONE 'UTC'")
            connection.commit()
        return connection
    import pymysql

    return pymysql.connect(
        host=url.host or "127.0.0.1",
        port=url.port or 3306,
        user=url.username,
        password=str(url.password or ""),
        database=url.database,
        local_infile=True,
        charset="utf8mb4",
    )


def fresh_place(engine: str, directory: Path) -> str | None:
    """A path or URL that is nobody else's; None where there is no server."""
    if engine == "parquet":
        return str(directory / "warehouse")
    if engine in ("duckdb", "sqlite"):
        return f"{engine}:///{directory}/warehouse.{engine}"
    name = _name(directory)
    try:
        if engine == "postgresql":
            with connected(engine, POSTGRES) as connection:
                connection.execute(f'CREATE SCHEMA "{name}"')
            return f"{POSTGRES}{'&' if '?' in POSTGRES else '?'}schema={name}"
        with connected(engine, MARIADB) as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name}")
        return make_url(MARIADB).set(database=name).render_as_string(hide_password=False)
    except Exception as error:  # noqa: BLE001 - whatever the driver says, there is no server
        print(f"no {engine}: {str(error).splitlines()[0]}")
        return None


def drop_place(engine: str, directory: Path) -> None:
    """Remove what ``fresh_place`` made in a server."""
    name = _name(directory)
    if engine == "postgresql":
        with connected(engine, POSTGRES) as connection:
            for schema in (name, f"{name}_staging"):  # the second is dlt's
                connection.execute(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')
    if engine == "mariadb":
        with connected(engine, MARIADB) as connection, connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {name}")


def meter(engine: str, place: str) -> Meter:
    """The meter of an engine: the server's own counter, or this process's writes."""
    found = Meter(_written(engine, place))
    if engine == "parquet":
        _count_calls(found, os, "fsync")
    elif engine == "duckdb":
        _count_duckdb(found)
    else:
        event.listen(Engine, "before_cursor_execute", lambda *_: _add(found))
    return found


def _add(meter: Meter) -> None:
    meter.statements += 1


def _count_calls(meter: Meter, module: Any, name: str) -> None:
    original = getattr(module, name)

    def counted(*arguments: Any) -> Any:
        meter.statements += 1
        return original(*arguments)

    setattr(module, name, counted)


def _count_duckdb(meter: Meter) -> None:
    """DuckDB's connection cannot be listened to: its statements are not counted (0)."""
    meter.statements = 0


def _written(engine: str, place: str) -> Callable[[], int]:
    if engine == "postgresql":
        connection = connected(engine, POSTGRES)
        connection.autocommit = True

        def wal() -> int:
            row = connection.execute("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn").fetchone()
            return int(row[0])

        return wal
    if engine == "mariadb":
        connection = connected(engine, MARIADB)

        def innodb() -> int:
            with connection.cursor() as cursor:
                cursor.execute("SHOW GLOBAL STATUS LIKE 'Innodb_data_written'")
                return int(cursor.fetchone()[1])

        return innodb
    return _process_writes


def _process_writes() -> int:
    """What this process handed to write calls, by the kernel's count."""
    for text in Path("/proc/self/io").read_text().splitlines():
        if text.startswith("wchar:"):
            return int(text.split()[1])
    return 0
