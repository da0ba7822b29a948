"""The tables of a warehouse in a database, asked through its sink."""

from collections.abc import Iterable
from contextlib import closing

import pyarrow as pa

from livetraffic.errors import ConfigError, LiveTrafficError
from livetraffic.ledger import Entry
from livetraffic.table import CALENDAR, TRAFFIC
from livetraffic.window import Window
from load.arrow import schema
from load.inspection.finding import Finding, Kind
from load.sink import Sink
from load.warehouse_file import FORMAT_VERSION, Made


class Tables:
    """``Inspected`` for a sink whose store keeps its own files; ``name`` is shown to people."""

    def __init__(self, sink: Sink, name: str) -> None:
        self._sink = sink
        self._name = name
        self._made: Made | None = None

    def structure(self) -> Iterable[Finding]:
        """As ``Inspected.structure``: what the store says of itself."""
        try:
            self._made = self._sink.made()
            faults = self._sink.faults()
        except ConfigError as error:
            return [Finding(Kind.NEWER, self._name, error.message.rstrip("."))]
        except LiveTrafficError as error:
            return [Finding(Kind.DAMAGED, self._name, error.message.rstrip("."))]
        if self._made is None:
            return [Finding(Kind.DAMAGED, self._name, "there is no warehouse in it")]
        if faults or self._made.version < FORMAT_VERSION:
            reasons = faults or [f"it has format version {self._made.version}"]
            self._made = None  # its tables cannot be asked yet
            return [Finding(Kind.HALF_MOVED, self._name, reason) for reason in reasons]
        return []

    def made(self) -> Made | None:
        """As ``Inspected.made``."""
        return self._made

    def entries(self) -> list[Entry]:
        """As ``Inspected.entries``."""
        return self._sink.ledger()

    def months(self) -> list[str]:
        """As ``Inspected.months``."""
        return list(self._sink.months(TRAFFIC))

    def traffic(self, month: str) -> pa.Table:
        """As ``Inspected.traffic``."""
        with closing(self._sink.read_month(TRAFFIC, month)) as batches:
            return pa.Table.from_batches(list(batches), schema(TRAFFIC))

    def place(self, month: str) -> str:
        """As ``Inspected.place``."""
        return f"traffic of {month}"

    def calendar(self) -> tuple[Window, pa.Table] | None:
        """As ``Inspected.calendar``."""
        window = self._sink.calendar()
        if window is None:
            return None
        columns = ", ".join(CALENDAR.column_names)
        found = self._sink.query(f"SELECT {columns} FROM calendar ORDER BY timestamp")  # noqa: S608 - our names
        return window, found
