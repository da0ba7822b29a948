"""Mending what an inspection found; nothing that is damaged is overwritten, it is set aside first.

The ledger comes first: what is not there is due before its file is touched, so that a repair that is
killed leaves nothing that looks complete and is not. The same repair again does the rest.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Protocol

import pyarrow as pa

from livetraffic.errors import LiveTrafficError
from livetraffic.table import LOAD_LEDGER, TRAFFIC
from load import warehouse_file
from load.arrow import schema
from load.duckdb import before_image
from load.inspection import rebuilding
from load.inspection.aside import Aside
from load.inspection.files import Files
from load.inspection.finding import ROW_KINDS, Finding, Kind, Report
from load.inspection.looking import Inspected, inspect
from load.inspection.marking import Marked, Marker
from load.inspection.rows import sifted
from load.inspection.tables import Tables
from load.lock import run_lock
from load.parquet import journal
from load.parquet.local import RUN_LOCK
from load.parquet.sink import ParquetSink
from load.sink import Sink
from load.warehouse_file import Made

_REWRITTEN = {*ROW_KINDS, Kind.DISORDER}


class Mender(Protocol):
    """How one kind of store is mended; its run lock is held."""

    store: Inspected
    moved: list[Path]
    """Where damaged files and rows are now."""

    def structure(self, report: Report) -> None:
        """Everything but rows: what must be whole before the ledger can be marked."""

    def rows(self, report: Report) -> None:
        """Take bad rows and damaged files of rows out."""


def mend(mender: Mender, marker: Marker, report: Report) -> Marked:
    """Mend what was found, in the order that a kill does no harm to."""
    mender.structure(report)
    known = inspect(mender.store)
    marked = Marked() if known.agreement.holds else marker.mark(known.agreement)
    mender.rows(known)
    return marked


class FilesMender:
    """A Parquet warehouse.

    Args:
        sink: the warehouse.
        settings: what it is made with where its own word is damaged.
        aside: where damaged files go.
    """

    def __init__(self, sink: ParquetSink, settings: Made, aside: Aside) -> None:
        self.store: Inspected = Files(sink.root)
        self.moved: list[Path] = []
        self._sink = sink
        self._settings = settings
        self._aside = aside

    def structure(self, report: Report) -> None:
        """As ``Mender.structure``."""
        for finding in report.findings:
            if finding.kind is Kind.DAMAGED and finding.place == journal.JOURNAL:
                self._move_commit()
        with journal.committing(self._sink.root):
            pass  # rolls forward, or removes, what a kill left
        for finding in report.findings:
            if finding.kind is Kind.FOREIGN or self._is_damaged(finding, LOAD_LEDGER.name):
                self._move(finding.place)
            if finding.kind is Kind.DAMAGED and finding.place == warehouse_file.NAME:
                self._facts()
        made = self.store.made()
        if made is not None:
            self._sink.restore(
                step=made.step, timezone=made.timezone, settle_after=made.settle_after
            )

    def rows(self, report: Report) -> None:
        """As ``Mender.rows``; also the small files, which are made anew from the others."""
        rewritten: set[str] = set()
        for finding in report.findings:
            if finding.kind is Kind.DAMAGED and finding.place.endswith(".parquet"):
                self._move(finding.place)
                rebuilding.replace(self._sink, finding.place)
            elif finding.kind in _REWRITTEN and finding.place not in rewritten:
                rewritten.add(finding.place)
                self._rewrite(finding.place)
            elif finding.kind is Kind.CALENDAR:
                self._sink.rewrite_calendar()

    def _rewrite(self, place: str) -> None:
        path = self._sink.root / place
        month = path.parent.name.removeprefix("month=")
        self.moved.append(self._aside.copy(path, place))
        made = warehouse_file.existing(self._sink.root, warehouse_file.found(self._sink.root))
        _put(self._sink, month, self.store.traffic(month), made.step)

    def _facts(self) -> None:
        """Write ``warehouse.json`` anew, where the calendar proves what it said."""
        root = self._sink.root
        if not rebuilding.proved(root, self._settings):
            return
        if (root / warehouse_file.NAME).exists():
            self._move(warehouse_file.NAME)
        with journal.committing(root) as commit:
            commit.write(warehouse_file.NAME, self._settings.encoded())

    def _move_commit(self) -> None:
        root = self._sink.root
        for path in [root / journal.JOURNAL, *journal.temporaries(root)]:
            self._move(path.name)

    def _move(self, place: str) -> None:
        path = self._sink.root / place
        if path.exists():
            self.moved.append(self._aside.move(path, place))

    def _is_damaged(self, finding: Finding, table: str) -> bool:
        return finding.kind is Kind.DAMAGED and finding.place.startswith(f"{table}/")


class TablesMender:
    """A warehouse in a database.

    Args:
        sink: the warehouse.
        store: how it is looked at.
        file: the database's file, where it is one of ours to move.
        aside: where damaged rows and files go.
    """

    def __init__(self, sink: Sink, store: Tables, file: Path | None, aside: Aside) -> None:
        self.store: Inspected = store
        self.moved: list[Path] = []
        self._sink = sink
        self._file = file
        self._aside = aside

    def structure(self, report: Report) -> None:
        """As ``Mender.structure``."""
        kinds = {finding.kind for finding in report.findings}
        if Kind.DAMAGED in kinds and self._file is not None:
            beside = self._file.parent.glob(f"{self._file.name}[-.]wal")
            for path in (self._file, *beside, before_image.path_of(self._file)):
                if path.exists():
                    self.moved.append(self._aside.move(path, path.name))
        made = self._sink.made() if Kind.HALF_MOVED in kinds else None
        if made is not None:
            self._sink.restore(
                step=made.step, timezone=made.timezone, settle_after=made.settle_after
            )

    def rows(self, report: Report) -> None:
        """As ``Mender.rows``."""
        made = self._sink.made()
        for month in self.store.months() if made is not None and _has_bad(report) else ():
            found = self.store.traffic(month)
            bad = sifted(found, month, made.step if made else 1)
            if not bad.is_clean:
                if bad.bad.num_rows:
                    self.moved.append(self._aside.rows(bad.bad, f"traffic-{month}.parquet"))
                _put(self._sink, month, found, made.step if made else 1)
        if any(finding.kind is Kind.CALENDAR for finding in report.findings):
            self._sink.rewrite_calendar()


def _has_bad(report: Report) -> bool:
    return any(finding.kind in _REWRITTEN for finding in report.findings)


def _put(sink: Sink, month: str, found: pa.Table, step: int) -> None:
    """Leave the month with its good rows only, in order."""
    good = sifted(found, month, step).good
    if not len(good):
        sink.remove_month(TRAFFIC, month)
        return
    rows = good.to_arrow().cast(schema(TRAFFIC))
    sink.replace_month(TRAFFIC, month, iter(rows.to_batches()))


def _answers(sink: Sink) -> bool:
    """Whether the store can be asked at all: no run is at work on a file that cannot."""
    try:
        sink.made()
    except LiveTrafficError:
        return False
    return True


@contextmanager
def held(sink: Sink, *, wait: float, holder: str, repairs: bool) -> Iterator[None]:
    """The run lock, without the mending that comes with it: the inspection is to see the damage.

    Raises:
        Locked: a run holds it for longer than ``wait`` seconds.
    """
    if isinstance(sink, ParquetSink):
        path = sink.root / RUN_LOCK
        with run_lock(path, wait=wait, holder=holder, sleep=sleep, clock=monotonic):
            yield
    elif repairs and _answers(sink):
        with sink.run_lock(wait=wait, holder=holder):
            yield
    else:  # one statement sees whole commits; tables are not made to take a lock
        yield
