"""The warehouse in a SQL database, as a ``load.sink.Sink``."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from time import monotonic, sleep
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa
from sqlalchemy import Connection

from livetraffic.domain import Domain
from livetraffic.errors import ConfigError, SinkError
from livetraffic.ledger import Entry
from livetraffic.reconciliation import Reconciliation
from livetraffic.table import DOMAINS, LOAD_LEDGER, RECONCILIATIONS, Table
from livetraffic.window import Window
from load import batch, records, warehouse_file
from load.arrow import schema as arrow_schema
from load.database import answers, faults, months, schema, stored, totals
from load.database.address import parse
from load.database.choice import dialect_of
from load.database.failure import KeyTakenError
from load.database.retry import attempted, once, retried, translated
from load.database.upsert import Batch, upsert
from load.rows import MICRO
from load.sink import MonthTotals, Receipt, Total
from load.warehouse_file import Made

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")


class DatabaseSink:
    """A ``load.sink.Sink`` in the database of a URL. Its ``repr`` and errors hold no password.

    Args:
        url: ``sqlite:///file``, ``postgresql://…[?schema=name]``, ``mysql://…`` or ``mariadb://…``.
        sleeper: how ``run_lock`` waits for another run, and a batch before it is tried again.
        clock: the seconds that ``run_lock`` counts, never running backwards.

    Raises:
        ConfigError: the URL cannot be used, or its driver is not installed.
    """

    def __init__(
        self,
        url: str,
        *,
        sleeper: Callable[[float], None] = sleep,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._dialect = dialect_of(parse(url))
        self._sleeper = sleeper
        self._clock = clock

    def __repr__(self) -> str:
        return f"DatabaseSink({str(self._dialect.address)!r})"

    def prepare(self, *, step: int, timezone: str, settle_after: int) -> None:
        """As ``Sink.prepare``; views are replaced where their text changed."""
        wanted = warehouse_file.asked(step, timezone, settle_after)
        self._dialect.make()

        def work(connection: Connection) -> None:
            with connection.begin():
                self._migrate(connection)
                self._put(connection, wanted)
                schema.install_views(connection, self._dialect)

        self._retried(work)

    def check(self, *, step: int, timezone: str) -> None:
        """As ``Sink.check``."""
        made = self._found(self._made, None)
        if made is not None:
            self._check_same(made, Made(step, timezone, made.settle_after))

    def extend_calendar(self, start: int, end: int) -> None:
        """As ``Sink.extend_calendar``."""
        window = Window(start, end)

        def work(connection: Connection, made: Made) -> None:
            stored.extend_calendar(connection, self._dialect, made, window)

        self._changed(work)

    @contextmanager
    def run_lock(self, *, wait: float, holder: str) -> Iterator[None]:
        """As ``Sink.run_lock``; also before ``prepare``, then the tables are made."""
        self._dialect.make()

        def work(connection: Connection) -> None:
            with connection.begin():
                self._migrate(connection)

        self._retried(work)
        lock = self._dialect.run_lock(
            wait=wait, holder=holder, sleep=self._sleeper, clock=self._clock
        )
        with ExitStack() as stack:
            with translated(self._dialect):
                stack.enter_context(lock)
            yield

    def upsert(
        self, frame: "pd.DataFrame", entries: Sequence[Entry], *, loaded_at: datetime, run_id: str
    ) -> Receipt:
        """As ``Sink.upsert``; tried again as a whole when others or the network disturb it."""
        step = self._existing().step
        rows = batch.checked_rows(frame, step=step, loaded_at=batch.microseconds(loaded_at))
        noted = batch.checked_entries(entries, step=step)
        batch.check_covered(rows, batch.newest_read(rows, noted))
        by_month = records.entries_by_month(noted).values()
        if not len(rows) and not noted:
            return Receipt()
        given = Batch(rows.to_arrow(), pa.concat_tables([_NO_ENTRIES, *by_month]), run_id=run_id)
        try:
            return self._retried(partial(upsert, dialect=self._dialect, batch=given))
        except KeyTakenError:
            given = replace(given, straight=False)
            return self._retried(partial(upsert, dialect=self._dialect, batch=given))

    def ledger(self, since: int | None = None) -> list[Entry]:
        """As ``Sink.ledger``; exactly the entries at or after ``since``."""
        limit = None if since is None else since * MICRO
        return self._found(lambda c: stored.entries(c, self._dialect, limit), [])

    def domains(self) -> list[Domain]:
        """As ``Sink.domains``."""

        def look(connection: Connection, made: Made) -> list[Domain]:
            return stored.domains(connection, self._dialect, made.version)

        return self._looked(look, [])

    def put_domains(self, domains: Iterable[Domain]) -> None:
        """As ``Sink.put_domains``; writes nothing when all of them are stored as they are."""
        given = list(domains)

        def work(connection: Connection, made: Made) -> None:
            warehouse_file.check_moved(self._dialect.address, made, DOMAINS)
            stored.put_domains(connection, self._dialect, given)

        self._changed(work)

    def put_reconciliations(self, rows: Sequence[Reconciliation]) -> None:
        """As ``Sink.put_reconciliations``."""
        table = records.reconciliations_as_arrow(rows)
        warehouse_file.check_moved(self._dialect.address, self._existing(), RECONCILIATIONS)

        def work(connection: Connection, _: Made) -> None:
            self._dialect.insert(connection, RECONCILIATIONS.name, table)

        if table.num_rows:
            self._changed(work)

    def reconciliations(self, since: int | None = None) -> list[Reconciliation]:
        """As ``Sink.reconciliations``; exactly the rows at or after ``since``."""

        def look(connection: Connection, made: Made) -> list[Reconciliation]:
            if made.version < RECONCILIATIONS.since:
                return []
            return stored.reconciliations(connection, self._dialect, since)

        return self._looked(look, [])

    def totals(self, window: Window, domains: Sequence[str]) -> list[Total]:
        """As ``Sink.totals``."""
        return self._found(lambda c: totals.by_source(c, self._dialect, window, domains), [])

    def point_totals(self, window: Window, domains: Sequence[str]) -> dict[int, int]:
        """As ``Sink.point_totals``."""
        return self._found(lambda c: totals.by_point(c, self._dialect, window, domains), {})

    def made(self) -> Made | None:
        """As ``Sink.made``."""
        return self._found(self._made, None)

    def calendar(self) -> Window | None:
        """As ``Sink.calendar``."""

        def look(connection: Connection) -> Window | None:
            made = self._made(connection)
            return None if made is None else stored.held(connection, self._dialect, made)

        return self._found(look, None)

    def months(self, table: Table) -> dict[str, MonthTotals]:
        """As ``Sink.months``."""

        def look(connection: Connection, made: Made) -> dict[str, MonthTotals]:
            warehouse_file.check_moved(self._dialect.address, made, table)
            return months.totals(connection, self._dialect, table)

        return self._looked(look, {})

    def read_month(self, table: Table, month: str) -> Generator[pa.RecordBatch, None, None]:
        """As ``Sink.read_month``."""
        if not self._dialect.is_there():
            return
        with translated(self._dialect), self._dialect.reader.connect() as connection:
            made = self._made(connection)
            if made is not None:
                warehouse_file.check_moved(self._dialect.address, made, table)
                yield from months.read(connection, self._dialect, table, month)

    def replace_month(self, table: Table, month: str, batches: Iterable[pa.RecordBatch]) -> None:
        """As ``Sink.replace_month``, by the database's bulk path."""
        warehouse_file.check_moved(self._dialect.address, self._existing(), table)

        def work(connection: Connection) -> None:
            with connection.begin():
                self._dialect.lock_commits(connection)
                months.replace(connection, self._dialect, table, month, batches)

        attempted(self._dialect, work)

    def remove_month(self, table: Table, month: str) -> None:
        """As ``Sink.remove_month``."""
        self._changed(lambda connection, _: months.remove(connection, table, month))

    def faults(self) -> list[str]:
        """As ``Sink.faults``."""
        return self._found(lambda c: list(faults.found(c, self._dialect)), [])

    def restore(self, *, step: int, timezone: str, settle_after: int) -> None:
        """As ``Sink.restore``."""

        def work(connection: Connection) -> None:
            with connection.begin():
                self._dialect.lock_commits(connection)
                faults.mend(connection, self._dialect)

        if self._found(self._made, None) is not None:
            self._retried(work)
        self.prepare(step=step, timezone=timezone, settle_after=settle_after)

    def rewrite_calendar(self) -> None:
        """As ``Sink.rewrite_calendar``."""
        self._changed(lambda c, made: stored.rewrite_calendar(c, self._dialect, made))

    def query(self, statement: str) -> pa.Table:
        """As ``Sink.query``, through a connection that can only read."""
        answers.check_speakable(statement)
        if self._found(self._made, None) is None:
            raise ConfigError(
                f"There is no warehouse in {self._dialect.address}.",
                "Name one in LIVE_TRAFFIC_WAREHOUSE, or make one with `live-traffic backfill`.",
            )
        with translated(self._dialect):
            return self._dialect.query(statement)

    def _retried(self, work: Callable[[Connection], T]) -> T:
        return retried(self._dialect, work, self._sleeper)

    def _changed(self, work: Callable[[Connection, Made], None]) -> None:
        """Do the work under the commit lock in a warehouse that is there."""
        made = self._existing()

        def locked(connection: Connection) -> None:
            with connection.begin():
                self._dialect.lock_commits(connection)
                work(connection, self._made(connection) or made)

        self._retried(locked)

    def _found(self, work: Callable[[Connection], T], nothing: T) -> T:
        """What the work finds; ``nothing`` where there is no warehouse to look into."""
        return self._looked(lambda connection, _: work(connection), nothing)

    def _looked(self, work: Callable[[Connection, Made], T], nothing: T) -> T:
        """As ``_found``, for work that must know what the warehouse is."""

        def look(connection: Connection) -> T:
            made = self._made(connection)
            return nothing if made is None else work(connection, made)

        return once(self._dialect, look) if self._dialect.is_there() else nothing

    def _migrate(self, connection: Connection) -> None:
        self._dialect.lock_commits(connection)
        self._dialect.make_schema(connection)
        schema.migrate(connection, self._dialect)

    def _put(self, connection: Connection, wanted: Made) -> None:
        made = self._made(connection)
        if made is not None:
            self._check_same(made, wanted)
        if made != wanted:
            schema.put_made(connection, wanted)
            if made is not None:
                stored.rewrite_calendar(connection, self._dialect, wanted)

    def _check_same(self, made: Made, wanted: Made) -> None:
        warehouse_file.check_same(self._dialect.address, made, wanted)

    def _made(self, connection: Connection) -> Made | None:
        return schema.made(connection, self._dialect.address)

    def _existing(self) -> Made:
        """What a batch begins with, so that it outlives a server that goes away here as anywhere."""
        made = self._retried(self._made) if self._dialect.is_there() else None
        if made is None:
            raise SinkError(
                f"There is no warehouse in {self._dialect.address}.",
                "Make one with `live-traffic backfill`.",
            )
        return made


_NO_ENTRIES = arrow_schema(LOAD_LEDGER).empty_table()
