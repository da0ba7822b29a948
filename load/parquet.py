"""The warehouse as open Parquet files in a directory.

Exactly one file a UTC month and table, sorted by domain and time; rows, revisions and ledger
entries of an upsert appear in one journalled commit. Reading takes no lock and writes nothing.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING

import numpy as np

from livetraffic.domain import Domain
from livetraffic.ledger import Entry
from livetraffic.table import LOAD_LEDGER, TRAFFIC, Table
from livetraffic.window import Window
from load import (
    batch,
    calendar_file,
    domains_file,
    ledger_file,
    parquet_months,
    revisions,
    warehouse_file,
)
from load.append import append
from load.failure import damaged
from load.journal import Commit, committing, leftovers, make_root
from load.lock import run_lock
from load.merge import Changes, merge_month
from load.months import month_text, path_of, stored_months
from load.rows import MICRO, Integers, Rows
from load.sink import MonthTotals, Receipt

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

RUN_LOCK = ".run.lock"


class ParquetSink:
    """A ``load.sink.Sink`` in the directory ``root``.

    Args:
        root: the warehouse's directory; made by ``prepare``.
        sleeper: how ``run_lock`` waits.
        clock: the seconds it counts, never running backwards.
    """

    def __init__(
        self,
        root: Path,
        *,
        sleeper: Callable[[float], None] = sleep,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.root = Path(root)
        self._sleeper = sleeper
        self._clock = clock

    def prepare(self, *, step: int, timezone: str, settle_after: int) -> None:
        """As ``Sink.prepare``."""
        wanted = warehouse_file.asked(step, timezone, settle_after)
        if self._is_ready(wanted):
            return
        make_root(self.root)
        with committing(self.root) as commit:
            if not self._is_ready(wanted):
                commit.write(warehouse_file.NAME, wanted.encoded())
                calendar_file.rewrite(self.root, commit, wanted)

    def check(self, *, step: int, timezone: str) -> None:
        """As ``Sink.check``."""
        made = warehouse_file.found(self.root)
        if made is not None:
            wanted = warehouse_file.Made(step, timezone, made.settle_after)
            warehouse_file.check_same(self.root, made, wanted)

    def extend_calendar(self, start: int, end: int) -> None:
        """As ``Sink.extend_calendar``."""
        made = warehouse_file.existing(self.root)
        if calendar_file.missing(self.root, made, Window(start, end)):
            with committing(self.root) as commit:
                calendar_file.extend(self.root, commit, made, Window(start, end))

    @contextmanager
    def run_lock(self, *, wait: float, holder: str) -> Iterator[None]:
        """As ``Sink.run_lock``; also before ``prepare``, then the directory is made.

        What a killed commit left is mended first: whoever holds the lock finds whole commits only.
        """
        make_root(self.root)
        path = self.root / RUN_LOCK
        with run_lock(path, wait=wait, holder=holder, sleep=self._sleeper, clock=self._clock):
            self._mend()
            yield

    def upsert(
        self, frame: "pd.DataFrame", entries: Sequence[Entry], *, loaded_at: datetime, run_id: str
    ) -> Receipt:
        """As ``Sink.upsert``."""
        step = warehouse_file.existing(self.root).step
        at = batch.microseconds(loaded_at)
        rows = batch.checked_rows(frame, step=step, loaded_at=at)
        noted = batch.checked_entries(entries, step=step)
        fetched = batch.newest_read(rows, noted)
        batch.check_covered(rows, fetched)
        to_note = ledger_file.entries_by_month(noted)
        if not len(rows) and not noted:
            return Receipt()
        with committing(self.root) as commit:
            newest = self._not_late(rows, fetched)
            receipt, changes = self._merge(commit, newest)
            revisions.record(self.root, commit, changes, revised_at=at, run_id=run_id)
            for month, table in to_note.items():
                target = path_of(LOAD_LEDGER.name, month)
                append(self.root / target, LOAD_LEDGER, table, commit.create(target))
        return receipt + Receipt(superseded=len(rows) - len(newest))

    def ledger(self, since: int | None = None) -> list[Entry]:
        """As ``Sink.ledger``; exactly the entries at or after ``since``."""
        return ledger_file.read_entries(self.root, None if since is None else since * MICRO)

    def domains(self) -> list[Domain]:
        """As ``Sink.domains``."""
        return domains_file.read(self.root)

    def put_domains(self, domains: Iterable[Domain]) -> None:
        """As ``Sink.put_domains``; writes nothing when all of them are stored as they are."""
        warehouse_file.existing(self.root)
        given = list(domains)
        if not domains_file.changes(self.root, given):
            return
        with committing(self.root) as commit:
            domains_file.write(self.root, commit, given)

    def made(self) -> warehouse_file.Made | None:
        """As ``Sink.made``."""
        return warehouse_file.found(self.root)

    def calendar(self) -> Window | None:
        """As ``Sink.calendar``."""
        made = warehouse_file.found(self.root)
        return None if made is None else calendar_file.held(self.root, made)

    def months(self, table: Table) -> dict[str, MonthTotals]:
        """As ``Sink.months``."""
        return parquet_months.totals(self.root, table)

    def read_month(self, table: Table, month: str) -> "Generator[pa.RecordBatch, None, None]":
        """As ``Sink.read_month``."""
        return parquet_months.read(self.root, table, month)

    def replace_month(self, table: Table, month: str, batches: "Iterable[pa.RecordBatch]") -> None:
        """As ``Sink.replace_month``."""
        warehouse_file.existing(self.root)
        with committing(self.root) as commit:
            stream = commit.create(path_of(table.name, month))
            parquet_months.write(stream, table, month, batches)

    def query(self, statement: str) -> "pa.Table":
        """As ``Sink.query``, by DuckDB."""
        from load import reading  # not before it is asked for: it loads DuckDB

        return reading.query(self.root, statement)

    def _mend(self) -> None:
        if leftovers(self.root):
            with committing(self.root):
                pass

    def _is_ready(self, wanted: warehouse_file.Made) -> bool:
        made = warehouse_file.found(self.root)
        if made is not None:
            warehouse_file.check_same(self.root, made, wanted)
        elif any(stored_months(self.root, table.name) for table in (TRAFFIC, LOAD_LEDGER)):
            raise damaged(self.root / warehouse_file.NAME, "it is missing beside stored data")
        return made == wanted and not leftovers(self.root)

    def _not_late(self, rows: Rows, fetched: Integers) -> Rows:
        """The rows that no stored read sent later already covers."""
        if not len(rows):
            return rows
        later = ledger_file.reads_after(self.root, int(fetched.min()), rows.names)
        return rows.take(batch.newest_read(rows, later) <= fetched) if later else rows

    def _merge(self, commit: Commit, rows: Rows) -> tuple[Receipt, list[Changes]]:
        receipt, changes = Receipt(), list[Changes]()
        months = rows.months()
        for number in np.unique(months).tolist():
            target = path_of(TRAFFIC.name, month_text(number))
            create = partial(commit.create, target)
            outcome = merge_month(self.root / target, rows.take(months == number), create)
            receipt += outcome.receipt
            changes += outcome.changes
        return receipt, changes
