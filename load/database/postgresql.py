"""A warehouse in PostgreSQL (13 or newer), through psycopg 3."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from typing import Any

import psycopg
import pyarrow as pa
from sqlalchemy import Connection, Engine, NullPool, create_engine, event, text
from sqlalchemy.exc import SQLAlchemyError

from livetraffic.table import Kind
from load.database import answers, binary_copy, keepalive
from load.database.address import Address
from load.database.ddl import Words
from load.database.dialect import COMMIT_WAIT_SECONDS, LOCK_WAIT_SECONDS
from load.database.failure import Trouble
from load.database.session_lock import session_lock
from load.database.values import csv_pieces, from_zoned, instant_of

_TYPES = {
    Kind.TEXT: 'TEXT COLLATE "C"',  # sorts as every other sink does, whatever the server's locale
    Kind.INTEGER: "BIGINT",
    Kind.TIMESTAMP: "TIMESTAMPTZ",
    Kind.DATE: "DATE",
}
_SETTINGS = (
    "SET client_encoding = 'UTF8'",  # what the binary COPY sends, whatever the database is in
    "SET statement_timeout = 0",  # a first load takes as long as it takes
    "SET TIME ZONE 'UTC'",
    "SET work_mem = '64MB'",  # what a batch is sorted and joined in
    "SET jit = off",  # compiling a view's plan takes seconds, running it a tenth of one
)
_KEY = "hashtextextended('live-traffic ' || :what || ' ' || COALESCE(:schema, current_schema(), ''), 0)"
_COMMIT_LOCK = text(f"SELECT pg_advisory_xact_lock({_KEY})")
_RUN_LOCK = text(f"SELECT pg_try_advisory_lock({_KEY})")

_STATES = {
    "40001": Trouble.CONFLICT,
    "40P01": Trouble.CONFLICT,
    "55P03": Trouble.CONFLICT,
    "23505": Trouble.COLLISION,
    "42P01": Trouble.ABSENT,
    "3F000": Trouble.ABSENT,
    "28000": Trouble.PASSWORD,
    "28P01": Trouble.PASSWORD,
    "3D000": Trouble.NO_DATABASE,
    "42501": Trouble.FORBIDDEN,
    "25006": Trouble.READ_ONLY,
    "25P03": Trouble.LOST,  # ended for having been idle in its transaction, as one that was frozen is
    "25P04": Trouble.LOST,
    "53100": Trouble.FULL,
    "57P01": Trouble.LOST,
    "57P02": Trouble.LOST,
    "57P03": Trouble.LOST,
    "57P05": Trouble.LOST,
}
# psycopg gives no state for an attempt to connect; these are its and libpq's own words.
_WORDS = (
    ("password authentication failed", Trouble.PASSWORD),
    ("no password supplied", Trouble.PASSWORD),
    ("failed to resolve host", Trouble.HOST),
    ("could not translate host name", Trouble.HOST),
    ("Name or service not known", Trouble.HOST),
    ("Connection refused", Trouble.REFUSED),
    ("connection timeout expired", Trouble.REFUSED),
    ("server closed the connection", Trouble.LOST),
    ("Connection reset by peer", Trouble.LOST),
    ("Broken pipe", Trouble.LOST),
    ("is starting up", Trouble.LOST),
    ("is shutting down", Trouble.LOST),
    ("in recovery mode", Trouble.LOST),
    ("invalid connection option", Trouble.OPTION),
    ("invalid sslmode value", Trouble.OPTION),
)
_READINGS: dict[int, answers.Reading] = {
    16: answers.flags,
    20: answers.integers,
    21: answers.integers,
    23: answers.integers,
    26: answers.integers,
    700: answers.of_type(pa.float64()),
    701: answers.of_type(pa.float64()),
    1700: answers.numbers,
    1082: answers.of_type(pa.date32()),
    1184: answers.instants,
    1114: answers.of_type(pa.timestamp("us")),
    **dict.fromkeys((18, 19, 25, 1042, 1043), answers.of_type(pa.string())),
}
_FIRST_WORDS = frozenset({"select", "with", "values", "table", "show"})


def _options() -> dict[str, str]:
    """What libpq is told where the URL does not; the run lock's connection is idle for long."""
    return {
        "application_name": "live-traffic",
        "connect_timeout": str(keepalive.CONNECT_S),
        "keepalives_idle": str(keepalive.IDLE_S),
        "keepalives_interval": str(keepalive.INTERVAL_S),
        "keepalives_count": str(keepalive.COUNT),
        "tcp_user_timeout": str(keepalive.UNANSWERED_S * 1000),
    }


class Postgresql:
    """``load.database.dialect.Dialect`` for PostgreSQL."""

    self_check = ""
    errors: tuple[type[Exception], ...] = (SQLAlchemyError, psycopg.Error)
    # Temporary tables go without a key: sorting them once is cheaper than an index.
    words = Words(type_of=lambda column: _TYPES[column.kind], keyed_stage=False)

    def __init__(self, address: Address) -> None:
        self.address = address

    @cached_property
    def writer(self) -> Engine:
        """As ``Dialect.writer``."""
        given = self.address.url.query
        missing = {name: value for name, value in _options().items() if name not in given}
        engine = create_engine(self.address.url, poolclass=NullPool, connect_args=missing)

        @event.listens_for(engine, "connect")
        def _set(connection: Any, _: object) -> None:
            for setting in _SETTINGS:
                connection.execute(setting)
            if self.address.schema is not None:
                connection.execute(f'SET search_path TO "{self.address.schema}"')
            connection.commit()

        return engine

    @property
    def reader(self) -> Engine:
        """As ``Dialect.reader``."""
        return self.writer

    def is_there(self) -> bool:
        """As ``Dialect.is_there``."""
        return True

    def make(self) -> None:
        """As ``Dialect.make``: the database is not ours to make."""

    def make_schema(self, connection: Connection) -> None:
        """As ``Dialect.make_schema``: only where the URL names one."""
        if self.address.schema is None:
            return
        known = text("SELECT 1 FROM pg_namespace WHERE nspname = :schema")
        if connection.execute(known, {"schema": self.address.schema}).first() is None:
            connection.exec_driver_sql(f'CREATE SCHEMA "{self.address.schema}"')

    def lock_commits(self, connection: Connection) -> None:
        """As ``Dialect.lock_commits``, by an advisory lock that ends with the transaction."""
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{COMMIT_WAIT_SECONDS}s'")
        connection.execute(_COMMIT_LOCK, self._key("commit"))
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_WAIT_SECONDS}s'")

    def _key(self, what: str) -> dict[str, str | None]:
        return {"what": what, "schema": self.address.schema}

    def insert(self, connection: Connection, name: str, table: pa.Table) -> None:
        """As ``Dialect.insert``, by COPY; rows of ``traffic`` in its binary form."""
        driver: Any = connection.connection.driver_connection
        form = "binary" if binary_copy.suits(table) else "csv"
        into = f"{name} ({', '.join(table.column_names)})"
        with (
            driver.cursor() as cursor,
            cursor.copy(f"COPY {into} FROM STDIN (FORMAT {form})") as copy,
        ):
            for piece in binary_copy.copied(table) if form == "binary" else csv_pieces(table):
                copy.write(piece)

    def analyze(self, connection: Connection, name: str) -> None:
        """As ``Dialect.analyze``."""
        connection.exec_driver_sql(f"ANALYZE {name}")

    def microseconds(self, value: Any) -> int:
        """As ``Dialect.microseconds``."""
        return from_zoned(value)

    def instant(self, microseconds: int) -> object:
        """As ``Dialect.instant``."""
        return instant_of(microseconds)

    def judge(self, error: BaseException) -> Trouble:
        """As ``Dialect.judge``, by SQLSTATE; before there is a connection by words."""
        state = getattr(error, "sqlstate", None) or ""
        if state in _STATES:
            return _STATES[state]
        if state.startswith("08"):
            return Trouble.LOST
        told = str(error)
        for words, trouble in _WORDS:
            if words in told:
                return trouble
        if told.rstrip().endswith("does not exist") and "FATAL" in told:
            return Trouble.PASSWORD if "role" in told else Trouble.NO_DATABASE
        lost = isinstance(error, psycopg.OperationalError) and not state
        return Trouble.LOST if lost and "connection failed" not in told else Trouble.OTHER

    @contextmanager
    def run_lock(
        self,
        *,
        wait: float,
        holder: str,
        sleep: Callable[[float], None],
        clock: Callable[[], float],
    ) -> Iterator[None]:
        """As ``Dialect.run_lock``, by an advisory lock of a session."""

        def attempt(connection: Connection) -> bool:
            return bool(connection.execute(_RUN_LOCK, self._key("run")).scalar_one())

        with (
            self.writer.connect() as connection,
            session_lock(
                connection,
                attempt,
                warehouse=self.address,
                wait=wait,
                holder=holder,
                sleep=sleep,
                clock=clock,
            ),
        ):
            yield

    def query(self, statement: str) -> pa.Table:
        """As ``Dialect.query``, in a transaction that can only read."""
        if answers.first_word(answers.explained(statement)) not in _FIRST_WORDS:
            raise answers.not_reading()
        with self.writer.connect() as connection:
            connection.exec_driver_sql("SET TRANSACTION READ ONLY")
            driver: Any = connection.connection.driver_connection
            with driver.cursor() as cursor:
                try:
                    # Prepared: the server then takes one statement and no more.
                    cursor.execute(statement.encode(), prepare=True)
                except psycopg.Error as error:
                    raise self._refusal(error) from error
                columns = [
                    (column.name, _READINGS.get(column.type_code, answers.anything))
                    for column in cursor.description or ()
                ]
                return answers.assembled(
                    columns, iter(partial(cursor.fetchmany, answers.PIECE), [])
                )

    def _refusal(self, error: psycopg.Error) -> Exception:
        if error.sqlstate == "25006":
            return answers.not_reading()
        if error.sqlstate == "42601" and "multiple commands" in str(error):
            return answers.not_one()
        written = (error.sqlstate or "")[:2] in {"42", "22", "21", "2F", "0A", "26", "25", "54"}
        return answers.refused(error) if written else error
