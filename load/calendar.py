"""The rows of ``calendar``: the grid in business time, in whole local months, in one unbroken range."""

from collections.abc import Iterator
from dataclasses import fields

import pyarrow as pa

from livetraffic.business_time import CalendarColumns, calendar_rows
from livetraffic.table import CALENDAR, Kind
from livetraffic.window import DAY, Window, cut
from load.arrow import schema
from load.warehouse_file import Made

_PIECE = 366 * DAY


def grown(before: Window | None, wanted: Window) -> Window | None:
    """The one unbroken range to hold now; None where what is held is enough."""
    if before is None:
        return wanted
    if before.start <= wanted.start and wanted.end <= before.end:
        return None
    return Window(min(wanted.start, before.start), max(wanted.end, before.end))


def tables(made: Made, window: Window) -> Iterator[pa.Table]:
    """The calendar's rows in the window, a year at a time."""
    for piece in cut(window, _PIECE):
        yield _table(calendar_rows(piece, made.step, made.zone, made.settle_after))


def _table(columns: CalendarColumns) -> pa.Table:
    layout = schema(CALENDAR)
    instants = {column.name for column in CALENDAR.columns if column.kind is Kind.TIMESTAMP}
    arrays = []
    for name in (field.name for field in fields(columns)):
        values = getattr(columns, name)
        if name in instants:
            seconds = pa.array(values, pa.timestamp("s", tz="UTC"))
            arrays.append(seconds.cast(layout.field(name).type))
        else:
            arrays.append(pa.array(values, layout.field(name).type))
    return pa.Table.from_arrays(arrays, schema=layout)
