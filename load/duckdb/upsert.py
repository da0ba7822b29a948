"""One upsert into a DuckDB file: a handful of set-based statements, inside the caller's transaction.

The batch is compared with what is stored once; counts, new rows, changed rows and their revisions all
come out of that comparison (``sql/duckdb``).
"""

from dataclasses import dataclass

import duckdb
import pyarrow as pa

from livetraffic.table import LOAD_LEDGER
from load import batch
from load.duckdb.tables import entries_of, insert
from load.rows import MICRO, Integers, Rows
from load.sink import Receipt
from sql import statement


@dataclass(frozen=True, slots=True)
class Batch:
    """What one upsert stores, checked."""

    rows: Rows
    fetched: Integers
    """For each row, when the request that read it was sent (microseconds)."""
    notes: pa.Table
    """The ledger entries."""
    loaded_at: int
    """Microseconds since the epoch."""
    run_id: str


def upsert(connection: duckdb.DuckDBPyConnection, given: Batch) -> Receipt:
    """Store the batch and say what that did."""
    newest = _not_late(connection, given)
    receipt = _merge(connection, newest, given) if len(newest) else Receipt()
    insert(connection, LOAD_LEDGER, given.notes)
    return receipt + Receipt(superseded=len(given.rows) - len(newest))


def _not_late(connection: duckdb.DuckDBPyConnection, given: Batch) -> Rows:
    """The rows that no stored read sent later already covers."""
    rows = given.rows
    if not len(rows):
        return rows
    asked = {"instant": int(given.fetched.min()), "domains": list(rows.names)}
    later = entries_of(connection.sql(statement("duckdb/reads_after"), params=asked))
    return rows.take(batch.newest_read(rows, later) <= given.fetched) if later else rows


def _merge(connection: duckdb.DuckDBPyConnection, rows: Rows, given: Batch) -> Receipt:
    limits = {
        "first": int(rows.seconds.min()) * MICRO,
        "last": int(rows.seconds.max()) * MICRO,
    }
    connection.register("batch", rows.to_arrow())
    connection.execute(statement("duckdb/compare"), limits)
    ((inserted, updated),) = connection.execute(statement("duckdb/count")).fetchall()
    if inserted:
        connection.execute(statement("duckdb/insert"))
    if updated:
        facts = {"loaded_at": given.loaded_at, "run_id": given.run_id}
        connection.execute(statement("duckdb/revise"), facts)
        connection.execute(statement("duckdb/update"), limits)
    return Receipt(inserted, updated, len(rows) - inserted - updated)
