"""The small tables of a DuckDB file: calendar, domains and ledger, through Arrow."""

from collections.abc import Iterable
from typing import Any

import duckdb
import pyarrow as pa

from livetraffic.business_time import whole_months
from livetraffic.domain import Domain
from livetraffic.errors import SinkError
from livetraffic.ledger import Entry
from livetraffic.reconciliation import Reconciliation
from livetraffic.table import CALENDAR, DOMAINS, LOAD_LEDGER, RECONCILIATIONS, Table
from livetraffic.window import Window
from load import calendar, records
from load.arrow import completed
from load.rows import MICRO
from load.warehouse_file import Made

Connection = duckdb.DuckDBPyConnection


def insert(connection: Connection, table: Table, rows: pa.Table) -> None:
    """Append the rows of an Arrow table of the declared columns."""
    connection.register("arrived", rows)
    connection.execute(f"INSERT INTO {table.name} BY NAME SELECT * FROM arrived")  # noqa: S608 - our names
    connection.unregister("arrived")


# ------------------------------------------------------------------------------------- calendar


def missing(connection: Connection, made: Made, window: Window) -> bool:
    """Whether the calendar lacks a local month that touches the window."""
    return _grown(connection, made, window) is not None


def extend(connection: Connection, made: Made, window: Window) -> None:
    """Make the calendar hold the local months that touch the window, if it must grow."""
    wanted, before = _grown(connection, made, window), held(connection, made)
    if wanted is not None:
        for part in [wanted] if before is None else _without(wanted, before):
            for rows in calendar.tables(made, part):
                insert(connection, CALENDAR, rows)


def rewrite(connection: Connection, made: Made) -> None:
    """Write the calendar that there is anew; none stays none."""
    window = held(connection, made)
    if window is not None:
        connection.execute("DELETE FROM calendar")
        for rows in calendar.tables(made, window):
            insert(connection, CALENDAR, rows)


def resettle(connection: Connection, made: Made) -> None:
    """Move ``settles_at`` to what the warehouse is made with now."""
    delay = f"INTERVAL {made.step + made.settle_after} SECOND"
    connection.execute(f"UPDATE calendar SET settles_at = timestamp + {delay}")  # noqa: S608 - integers


def _without(whole: Window, part: Window) -> list[Window]:
    ends = ((whole.start, part.start), (part.end, whole.end))
    return [Window(start, end) for start, end in ends if start < end]


def _grown(connection: Connection, made: Made, window: Window) -> Window | None:
    return calendar.grown(held(connection, made), whole_months(window, made.zone))


def held(connection: Connection, made: Made) -> Window | None:
    """The whole local months that the calendar holds; None where it holds none."""
    question = "SELECT epoch_us(min(timestamp)), epoch_us(max(timestamp)) FROM calendar"
    ((first, last),) = connection.execute(question).fetchall()
    if first is None:
        return None
    return whole_months(Window(first // MICRO, last // MICRO + 1), made.zone)


# --------------------------------------------------------------------------------------- domains


def domains(connection: Connection) -> list[Domain]:
    """Every stored domain, sorted by name."""
    found = connection.sql("SELECT * FROM domains ORDER BY domain").to_arrow_table()
    return records.from_arrow(DOMAINS, completed(found, DOMAINS), Domain._make)


def put_domains(connection: Connection, given: Iterable[Domain]) -> None:
    """Insert or replace these domains by name.

    Raises:
        SinkError: a value does not fit its column.
    """
    ordered = sorted(given)
    try:
        rows = records.to_arrow(DOMAINS, ordered)
    except (pa.ArrowException, OverflowError, TypeError) as error:
        raise SinkError(f"A domain has a value that cannot be stored: {error}.") from error
    names = [domain.domain for domain in ordered]
    connection.execute("DELETE FROM domains WHERE domain IN (SELECT unnest(?))", [names])
    insert(connection, DOMAINS, rows)


# ---------------------------------------------------------------------------------------- ledger


def entries(connection: Connection, since: int | None = None) -> list[Entry]:
    """Every entry sent at or after ``since`` (microseconds); all when None."""
    chosen = "" if since is None else f" WHERE fetched_at >= make_timestamptz({int(since)})"
    return entries_of(connection.sql(f"SELECT * FROM load_ledger{chosen}"))  # noqa: S608 - an integer


def entries_of(relation: Any) -> list[Entry]:
    """The rows of a relation with the ledger's columns."""
    return records.from_arrow(LOAD_LEDGER, relation.to_arrow_table(), Entry._make, records.MICROS)


# -------------------------------------------------------------------------------- reconciliations


def reconciliations(connection: Connection, since: int | None = None) -> list[Reconciliation]:
    """Every row checked at or after ``since`` (seconds); all when None."""
    chosen = "" if since is None else f" WHERE checked_at >= make_timestamptz({int(since) * MICRO})"
    found = connection.sql(f"SELECT * FROM reconciliations{chosen}").to_arrow_table()  # noqa: S608 - an integer
    return records.from_arrow(RECONCILIATIONS, found, Reconciliation._make)
