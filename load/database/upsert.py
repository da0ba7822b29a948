"""One batch into the database: rows, revisions and ledger entries in one transaction.

The batch is first laid out in temporary tables of the connection, which nobody waits for. Then, under
the commit lock, late writers' rows are left out, changed values become revisions and are written, new
rows are inserted, entries are appended. Where the ledger holds no read of the batch's time there can be
no row to compare with, and the rows go straight into ``traffic``.
"""

from dataclasses import dataclass

import pyarrow as pa
from sqlalchemy import Connection, TextClause

from livetraffic.table import TRAFFIC
from load.database import ddl
from load.database.dialect import Dialect
from load.database.statements import statement
from load.sink import Receipt


@dataclass(frozen=True, slots=True)
class Batch:
    """What one upsert brings, checked."""

    rows: pa.Table
    """As ``traffic``, in the order of its key."""
    entries: pa.Table
    """As ``load_ledger``."""
    run_id: str
    straight: bool = True
    """Whether rows may go straight into ``traffic``; not after they met one that is there already."""


def upsert(connection: Connection, dialect: Dialect, batch: Batch) -> Receipt:
    """Commit the batch through a connection that nothing was done with yet."""
    work = _Work(connection, dialect, batch)
    with connection.begin():
        work.lay_out()
    with connection.begin():
        dialect.lock_commits(connection)
        return work.apply()


class _Work:
    def __init__(self, connection: Connection, dialect: Dialect, batch: Batch) -> None:
        self._connection = connection
        self._dialect = dialect
        self._batch = batch
        self._staged = False

    def lay_out(self) -> None:
        """Fill the temporary tables; the rows only where stored ones may have to be compared."""
        for create in ddl.stages(self._dialect.words):
            self._connection.exec_driver_sql(create)
        self._dialect.insert(self._connection, ddl.STAGED_LEDGER, self._batch.entries)
        self._dialect.analyze(self._connection, ddl.STAGED_LEDGER)
        if not self._batch.straight or self._known()[0]:
            self._stage()

    def apply(self) -> Receipt:
        """The commit itself; the lock is held."""
        receipt = Receipt()
        if self._batch.rows.num_rows:
            overlapping, later = self._known()
            if self._staged or overlapping:
                receipt = self._merge(superseding=later > 0)
            else:
                self._dialect.insert(self._connection, TRAFFIC.name, self._batch.rows)
                receipt = Receipt(inserted=self._batch.rows.num_rows)
        self._run("append_entries")
        return receipt

    def _stage(self) -> None:
        self._dialect.insert(self._connection, ddl.STAGED_TRAFFIC, self._batch.rows)
        self._dialect.analyze(self._connection, ddl.STAGED_TRAFFIC)
        self._staged = True

    def _known(self) -> tuple[int, int]:
        """Stored reads that overlap the batch's, and how many of them were sent later."""
        row = self._connection.execute(self._statement("overlapping_reads")).one()
        return int(row[0]), int(row[1] or 0)

    def _merge(self, *, superseding: bool) -> Receipt:
        if not self._staged:  # another worker read the same time meanwhile
            self._stage()
        superseded = self._run("drop_superseded") if superseding else 0
        changes = self._run("find_changes")
        self._dialect.analyze(self._connection, ddl.STAGED_CHANGES)
        updated = self._run("record_revisions", run_id=self._batch.run_id) if changes else 0
        if updated:
            self._run("update_changed")
        inserted = self._run("insert_new") if changes > updated else 0
        unchanged = self._batch.rows.num_rows - superseded - changes
        return Receipt(inserted, updated, unchanged, superseded)

    def _run(self, name: str, **binds: str) -> int:
        return self._connection.execute(self._statement(name), binds).rowcount

    def _statement(self, name: str) -> TextClause:
        return statement(name, self._dialect.address.kind)
