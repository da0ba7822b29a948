"""What a process asks of its database or object store, counted like the steps of ``steps``.

Statements, pieces of bulk loads and commits are found in the drivers themselves, so that nothing the
sinks do can be forgotten here.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import duckdb
import psycopg
import pymysql
from botocore.httpsession import URLLib3Session

from tests.faults.steps import Fault

EVERY = 16
"""Of so many rows that a prepared statement is given the first is a step."""


@contextmanager
def asking(fault: Fault) -> Iterator[None]:
    """Hand everything that is sent to a database or object store inside the block to the fault."""
    with (
        mock.patch.object(psycopg.Connection, "wait", _exchanged(fault, psycopg.Connection.wait)),
        mock.patch.object(
            pymysql.connections.Connection,
            "_execute_command",
            _told(fault, pymysql.connections.Connection._execute_command),
        ),
        mock.patch.object(
            pymysql.connections.Connection,
            "_read_ok_packet",
            _answered(fault, pymysql.connections.Connection._read_ok_packet),
        ),
        mock.patch("sqlite3.connect", _sqlite(fault, sqlite3.connect)),
        mock.patch("duckdb.connect", _duckdb(fault, duckdb.connect)),
        mock.patch.object(URLLib3Session, "send", _requested(fault, URLLib3Session.send)),
    ):
        yield


def _exchanged(fault: Fault, real: Callable[..., Any]) -> Callable[..., Any]:
    def call(self: Any, *given: Any, **more: Any) -> Any:
        fault.before("exchange", "postgresql")
        return real(self, *given, **more)

    return call


def _told(fault: Fault, real: Callable[..., Any]) -> Callable[..., Any]:
    def call(self: Any, command: Any, content: Any) -> Any:
        fault.before("statement", "mariadb")
        return real(self, command, content)

    return call


def _answered(fault: Fault, real: Callable[..., Any]) -> Callable[..., Any]:
    """BEGIN, COMMIT and ROLLBACK: sent, and not answered yet."""

    def call(self: Any) -> Any:
        fault.before("answer", "mariadb")
        return real(self)

    return call


def _requested(fault: Fault, real: Callable[..., Any]) -> Callable[..., Any]:
    def call(self: Any, request: Any) -> Any:
        fault.before(request.method, "s3")
        return real(self, request)

    return call


def _sqlite(fault: Fault, real: Callable[..., Any]) -> Callable[..., Any]:
    class Cursor(sqlite3.Cursor):
        def execute(self, statement: str, *given: Any) -> Any:
            fault.before("statement", "sqlite")
            return super().execute(statement, *given)

        def executemany(self, statement: str, rows: Iterable[Any]) -> Any:
            return super().executemany(statement, _stepped(fault, rows))

    class Connection(sqlite3.Connection):
        def cursor(self, *given: Any) -> Any:
            return super().cursor(*given or (Cursor,))

        def execute(self, statement: str, *given: Any) -> Any:
            return self.cursor().execute(statement, *given)

        def executemany(self, statement: str, rows: Iterable[Any]) -> Any:
            return self.cursor().executemany(statement, rows)

        def commit(self) -> None:
            fault.before("commit", "sqlite")
            super().commit()

        def close(self) -> None:
            fault.before("close", "sqlite")
            super().close()

    return lambda *given, **more: real(*given, factory=Connection, **more)


def _stepped(fault: Fault, rows: Iterable[Any]) -> Iterator[Any]:
    for number, row in enumerate(rows):
        if number % EVERY == 0:
            fault.before("row", "sqlite")
        yield row


def _duckdb(fault: Fault, real: Callable[..., Any]) -> Callable[..., Any]:
    steps = {"execute", "executemany", "begin", "commit", "rollback", "close"}

    class Connection:
        def __init__(self, connection: Any) -> None:
            self._connection = connection

        def __getattr__(self, name: str) -> Any:
            if name in steps:
                fault.before(name, "duckdb")
            return getattr(self._connection, name)

    return lambda *given, **more: Connection(real(*given, **more))
