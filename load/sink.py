"""What every store promises: the contract that ``tests/contract`` holds each of them to."""

from collections.abc import Generator, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol

from livetraffic.domain import Domain
from livetraffic.ledger import Entry
from livetraffic.reconciliation import Reconciliation
from livetraffic.table import Table
from livetraffic.window import Window

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from load.warehouse_file import Made


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one upsert did to the rows it was given."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    superseded: int = 0
    """Rows left out because a read sent later had already covered them."""

    def __add__(self, other: "Receipt") -> "Receipt":
        return Receipt(
            self.inserted + other.inserted,
            self.updated + other.updated,
            self.unchanged + other.unchanged,
            self.superseded + other.superseded,
        )


@dataclass(frozen=True, slots=True)
class MonthTotals:
    """What one month of a table holds, in figures that two stores can compare."""

    rows: int
    sums: tuple[int, ...]
    """The sum of each integer column, in their order; a null counts nothing."""
    newest: tuple[int, ...]
    """The latest of each column of instants, in their order, in microseconds since the epoch.

    A row that is changed takes a later ``loaded_at``, so a changed month shows even where the sum of
    its bytes stays.
    """


class Total(NamedTuple):
    """What is stored of one domain from one source in a window."""

    domain: str
    source: str
    points: int
    """Stored rows."""
    traffic_bytes: int
    """Their sum, exact however large."""
    newest_value: int | None
    """Seconds, UTC: the start of the latest point that is not 0; None where all are."""


class Sink(Protocol):
    """A warehouse. All instants are UTC; every method raises ``SinkError`` when the store fails.

    ``traffic``, ``traffic_revisions``, ``load_ledger`` and ``reconciliations`` can be moved month by
    month: the month of a row is the UTC month of its ``timestamp``, ``revised_at``, ``fetched_at`` or
    ``checked_at``, written ``2026-01``.

    A warehouse of an older format is moved forward by ``prepare``. Until then what is asked of it is
    answered as far as it holds it: no reconciliations, no API of a domain.
    """

    def prepare(self, *, step: int, timezone: str, settle_after: int) -> None:
        """Create the warehouse, or check that it has this step and zone; recover a killed commit.

        A warehouse of an older format version is moved to this one, in the same commit where the
        store can do that; killed in between, the next ``prepare`` does the rest.

        ``settle_after`` (seconds) is kept for the views and may change from run to run: the
        calendar's ``settles_at`` follows it in the same commit. When nothing is to be done nothing
        is written, and nothing is created when the warehouse is refused.

        Raises:
            WarehouseMismatch: it was made with another step or zone.
            ConfigError: the zone is unknown, or a newer version made the warehouse.
        """

    def check(self, *, step: int, timezone: str) -> None:
        """Like ``prepare`` for a command that only looks: creates and writes nothing.

        Raises:
            WarehouseMismatch: the warehouse exists and was made with another step or zone.
        """

    def extend_calendar(self, start: int, end: int) -> None:
        """Make the calendar hold every local month that touches ``[start, end)`` (seconds).

        It holds one unbroken range of whole local months, and is written only when it must grow.
        """

    def faults(self) -> list[str]:
        """What the store lacks of its tables and views, or says is damaged in it; writes nothing.

        The files of a Parquet warehouse are looked at one by one elsewhere (``load.inspection``).
        """

    def restore(self, *, step: int, timezone: str, settle_after: int) -> None:
        """As ``prepare``, and make the tables, columns and views that are missing."""

    def rewrite_calendar(self) -> None:
        """Write the calendar anew, over the months it holds, from what the warehouse was made with."""

    def run_lock(self, *, wait: float, holder: str) -> AbstractContextManager[None]:
        """Hold the warehouse for one run; ``holder`` is the line that a waiting run is shown.

        Whoever holds it finds whole commits only: what a killed run left is mended.

        Raises:
            Locked: another run holds it for longer than ``wait`` seconds; the message names it.
        """

    def upsert(
        self, frame: "pd.DataFrame", entries: Sequence[Entry], *, loaded_at: datetime, run_id: str
    ) -> Receipt:
        """Store the frame's values by key with the entries, all in one commit.

        Afterwards the store holds, for every (``domain``, ``timestamp``) of the frame, the frame's
        value; everything else is untouched; values that changed are kept in ``traffic_revisions``
        with ``revised_at = loaded_at`` (a microsecond later for each revision that the same key
        already has at that instant) and ``old_loaded_at``, the ``loaded_at`` of the row before.
        Rows that are inserted or changed get ``loaded_at``; a row of equal value is left as it is,
        also when its ``source`` differs. So is a stored row other than 0 where the frame brings the
        0 of another ``source``: an API knows no traffic of a domain that the other one serves, and
        such a row counts as unchanged. Twice is once, except that
        entries are recorded every time; without rows that change anything and without entries
        nothing is written.

        Where a stored ``read`` entry with a later ``fetched_at`` than this batch's own entry covers
        a row's time for its domain, the row is left out (a late writer).

        Args:
            frame: columns ``domain`` and ``source`` (str, or categories of it), ``timestamp``
                (datetime64[us, UTC]), ``traffic_bytes`` (int64), in any order of rows; may be empty.
            entries: the ledger entries of the same slices. Every row lies inside the window of one
                ``read`` entry of its domain.
            loaded_at: the instant of this load, with a zone.
            run_id: the run, for the revisions.

        Raises:
            SinkError: the frame is not of that shape, a key stands twice in it, a row lies outside
                the entries' windows, or the store failed. Nothing was written.
        """

    def ledger(self, since: int | None = None) -> list[Entry]:
        """Every entry whose ``fetched_at`` is at or after ``since`` (seconds); all when None.

        A store may return older entries too. Takes no lock and waits for no writer.
        """

    def domains(self) -> list[Domain]:
        """Every domain ever seen, sorted by name. Takes no lock and waits for no writer."""

    def put_domains(self, domains: Iterable[Domain]) -> None:
        """Insert or replace these domains by name; the others stay."""

    def put_reconciliations(self, rows: Sequence[Reconciliation]) -> None:
        """Append these rows in one commit; nothing is written for no rows.

        Raises:
            SinkError: there is no warehouse, or a value does not fit its column.
        """

    def reconciliations(self, since: int | None = None) -> list[Reconciliation]:
        """Every row whose ``checked_at`` is at or after ``since`` (seconds); all when None.

        A store may return older rows too. Takes no lock and waits for no writer.
        """

    def totals(self, window: Window, domains: Sequence[str]) -> list[Total]:
        """What is stored of these domains in the window, by domain and source; sorted.

        A domain and source without a row there is left out. Costs what the window holds, whatever
        the length of the history. Takes no lock and waits for no writer.
        """

    def point_totals(self, window: Window, domains: Sequence[str]) -> dict[int, int]:
        """The sum of these domains' bytes at each point of the window, by the point's second, UTC.

        Points at which none of them has a row are left out; a sum is exact however large. Costs and
        waits as ``totals``.
        """

    def query(self, statement: str) -> "pa.Table":
        """Run one reading statement on the tables and views.

        Raises:
            ConfigError: it is not one reading statement, or the database refuses it as written.
        """

    def made(self) -> "Made | None":
        """What the warehouse was made with; None where there is none. Creates and writes nothing.

        Raises:
            ConfigError: a newer version made it.
        """

    def calendar(self) -> Window | None:
        """The whole local months that the calendar holds; None where it holds none."""

    def months(self, table: Table) -> dict[str, MonthTotals]:
        """Every month of which the table has a row, in order; none where there is no warehouse."""

    def read_month(self, table: Table, month: str) -> "Generator[pa.RecordBatch, None, None]":
        """The month's rows, some at a time, of the schema in ``load.arrow``.

        ``traffic`` comes in the order of its key; the others in any order, a row as often as it is
        stored. Memory holds a batch. Whoever holds the run lock reads one state of the month, and
        whoever stops before the end closes the generator.
        """

    def replace_month(self, table: Table, month: str, batches: "Iterable[pa.RecordBatch]") -> None:
        """Make the month of that table exactly these rows, in one commit; the rest is untouched.

        Values, ``loaded_at``, ``source`` and repeated rows of the ledger are stored as given. Memory
        holds a batch. It is for whoever holds the run lock, and is not tried again: the batches
        can be had once.

        Args:
            table: one of those that are kept by month.
            month: as in ``months``.
            batches: as ``read_month`` gives them, with at least one row; they are read inside
                the commit, and what they raise passes through with nothing written.

        Raises:
            SinkError: there is no warehouse, no row, a batch of another shape or a row of another
                month, rows of ``traffic`` are not in the order of their keys or one stands twice,
                or the store failed. Nothing was written.
        """

    def remove_month(self, table: Table, month: str) -> None:
        """Leave the month of that table without a row, in one commit; for whoever holds the run lock."""
