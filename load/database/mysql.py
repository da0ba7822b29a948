"""A warehouse in MariaDB (10.6 or newer) or MySQL (8.0.23 or newer), through PyMySQL."""

import re
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from hashlib import sha256
from ssl import SSLContext
from typing import Any, ClassVar

import pyarrow as pa
import pymysql
from pymysql.constants import FIELD_TYPE as FIELD
from pymysql.cursors import SSCursor
from sqlalchemy import Connection, Engine, NullPool, create_engine, event, text
from sqlalchemy.exc import SQLAlchemyError

from livetraffic.errors import ConfigError
from livetraffic.table import Column, Kind
from load.arrow import MICROSECONDS
from load.database import answers, keepalive
from load.database.address import Address
from load.database.ddl import Words
from load.database.dialect import COMMIT_WAIT_SECONDS, LOCK_WAIT_SECONDS
from load.database.failure import Trouble
from load.database.session_lock import session_lock
from load.database.values import csv_pieces, from_naive, instant_text, plain_rows

_FEW = 500
"""Rows that are not worth a file."""
_KEY_LENGTH = 253
"""A domain name is no longer; four bytes a character still fit a key."""
_LONG = frozenset({"detail"})
_NO_KEY = "row_id BIGINT NOT NULL AUTO_INCREMENT INVISIBLE PRIMARY KEY"
"""Clusters and managed servers want a key in every table; ``SELECT *`` does not show it."""
_MODE = "STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
_SESSION = (
    "SET time_zone = '+00:00', wait_timeout = 604800, sql_mode = %s,"
    " lock_wait_timeout = %s, innodb_lock_wait_timeout = %s"
)
_GET_LOCK = text("SELECT GET_LOCK(:name, :seconds)")

_OPTION = -1
"""Our own number for what the driver finds before it asks the server."""
_TROUBLES = {
    _OPTION: Trouble.OPTION,
    **dict.fromkeys((1205, 1213, 1412), Trouble.CONFLICT),
    **dict.fromkeys((1053, 1077, 1079, 1927, 2006, 2013, 2014, 2055), Trouble.LOST),
    **dict.fromkeys((1062, 1586), Trouble.COLLISION),
    1146: Trouble.ABSENT,
    **dict.fromkeys((1045, 1698), Trouble.PASSWORD),
    **dict.fromkeys((1044, 1142, 1143, 1227, 1370), Trouble.FORBIDDEN),
    1049: Trouble.NO_DATABASE,
    **dict.fromkeys((1290, 1792, 1836), Trouble.READ_ONLY),
    **dict.fromkeys((1021, 1114), Trouble.FULL),
    2005: Trouble.HOST,
    **dict.fromkeys((2002, 2003), Trouble.REFUSED),
}
_NO_LOCAL_FILES = frozenset({1148, 3948, 4166})
_READINGS: dict[int, answers.Reading] = {
    **dict.fromkeys(
        (FIELD.TINY, FIELD.SHORT, FIELD.LONG, FIELD.INT24, FIELD.LONGLONG, FIELD.YEAR),
        answers.integers,
    ),
    **dict.fromkeys((FIELD.DECIMAL, FIELD.NEWDECIMAL), answers.numbers),
    **dict.fromkeys((FIELD.FLOAT, FIELD.DOUBLE), answers.of_type(pa.float64())),
    **dict.fromkeys((FIELD.DATETIME, FIELD.TIMESTAMP), answers.instants),
    FIELD.DATE: answers.of_type(pa.date32()),
    **dict.fromkeys((FIELD.VARCHAR, FIELD.VAR_STRING, FIELD.STRING), answers.words),
    **dict.fromkeys((FIELD.BLOB, FIELD.MEDIUM_BLOB, FIELD.LONG_BLOB), answers.words),
}
_FIRST_WORDS = frozenset(
    {"select", "with", "values", "table", "show", "describe", "desc", "explain"}
)
_QUOTED = re.compile(r"""'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|`[^`]*`""", re.DOTALL)
# INTO writes files and variables; a comment with ! or M! is run.
_WRITING = re.compile(r"\binto\b|/\*M?!", re.IGNORECASE)


class _Connection(pymysql.connections.Connection):  # type: ignore[misc]  # it has no types
    """One that waits for no server that is gone, and does not read the system's certificates each time.

    Reading them takes 20 ms, and they are not needed where the URL says nothing of TLS: it is used if the
    server has it, and nothing is verified.
    """

    _unverified: ClassVar[SSLContext | None] = None

    def connect(self, sock: socket.socket | None = None) -> None:
        """As the driver does, which waits for ever for the greeting of a server that does not speak."""
        given: float | None = self._read_timeout
        self._read_timeout: float | None = given or self.connect_timeout
        try:
            super().connect(sock)
        finally:
            self._read_timeout = given
        if self._sock.family != getattr(socket, "AF_UNIX", None):
            for option, value in keepalive.SOCKET_OPTIONS.items():
                self._sock.setsockopt(socket.IPPROTO_TCP, option, value)

    def _create_ssl_ctx(self, sslp: Any) -> SSLContext:
        made: SSLContext | None = None if sslp else _Connection._unverified
        if made is None:
            made = super()._create_ssl_ctx(sslp)
        if not sslp:
            _Connection._unverified = made
        return made


class Mysql:
    """``load.database.dialect.Dialect`` for MariaDB and MySQL. Instants are DATETIME(6) in UTC."""

    self_check = ""
    errors: tuple[type[Exception], ...] = (SQLAlchemyError, pymysql.Error)

    def __init__(self, address: Address) -> None:
        self.address = address
        self._by_file = True
        self._collation = "utf8mb4_bin"

    @property
    def words(self) -> Words:
        """As ``Dialect.words``; the collation is known after the first connection."""
        ending = f" ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE={self._collation}"
        return Words(type_of=_type_of, keyed=ending, plain=ending, keyless=_NO_KEY)

    @cached_property
    def writer(self) -> Engine:
        """As ``Dialect.writer``; only these let the server ask for the file of a LOAD DATA LOCAL."""
        return self._engine(local_infile=True)

    @cached_property
    def reader(self) -> Engine:
        """As ``Dialect.reader``."""
        return self._engine(local_infile=False)

    def _engine(self, *, local_infile: bool) -> Engine:
        given = {
            "local_infile": local_infile,
            "connect_timeout": keepalive.CONNECT_S,
            "charset": "utf8mb4",
        }
        engine = create_engine(self.address.url, poolclass=NullPool, connect_args=given)

        @event.listens_for(engine, "do_connect")
        def _connect(_: object, __: object, ___: object, options: dict[str, Any]) -> Any:
            try:
                return _Connection(**options)
            except TypeError as error:
                raise pymysql.ProgrammingError(_OPTION, str(error)) from error
            except RuntimeError as error:  # MySQL 8 without TLS
                raise ConfigError(
                    f"{self.address} wants a log-in that its driver cannot do alone: {error}.",
                    "Install it: pip install cryptography.",
                ) from error

        @event.listens_for(engine, "connect")
        def _set(connection: Any, _: object) -> None:
            self._collation = _collation(connection.get_server_info())
            with connection.cursor() as cursor:
                cursor.execute(f"SET NAMES utf8mb4 COLLATE {self._collation}")
                cursor.execute(_SESSION, (_MODE, LOCK_WAIT_SECONDS, LOCK_WAIT_SECONDS))

        return engine

    def is_there(self) -> bool:
        """As ``Dialect.is_there``."""
        return True

    def make(self) -> None:
        """As ``Dialect.make``: the database is not ours to make."""

    def make_schema(self, connection: Connection) -> None:
        """As ``Dialect.make_schema``: there is none beside the database."""

    def lock_commits(self, connection: Connection) -> None:
        """As ``Dialect.lock_commits``, by a lock that the connection's end frees."""
        given = {"name": self._lock("commit"), "seconds": COMMIT_WAIT_SECONDS}
        if connection.execute(_GET_LOCK, given).scalar_one() != 1:
            raise pymysql.OperationalError(1205, "the lock of another commit was waited for")

    def _lock(self, what: str) -> str:
        database = sha256((self.address.url.database or "").encode()).hexdigest()[:24]
        return f"live-traffic-{what}-{database}"

    def insert(self, connection: Connection, name: str, table: pa.Table) -> None:
        """As ``Dialect.insert``, by LOAD DATA LOCAL; where that is forbidden, statement by statement."""
        driver: Any = connection.connection.driver_connection
        with driver.cursor() as cursor:
            few = table.num_rows < _FEW or any(column.null_count for column in table.columns)
            if not (few or not self._by_file) and self._loaded(cursor, name, table):
                return
            columns, marks = ", ".join(table.column_names), ", ".join(["%s"] * table.num_columns)
            statement = f"INSERT INTO {name} ({columns}) VALUES ({marks})"  # noqa: S608 - our names
            for rows in plain_rows(table):
                cursor.executemany(statement, rows)

    def _loaded(self, cursor: Any, name: str, table: pa.Table) -> bool:
        """Whether the server took the rows as a file."""
        with tempfile.NamedTemporaryFile(prefix="live-traffic-", suffix=".csv") as file:
            file.writelines(csv_pieces(_naive(table)))
            file.flush()
            try:
                cursor.execute(_load_data(name, table.column_names), (file.name,))
            except pymysql.Error as error:
                if error.args[0] not in _NO_LOCAL_FILES:
                    raise
                self._by_file = False
                return False
        # With LOCAL, what would be an error is a warning, and the row is left out or bent.
        if cursor.rowcount != table.num_rows or cursor.warning_count:
            cursor.execute("SHOW WARNINGS")
            _, code, message = cursor.fetchone() or ("", 0, "rows were left out")
            raise pymysql.IntegrityError(code, message)
        return True

    def analyze(self, connection: Connection, name: str) -> None:
        """As ``Dialect.analyze``: it would end the transaction."""

    def microseconds(self, value: Any) -> int:
        """As ``Dialect.microseconds``."""
        return from_naive(value)

    def instant(self, microseconds: int) -> object:
        """As ``Dialect.instant``."""
        return instant_text(microseconds)

    def judge(self, error: BaseException) -> Trouble:
        """As ``Dialect.judge``, by the server's number."""
        number = error.args[0] if error.args else 0
        if number == 2003 and any(w in str(error) for w in ("Name or service", "getaddrinfo")):
            return Trouble.HOST
        if number == 0 and isinstance(error, pymysql.InterfaceError):
            return Trouble.LOST
        return _TROUBLES.get(number, Trouble.OTHER)

    @contextmanager
    def run_lock(
        self,
        *,
        wait: float,
        holder: str,
        sleep: Callable[[float], None],
        clock: Callable[[], float],
    ) -> Iterator[None]:
        """As ``Dialect.run_lock``, by a lock of a session."""
        given = {"name": self._lock("run"), "seconds": 0}

        def attempt(connection: Connection) -> bool:
            return bool(connection.execute(_GET_LOCK, given).scalar_one() == 1)

        with (
            self.reader.connect() as connection,
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
        bare = _QUOTED.sub("''", statement)
        if answers.first_word(bare) not in _FIRST_WORDS or _WRITING.search(bare):
            raise answers.not_reading()
        with self.reader.connect() as connection:
            driver: Any = connection.connection.driver_connection
            with driver.cursor(SSCursor) as cursor:
                cursor.execute("START TRANSACTION READ ONLY")
                try:
                    cursor.execute(statement)
                    columns = [_column(field) for field in cursor.description or ()]
                    return answers.assembled(
                        columns, iter(partial(cursor.fetchmany, answers.PIECE), ())
                    )
                except pymysql.Error as error:
                    raise _refusal(error, self.judge(error)) from error


def _type_of(column: Column) -> str:
    if column.kind is Kind.TEXT:
        if column.name in _LONG:
            return "TEXT"
        return f"VARCHAR({_KEY_LENGTH if column.name == 'domain' else 255})"
    if column.kind is Kind.TIMESTAMP:
        return "DATETIME(6)"
    return "DATE" if column.kind is Kind.DATE else "BIGINT"


def _collation(server: str) -> str:
    """By bytes, and a blank at the end counts: as in every other sink."""
    return "utf8mb4_nopad_bin" if "mariadb" in server.lower() else "utf8mb4_0900_bin"


def _load_data(name: str, columns: list[str]) -> str:
    return (
        f"LOAD DATA LOCAL INFILE %s INTO TABLE {name} CHARACTER SET utf8mb4"
        " FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '\"' ESCAPED BY ''"
        f" LINES TERMINATED BY '\\n' ({', '.join(columns)})"
    )


def _naive(table: pa.Table) -> pa.Table:
    """Instants without a zone, as the server reads them."""
    for place, field in enumerate(table.schema):
        if field.type == MICROSECONDS:
            plain = table.column(place).cast(pa.timestamp("us"))
            table = table.set_column(place, field.name, plain)
    return table


def _column(field: Any) -> tuple[str, answers.Reading]:
    name, code = field[0], field[1]
    if name in answers.BOOLEANS and code in {FIELD.TINY, FIELD.LONG, FIELD.LONGLONG}:
        return name, answers.flags
    return name, _READINGS.get(code, answers.anything)


def _refusal(error: Exception, trouble: Trouble) -> Exception:
    if trouble is Trouble.READ_ONLY:
        return answers.not_reading()
    server = isinstance(error, (pymysql.ProgrammingError, pymysql.DataError))
    if server or trouble is Trouble.OTHER or trouble is Trouble.ABSENT:
        return answers.refused(error)
    return error
