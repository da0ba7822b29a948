"""The warehouse as open Parquet files, in a directory or in an object store.

Exactly one file a UTC month and table, sorted by domain and time; rows, revisions and ledger
entries of an upsert appear in one commit. Reading takes no lock and writes nothing.
"""

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING

import numpy as np

from livetraffic.domain import Domain
from livetraffic.ledger import Entry
from livetraffic.reconciliation import Reconciliation
from livetraffic.table import LOAD_LEDGER, RECONCILIATIONS, TRAFFIC, Table
from livetraffic.window import Window
from load import batch, records, warehouse_file
from load.failure import damaged
from load.months import month_text, path_of
from load.parquet import calendar as calendar_file
from load.parquet import domains as domains_file
from load.parquet import ledger as ledger_file
from load.parquet import months as parquet_months
from load.parquet import reconciliations as reconciliations_file
from load.parquet import revisions, totals
from load.parquet.append import append
from load.parquet.files import Draft, Files, Home
from load.parquet.local import LocalHome
from load.parquet.merge import Changes, merge_month
from load.parquet.migration import move_forward
from load.rows import MICRO, Integers, Rows
from load.sink import MonthTotals, Receipt, Total
from load.warehouse_file import Made

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


class FilesSink:
    """A ``load.sink.Sink`` of Parquet files in ``home``."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def prepare(self, *, step: int, timezone: str, settle_after: int) -> None:
        """As ``Sink.prepare``."""
        wanted = warehouse_file.asked(step, timezone, settle_after)
        if self._is_ready(self._home.files(), wanted):
            return
        self._home.make()

        def work(files: Files, draft: Draft) -> None:
            if not self._is_ready(files, wanted):
                move_forward(files, draft)
                draft.write(warehouse_file.NAME, wanted.encoded())
                calendar_file.rewrite(files, draft, wanted)

        self._home.commit(work)

    def check(self, *, step: int, timezone: str) -> None:
        """As ``Sink.check``."""
        files = self._home.files()
        made = _found(files)
        if made is not None:
            wanted = warehouse_file.Made(step, timezone, made.settle_after)
            warehouse_file.check_same(files.place, made, wanted)

    def extend_calendar(self, start: int, end: int) -> None:
        """As ``Sink.extend_calendar``."""
        files = self._home.files()
        made, window = _existing(files), Window(start, end)
        if calendar_file.missing(files, made, window):
            self._home.commit(lambda now, draft: calendar_file.extend(now, draft, made, window))

    def run_lock(self, *, wait: float, holder: str) -> AbstractContextManager[None]:
        """As ``Sink.run_lock``; also before ``prepare``, then the place is made.

        What a killed commit left is mended first: whoever holds the lock finds whole commits only.
        """
        return self._home.run_lock(wait=wait, holder=holder)

    def upsert(
        self, frame: "pd.DataFrame", entries: Sequence[Entry], *, loaded_at: datetime, run_id: str
    ) -> Receipt:
        """As ``Sink.upsert``."""
        step = _existing(self._home.files()).step
        at = batch.microseconds(loaded_at)
        rows = batch.checked_rows(frame, step=step, loaded_at=at)
        noted = batch.checked_entries(entries, step=step)
        fetched = batch.newest_read(rows, noted)
        batch.check_covered(rows, fetched)
        to_note = records.entries_by_month(noted)
        if not len(rows) and not noted:
            return Receipt()

        def work(files: Files, draft: Draft) -> Receipt:
            newest = _not_late(files, rows, fetched)
            receipt, changes = _merge(files, draft, newest)
            revisions.record(files, draft, changes, revised_at=at, run_id=run_id)
            _append(files, draft, LOAD_LEDGER, to_note)
            return receipt + Receipt(superseded=len(rows) - len(newest))

        return self._home.commit(work)

    def ledger(self, since: int | None = None) -> list[Entry]:
        """As ``Sink.ledger``; exactly the entries at or after ``since``."""
        return ledger_file.read_entries(
            self._home.files(), None if since is None else since * MICRO
        )

    def domains(self) -> list[Domain]:
        """As ``Sink.domains``."""
        return domains_file.read(self._home.files())

    def put_domains(self, domains: Iterable[Domain]) -> None:
        """As ``Sink.put_domains``; writes nothing when all of them are stored as they are."""
        files, given = self._home.files(), list(domains)
        _existing(files)
        if domains_file.changes(files, given):
            self._home.commit(lambda now, draft: domains_file.write(now, draft, given))

    def put_reconciliations(self, rows: Sequence[Reconciliation]) -> None:
        """As ``Sink.put_reconciliations``."""
        _existing(self._home.files())
        by_month = records.reconciliations_by_month(rows)
        if by_month:
            self._home.commit(lambda now, draft: _append(now, draft, RECONCILIATIONS, by_month))

    def reconciliations(self, since: int | None = None) -> list[Reconciliation]:
        """As ``Sink.reconciliations``; exactly the rows at or after ``since``."""
        return reconciliations_file.read(self._home.files(), since)

    def totals(self, window: Window, domains: Sequence[str]) -> list[Total]:
        """As ``Sink.totals``, by the statistics of row groups."""
        return totals.by_source(self._home.files(), window, domains)

    def point_totals(self, window: Window, domains: Sequence[str]) -> dict[int, int]:
        """As ``Sink.point_totals``, by the statistics of row groups."""
        return totals.by_point(self._home.files(), window, domains)

    def made(self) -> Made | None:
        """As ``Sink.made``."""
        return _found(self._home.files())

    def calendar(self) -> Window | None:
        """As ``Sink.calendar``."""
        files = self._home.files()
        made = _found(files)
        return None if made is None else calendar_file.held(files, made)

    def months(self, table: Table) -> dict[str, MonthTotals]:
        """As ``Sink.months``."""
        return parquet_months.totals(self._home.files(), table)

    def read_month(self, table: Table, month: str) -> "Generator[pa.RecordBatch, None, None]":
        """As ``Sink.read_month``."""
        return parquet_months.read(self._home.files(), table, month)

    def replace_month(self, table: Table, month: str, batches: "Iterable[pa.RecordBatch]") -> None:
        """As ``Sink.replace_month``."""
        _existing(self._home.files())

        def work(_: Files, draft: Draft) -> None:
            stream = draft.create(path_of(table.name, month))
            parquet_months.write(stream, table, month, batches)

        self._home.commit(work, repeats=False)

    def remove_month(self, table: Table, month: str) -> None:
        """As ``Sink.remove_month``."""
        self._home.remove(path_of(table.name, month))

    def faults(self) -> list[str]:
        """As ``Sink.faults``: files are looked at by ``load.inspection.files``."""
        return []

    def restore(self, *, step: int, timezone: str, settle_after: int) -> None:
        """As ``Sink.restore``."""
        self.prepare(step=step, timezone=timezone, settle_after=settle_after)

    def rewrite_calendar(self) -> None:
        """As ``Sink.rewrite_calendar``."""
        made = _existing(self._home.files())
        self._home.commit(lambda files, draft: calendar_file.rewrite(files, draft, made))

    def query(self, statement: str) -> "pa.Table":
        """As ``Sink.query``, by DuckDB."""
        from load.parquet import reading  # not before it is asked for: it loads DuckDB

        return reading.answer(self._home.files, statement)

    def _is_ready(self, files: Files, wanted: Made) -> bool:
        made = _found(files)
        if made is not None:
            warehouse_file.check_same(files.place, made, wanted)
        elif any(files.months(table.name) for table in (TRAFFIC, LOAD_LEDGER)):
            raise damaged(files.path(warehouse_file.NAME), "it is missing beside stored data")
        return made == wanted and not self._home.unfinished()


class ParquetSink(FilesSink):
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
        super().__init__(LocalHome(self.root, sleeper=sleeper, clock=clock))


def _found(files: Files) -> Made | None:
    path = files.path(warehouse_file.NAME)
    return warehouse_file.read(path) if files.distant else warehouse_file.found(path.parent)


def _existing(files: Files) -> Made:
    return warehouse_file.existing(files.place, _found(files))


def _append(files: Files, draft: Draft, table: Table, by_month: "dict[str, pa.Table]") -> None:
    for month, rows in by_month.items():
        target = path_of(table.name, month)
        append(files.path(target), table, rows, draft.create(target))


def _not_late(files: Files, rows: Rows, fetched: Integers) -> Rows:
    """The rows that no stored read sent later already covers."""
    if not len(rows):
        return rows
    later = ledger_file.reads_after(files, int(fetched.min()), rows.names)
    return rows.take(batch.newest_read(rows, later) <= fetched) if later else rows


def _merge(files: Files, draft: Draft, rows: Rows) -> tuple[Receipt, list[Changes]]:
    receipt, changes = Receipt(), list[Changes]()
    months = rows.months()
    for number in np.unique(months).tolist():
        target = path_of(TRAFFIC.name, month_text(number))
        create = partial(draft.create, target)
        outcome = merge_month(files.path(target), rows.take(months == number), create)
        receipt += outcome.receipt
        changes += outcome.changes
    return receipt, changes
