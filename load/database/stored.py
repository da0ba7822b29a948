"""The small tables: entries and domains as records, and the calendar."""

from collections.abc import Iterable
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, text

from livetraffic.business_time import whole_months
from livetraffic.domain import Domain
from livetraffic.errors import SinkError
from livetraffic.ledger import Entry
from livetraffic.reconciliation import Reconciliation
from livetraffic.table import CALENDAR, DOMAINS, LOAD_LEDGER, RECONCILIATIONS, Table
from livetraffic.window import Window, subtract
from load import calendar, records
from load.database import streaming, values
from load.database.dialect import Dialect
from load.rows import MICRO
from load.warehouse_file import FORMAT_VERSION, Made

_GIVEN_DOMAIN = text("DELETE FROM domains WHERE domain = :domain")
_ALL_POINTS = text("DELETE FROM calendar")
_ENDS = text("SELECT MIN(timestamp), MAX(timestamp) FROM calendar")


def entries(connection: Connection, dialect: Dialect, since: int | None) -> list[Entry]:
    """The entries sent at or after ``since`` (microseconds); all when None.

    By the fastest way out, and each word once in a piece: a ledger may hold millions of entries.
    """
    kind = dialect.address.kind
    binds = () if since is None else (dialect.instant(since),)
    condition = f"WHERE fetched_at >= {streaming.BIND[kind]}" if binds else ""
    found: list[Entry] = []
    for batch in streaming.READERS[kind](connection, LOAD_LEDGER, condition, *binds):
        piece = pa.Table.from_batches([batch])
        found += records.from_arrow(LOAD_LEDGER, piece, Entry._make, records.MICROS)
    return found


def reconciliations(
    connection: Connection, dialect: Dialect, since: int | None
) -> list[Reconciliation]:
    """The rows checked at or after ``since`` (seconds); all when None."""
    condition, binds = "", dict[str, Any]()
    if since is not None:
        condition, binds = " WHERE checked_at >= :since", {"since": dialect.instant(since * MICRO)}
    rows = connection.execute(text(_selection(RECONCILIATIONS) + condition), binds)
    found = values.records(
        RECONCILIATIONS,
        map(tuple, rows),
        Reconciliation._make,
        frozenset(),
        dialect.microseconds,
    )
    return list(found)


def domains(
    connection: Connection, dialect: Dialect, version: int = FORMAT_VERSION
) -> list[Domain]:
    """Every domain, sorted by name, from tables of that format version."""
    rows = connection.execute(text(_selection(DOMAINS, version)))
    found = values.records(
        DOMAINS, map(tuple, rows), Domain._make, frozenset(), dialect.microseconds
    )
    return sorted(found, key=lambda domain: domain.domain)


def put_domains(connection: Connection, dialect: Dialect, given: Iterable[Domain]) -> None:
    """Insert or replace by name those that are not stored as they are; the last of a name wins.

    Raises:
        SinkError: a value does not fit its column.
    """
    stored = {domain.domain: domain for domain in domains(connection, dialect)}
    wanted = {domain.domain: domain for domain in given}
    changed = [wanted[name] for name in sorted(wanted) if stored.get(name) != wanted[name]]
    if not changed:
        return
    try:
        table = records.to_arrow(DOMAINS, changed)
    except (pa.ArrowException, OverflowError, TypeError) as error:
        raise SinkError(f"A domain has a value that cannot be stored: {error}.") from error
    connection.execute(_GIVEN_DOMAIN, [{"domain": domain.domain} for domain in changed])
    dialect.insert(connection, DOMAINS.name, table)


def extend_calendar(connection: Connection, dialect: Dialect, made: Made, window: Window) -> None:
    """Make the calendar hold the local months that touch the window, if it must grow."""
    before = held(connection, dialect, made)
    wanted = calendar.grown(before, whole_months(window, made.zone))
    if wanted is not None:
        for missing in subtract((wanted,), () if before is None else (before,)):
            _fill_calendar(connection, dialect, made, missing)


def rewrite_calendar(connection: Connection, dialect: Dialect, made: Made) -> None:
    """Write the calendar that there is for another ``settle_after``; none stays none."""
    window = held(connection, dialect, made)
    if window is not None:
        connection.execute(_ALL_POINTS)
        _fill_calendar(connection, dialect, made, window)


def held(connection: Connection, dialect: Dialect, made: Made) -> Window | None:
    """The whole local months that the calendar holds; None where it holds none."""
    first, last = connection.execute(_ENDS).one()
    if first is None:
        return None
    start, end = (dialect.microseconds(instant) // MICRO for instant in (first, last))
    return whole_months(Window(start, end + 1), made.zone)


def _fill_calendar(connection: Connection, dialect: Dialect, made: Made, window: Window) -> None:
    for table in calendar.tables(made, window):
        dialect.insert(connection, CALENDAR.name, table)


def _selection(table: Table, version: int = FORMAT_VERSION) -> str:
    columns = (
        column.name if column.since <= version else "NULL" if column.nullable else "''"
        for column in table.columns
    )
    return f"SELECT {', '.join(columns)} FROM {table.name}"  # noqa: S608 - our names
