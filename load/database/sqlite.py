"""A warehouse in one SQLite file."""

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, Engine, NullPool, create_engine, event
from sqlalchemy.exc import SQLAlchemyError

from livetraffic.errors import ConfigError
from livetraffic.table import Kind
from load.database import answers
from load.database.address import Address
from load.database.ddl import Words
from load.database.failure import Trouble
from load.database.values import from_text, instant_text, plain_rows
from load.directory import make_root
from load.lock import run_lock

OLDEST = (3, 35)
BUSY_SECONDS = 60.0
_TYPES = {Kind.INTEGER: "INTEGER"}
_SETTINGS = (
    "PRAGMA journal_mode = WAL",  # readers go on while a batch is written
    "PRAGMA synchronous = FULL",  # a committed batch outlives a power cut
    "PRAGMA cache_size = -65536",  # KiB: what a batch's writing may hold of the file
)
_TROUBLES = {
    sqlite3.SQLITE_BUSY: Trouble.CONFLICT,
    sqlite3.SQLITE_LOCKED: Trouble.CONFLICT,
    sqlite3.SQLITE_FULL: Trouble.FULL,
    sqlite3.SQLITE_IOERR: Trouble.DISK,  # what a full disk is too, where the log's index must grow
    sqlite3.SQLITE_READONLY: Trouble.READ_ONLY,
    sqlite3.SQLITE_PERM: Trouble.FORBIDDEN,
    sqlite3.SQLITE_CANTOPEN: Trouble.NO_FILE,
    sqlite3.SQLITE_NOTADB: Trouble.DAMAGED,
    sqlite3.SQLITE_CORRUPT: Trouble.DAMAGED,
    sqlite3.SQLITE_CONSTRAINT: Trouble.COLLISION,
}
_READING = frozenset(
    {
        sqlite3.SQLITE_SELECT,
        sqlite3.SQLITE_READ,
        sqlite3.SQLITE_FUNCTION,
        sqlite3.SQLITE_RECURSIVE,
    }
)


class Sqlite:
    """``load.database.dialect.Dialect`` for SQLite. Instants are text, see ``plain_rows``."""

    self_check = "PRAGMA integrity_check(5)"
    errors: tuple[type[Exception], ...] = (SQLAlchemyError, sqlite3.Error)
    words = Words(type_of=lambda column: _TYPES.get(column.kind, "TEXT"), keyed=" WITHOUT ROWID")

    def __init__(self, address: Address) -> None:
        if sqlite3.sqlite_version_info < OLDEST:
            raise ConfigError(
                f"This Python brings SQLite {sqlite3.sqlite_version}.",
                f"A sqlite:/// warehouse needs {OLDEST[0]}.{OLDEST[1]} or newer.",
            )
        self.address = address
        self.path = Path(address.url.database or "").absolute()

    @cached_property
    def writer(self) -> Engine:
        """As ``Dialect.writer``; makes the file."""
        return _engine(partial(self._connect, "rwc"), *_SETTINGS)

    @cached_property
    def reader(self) -> Engine:
        """As ``Dialect.reader``."""
        return _engine(partial(self._connect, "ro"), "PRAGMA query_only = 1")

    def _connect(self, mode: str) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{self.path.as_uri()}?mode={mode}",
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.create_function("microsecond_after", 1, _microsecond_after, deterministic=True)
        return connection

    def is_there(self) -> bool:
        """As ``Dialect.is_there``: whether there is a file."""
        return self.path.exists()

    def make(self) -> None:
        """As ``Dialect.make``: the file's directory."""
        make_root(self.path.parent)

    def make_schema(self, connection: Connection) -> None:
        """As ``Dialect.make_schema``: there is none."""

    def lock_commits(self, connection: Connection) -> None:
        """As ``Dialect.lock_commits``: the transaction begins anew as a writing one."""
        connection.exec_driver_sql("ROLLBACK")
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    def insert(self, connection: Connection, name: str, table: pa.Table) -> None:
        """As ``Dialect.insert``, by one prepared statement."""
        marks = ", ".join("?" * table.num_columns)
        columns = ", ".join(table.column_names)
        statement = f"INSERT INTO {name} ({columns}) VALUES ({marks})"  # noqa: S608 - our names
        driver: Any = connection.connection.driver_connection
        for rows in plain_rows(table):
            driver.executemany(statement, rows)

    def analyze(self, connection: Connection, name: str) -> None:
        """As ``Dialect.analyze``: its planner does without."""

    def microseconds(self, value: Any) -> int:
        """As ``Dialect.microseconds``."""
        return from_text(value)

    def instant(self, microseconds: int) -> object:
        """As ``Dialect.instant``."""
        return instant_text(microseconds)

    def judge(self, error: BaseException) -> Trouble:
        """As ``Dialect.judge``, by SQLite's own number."""
        if "no such table" in str(error):
            return Trouble.ABSENT
        number = getattr(error, "sqlite_errorcode", None)
        return _TROUBLES.get((number or 0) & 0xFF, Trouble.OTHER)

    def run_lock(
        self,
        *,
        wait: float,
        holder: str,
        sleep: Callable[[float], None],
        clock: Callable[[], float],
    ) -> AbstractContextManager[None]:
        """As ``Dialect.run_lock``, on a file beside the database."""
        path = self.path.with_name(f"{self.path.name}.run.lock")
        return run_lock(
            path, wait=wait, holder=holder, sleep=sleep, clock=clock, warehouse=self.address
        )

    def query(self, statement: str) -> pa.Table:
        """As ``Dialect.query``: SQLite itself refuses all but reading."""
        with closing(self._connect("ro")) as connection:
            connection.execute("PRAGMA query_only = 1")
            connection.set_authorizer(_authorized)
            try:
                cursor = connection.execute(statement)
            except (sqlite3.Error, sqlite3.Warning) as error:
                raise _refusal(error) from error
            names = [column[0] for column in cursor.description or ()]
            if not names:
                raise answers.not_reading()
            batches = iter(partial(cursor.fetchmany, answers.PIECE), [])
            return answers.assembled([(name, answers.by_look(name)) for name in names], batches)


def _engine(connect: Callable[[], sqlite3.Connection], *settings: str) -> Engine:
    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)

    @event.listens_for(engine, "connect")
    def _set(connection: Any, _: object) -> None:
        for setting in settings:
            connection.execute(setting)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine


def _microsecond_after(text: str | None) -> str | None:
    return None if text is None else instant_text(from_text(text) + 1)


def _authorized(action: int, first: str | None, second: str | None, *_: object) -> int:
    if action == sqlite3.SQLITE_PRAGMA:
        reading = first in {"table_info", "table_xinfo", "table_list", "index_list", "index_info"}
        return sqlite3.SQLITE_OK if reading else sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_FUNCTION and second == "load_extension":
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK if action in _READING else sqlite3.SQLITE_DENY


def _refusal(error: Exception) -> Exception:
    number = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    if number == sqlite3.SQLITE_AUTH:
        return answers.not_reading()
    if "one statement at a time" in str(error):
        return answers.not_one()
    return error if number in _TROUBLES else answers.refused(error)
