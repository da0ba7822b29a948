"""The warehouse as one DuckDB file with ordinary tables and views, which any DuckDB can open.

The file is held only for a commit or an answer (``load.duckdb.opening``), so that others can read it in
between. One transaction holds the rows, revisions and ledger entries of an upsert.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING

import duckdb

from livetraffic.domain import Domain
from livetraffic.errors import ConfigError, SinkError
from livetraffic.ledger import Entry
from livetraffic.reconciliation import Reconciliation
from livetraffic.table import DOMAINS, RECONCILIATIONS, Table
from livetraffic.window import Window
from load import batch, records, warehouse_file
from load.directory import make_root
from load.duckdb import months as duckdb_months
from load.duckdb import schema as duckdb_schema
from load.duckdb import tables as duckdb_tables
from load.duckdb import totals
from load.duckdb.opening import Door
from load.duckdb.upsert import Batch, upsert
from load.lock import run_lock
from load.rows import MICRO
from load.sink import MonthTotals, Receipt, Total
from load.statements import check_reading, confine, narrowed, refusal

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


class DuckDbSink:
    """A ``load.sink.Sink`` in the file ``path``.

    Args:
        path: the database file; made by ``prepare``.
        patience: seconds to wait while another program holds the file.
        sleeper: how ``run_lock`` and an opening wait.
        clock: the seconds they count, never running backwards.
    """

    def __init__(
        self,
        path: Path,
        *,
        patience: float = 60.0,
        sleeper: Callable[[float], None] = sleep,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.path = Path(path)
        self._door = Door(self.path, patience, sleeper, clock)
        self._made: warehouse_file.Made | None = None

    def prepare(self, *, step: int, timezone: str, settle_after: int) -> None:
        """As ``Sink.prepare``."""
        wanted = warehouse_file.asked(step, timezone, settle_after)
        if not self._is_ready(wanted):
            make_root(self.path.parent)
            with self._door.writing() as connection:
                made = duckdb_schema.found(connection, self.path)
                self._check_same(made, wanted)
                duckdb_schema.create(connection, wanted)
                if made is not None and made.settle_after != settle_after:
                    duckdb_tables.resettle(connection, wanted)
        self._made = wanted

    def check(self, *, step: int, timezone: str) -> None:
        """As ``Sink.check``."""
        made = self._found()
        if made is not None:
            self._check_same(made, warehouse_file.Made(step, timezone, made.settle_after))

    def extend_calendar(self, start: int, end: int) -> None:
        """As ``Sink.extend_calendar``."""
        made = self._existing()
        window = Window(start, end)
        with self._door.reading() as connection:
            if not duckdb_tables.missing(connection, made, window):
                return
        with self._door.writing() as connection:
            duckdb_tables.extend(connection, made, window)

    @contextmanager
    def run_lock(self, *, wait: float, holder: str) -> Iterator[None]:
        """As ``Sink.run_lock``, on a file beside the database; also before ``prepare``."""
        make_root(self.path.parent)
        lock = self.path.with_name(f".{self.path.name}.run.lock")
        with run_lock(
            lock,
            wait=wait,
            holder=holder,
            sleep=self._door.sleeper,
            clock=self._door.clock,
            warehouse=self.path,
        ):
            yield

    def upsert(
        self, frame: "pd.DataFrame", entries: Sequence[Entry], *, loaded_at: datetime, run_id: str
    ) -> Receipt:
        """As ``Sink.upsert``."""
        step = self._existing().step
        at = batch.microseconds(loaded_at)
        rows = batch.checked_rows(frame, step=step, loaded_at=at)
        noted = batch.checked_entries(entries, step=step)
        fetched = batch.newest_read(rows, noted)
        batch.check_covered(rows, fetched)
        notes = records.entries_as_arrow(noted)
        if not len(rows) and not noted:
            return Receipt()
        with self._door.writing() as connection:
            return upsert(connection, Batch(rows, fetched, notes, at, run_id))

    def ledger(self, since: int | None = None) -> list[Entry]:
        """As ``Sink.ledger``; exactly the entries at or after ``since``. Waits for a commit."""
        with self._look() as connection:
            if connection is None:
                return []
            return duckdb_tables.entries(connection, None if since is None else since * MICRO)

    def domains(self) -> list[Domain]:
        """As ``Sink.domains``. Waits for a commit."""
        with self._look() as connection:
            return [] if connection is None else duckdb_tables.domains(connection)

    def put_domains(self, domains: Iterable[Domain]) -> None:
        """As ``Sink.put_domains``; writes nothing when all of them are stored as they are."""
        warehouse_file.check_moved(self.path, self._existing(), DOMAINS)
        given = {domain.domain: domain for domain in domains}
        with self._door.reading() as connection:
            stored = {domain.domain: domain for domain in duckdb_tables.domains(connection)}
        changed = [domain for name, domain in given.items() if stored.get(name) != domain]
        if changed:
            with self._door.writing() as connection:
                duckdb_tables.put_domains(connection, changed)

    def put_reconciliations(self, rows: Sequence[Reconciliation]) -> None:
        """As ``Sink.put_reconciliations``."""
        warehouse_file.check_moved(self.path, self._existing(), RECONCILIATIONS)
        table = records.reconciliations_as_arrow(rows)
        if table.num_rows:
            with self._door.writing() as connection:
                duckdb_tables.insert(connection, RECONCILIATIONS, table)

    def reconciliations(self, since: int | None = None) -> list[Reconciliation]:
        """As ``Sink.reconciliations``; exactly the rows at or after ``since``. Waits for a commit."""
        with self._look() as connection:
            if connection is None or not duckdb_schema.has(connection, RECONCILIATIONS):
                return []
            return duckdb_tables.reconciliations(connection, since)

    def totals(self, window: Window, domains: Sequence[str]) -> list[Total]:
        """As ``Sink.totals``. Waits for a commit."""
        with self._look() as connection:
            return [] if connection is None else totals.by_source(connection, window, domains)

    def point_totals(self, window: Window, domains: Sequence[str]) -> dict[int, int]:
        """As ``Sink.point_totals``. Waits for a commit."""
        with self._look() as connection:
            return {} if connection is None else totals.by_point(connection, window, domains)

    def made(self) -> warehouse_file.Made | None:
        """As ``Sink.made``."""
        return self._found()

    def calendar(self) -> Window | None:
        """As ``Sink.calendar``."""
        with self._look() as connection:
            if connection is None:
                return None
            made = duckdb_schema.found(connection, self.path)
            return None if made is None else duckdb_tables.held(connection, made)

    def months(self, table: Table) -> dict[str, MonthTotals]:
        """As ``Sink.months``."""
        with self._look() as connection:
            if connection is None:
                return {}
            self._check_moved(connection, table)
            return duckdb_months.totals(connection, table)

    def read_month(self, table: Table, month: str) -> "Generator[pa.RecordBatch, None, None]":
        """As ``Sink.read_month``; the file is held until the last batch was taken."""
        with self._look() as connection:
            if connection is not None:
                self._check_moved(connection, table)
                yield from duckdb_months.read(connection, table, month)

    def replace_month(self, table: Table, month: str, batches: "Iterable[pa.RecordBatch]") -> None:
        """As ``Sink.replace_month``; the file is held until the last batch was stored."""
        warehouse_file.check_moved(self.path, self._existing(), table)
        with self._door.writing() as connection:
            duckdb_months.replace(connection, table, month, batches)

    def remove_month(self, table: Table, month: str) -> None:
        """As ``Sink.remove_month``."""
        with self._door.writing() as connection:
            duckdb_months.remove(connection, table, month)

    def faults(self) -> list[str]:
        """As ``Sink.faults``."""
        with self._look() as connection:
            return [] if connection is None else list(duckdb_schema.faults(connection))

    def restore(self, *, step: int, timezone: str, settle_after: int) -> None:
        """As ``Sink.restore``."""
        made = self._found()
        if made is not None:
            with self._door.writing() as connection:
                duckdb_schema.create(connection, made)
        self.prepare(step=step, timezone=timezone, settle_after=settle_after)

    def rewrite_calendar(self) -> None:
        """As ``Sink.rewrite_calendar``."""
        made = self._existing()
        with self._door.writing() as connection:
            duckdb_tables.rewrite(connection, made)

    def query(self, statement: str) -> "pa.Table":
        """As ``Sink.query``; the connection cannot write and reaches no other file."""
        with self._look() as connection:
            if connection is None:
                raise ConfigError(
                    f"There is no warehouse in {self.path}.",
                    "Name one in LIVE_TRAFFIC_WAREHOUSE, or make one with `live-traffic backfill`.",
                )
            confine(connection)
            try:
                check_reading(connection, statement)
                return narrowed(connection.sql(statement).to_arrow_table())
            except duckdb.Error as error:
                raise refusal(connection, error) from error

    @contextmanager
    def _look(self) -> Iterator[duckdb.DuckDBPyConnection | None]:
        """A reading connection; None where there is no warehouse."""
        if not self.path.exists():
            yield None
            return
        with self._door.reading() as connection:
            there = duckdb_schema.found(connection, self.path) is not None
            yield connection if there else None

    def _is_ready(self, wanted: warehouse_file.Made) -> bool:
        if not self.path.exists():
            return False
        with self._door.reading() as connection:
            made = duckdb_schema.found(connection, self.path)
            self._check_same(made, wanted)
            return made == wanted and duckdb_schema.has_views(connection)

    def _check_same(self, made: warehouse_file.Made | None, wanted: warehouse_file.Made) -> None:
        if made is not None:
            warehouse_file.check_same(self.path, made, wanted)

    def _check_moved(self, connection: duckdb.DuckDBPyConnection, table: Table) -> None:
        made = duckdb_schema.found(connection, self.path)
        if made is not None:
            warehouse_file.check_moved(self.path, made, table)

    def _found(self) -> warehouse_file.Made | None:
        if not self.path.exists():
            return None
        with self._door.reading() as connection:
            return duckdb_schema.found(connection, self.path)

    def _existing(self) -> warehouse_file.Made:
        """What the warehouse was made with; asked once, since step and zone never change."""
        made = self._made if self._made is not None and self.path.exists() else self._found()
        if made is None:
            raise SinkError(
                f"There is no warehouse in {self.path}.", "Make one with `live-traffic backfill`."
            )
        self._made = made
        return made
