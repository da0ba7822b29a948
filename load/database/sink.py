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
from livetraffic.table import LOAD_LEDGER, Table
from livetraffic.window import Window
from load import batch, ledger_file, warehouse_file
from load.arrow import schema as arrow_schema
from load.database import answers, months, schema, stored
from load.database.address import parse
from load.database.choice import dialect_of
from load.database.failure import KeyTakenError
from load.database.retry import attempted, once, retried, translated
from load.database.upsert import Batch, upsert
from load.rows import MICRO
from load.sink import MonthTotals, Receipt
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
        by_month = ledger_file.entries_by_month(noted).values()
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
        return self._found(lambda c: stored.domains(c, self._dialect), [])

    def put_domains(self, domains: Iterable[Domain]) -> None:
        """As ``Sink.put_domains``; writes nothing when all of them are stored as they are."""
        given = list(domains)

        def work(connection: Connection, _: Made) -> None:
            stored.put_domains(connection, self._dialect, given)

        self._changed(work)

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
        return self._found(lambda c: months.totals(c, self._dialect, table), {})

    def read_month(self, table: Table, month: str) -> Generator[pa.RecordBatch, None, None]:
        """As ``Sink.read_month``."""
        if not self._dialect.is_there():
            return
        with translated(self._dialect), self._dialect.reader.connect() as connection:
            if self._made(connection) is not None:
                yield from months.read(connection, self._dialect, table, month)

    def replace_month(self, table: Table, month: str, batches: Iterable[pa.RecordBatch]) -> None:
        """As ``Sink.replace_month``, by the database's bulk path."""
        self._existing()

        def work(connection: Connection) -> None:
            with connection.begin():
                self._dialect.lock_commits(connection)
                months.replace(connection, self._dialect, table, month, batches)

        attempted(self._dialect, work)

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

        def look(connection: Connection) -> T:
            return nothing if self._made(connection) is None else work(connection)

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
        made = self._found(self._made, None)
        if made is None:
            raise SinkError(
                f"There is no warehouse in {self._dialect.address}.",
                "Make one with `live-traffic backfill`.",
            )
        return made


_NO_ENTRIES = arrow_schema(LOAD_LEDGER).empty_table()
