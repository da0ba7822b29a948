"""``calendar.parquet``: the grid in business time, in whole local months, in one unbroken range."""

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from livetraffic.business_time import CalendarColumns, calendar_rows, whole_months
from livetraffic.table import CALENDAR, Kind
from livetraffic.window import DAY, Window, cut
from load.append import Regrouped
from load.arrow import same_columns, schema
from load.failure import damaged, reading
from load.journal import Commit
from load.rows import MICRO
from load.warehouse_file import Made

NAME = f"{CALENDAR.name}.parquet"
_PIECE = 366 * DAY


def missing(root: Path, made: Made, window: Window) -> bool:
    """Whether the calendar lacks a local month that touches the window."""
    return _grown(root, made, window) is not None


def extend(root: Path, commit: Commit, made: Made, window: Window) -> None:
    """Make the calendar hold the local months that touch the window, if it must grow."""
    wanted = _grown(root, made, window)
    if wanted is not None:
        _write(commit, made, wanted)


def rewrite(root: Path, commit: Commit, made: Made) -> None:
    """Write the calendar that there is for another ``settle_after``; none stays none."""
    window = held(root, made)
    if window is not None:
        _write(commit, made, window)


def _grown(root: Path, made: Made, window: Window) -> Window | None:
    return grown(held(root, made), whole_months(window, made.zone))


def grown(before: Window | None, wanted: Window) -> Window | None:
    """The one unbroken range to hold now; None where what is held is enough."""
    if before is None:
        return wanted
    if before.start <= wanted.start and wanted.end <= before.end:
        return None
    return Window(min(wanted.start, before.start), max(wanted.end, before.end))


def held(root: Path, made: Made) -> Window | None:
    """The whole local months that the calendar holds; None where there is none."""
    path = root / NAME
    column = CALENDAR.column_names.index("timestamp")
    try:
        with reading(path), pq.ParquetFile(path) as file:
            if not same_columns(file.schema_arrow, CALENDAR):
                raise damaged(path, "its columns are not those of calendar")
            groups = [file.metadata.row_group(i) for i in range(file.num_row_groups)]
            limits: list[Any] = [group.column(column).statistics for group in groups]
            if not all(limit is not None and limit.has_min_max for limit in limits):
                raise damaged(path, "it has no statistics")
    except FileNotFoundError:
        return None
    if not limits:
        return None
    first = min(limit.min_raw for limit in limits) // MICRO
    last = max(limit.max_raw for limit in limits) // MICRO
    return whole_months(Window(first, last + 1), made.zone)


def _write(commit: Commit, made: Made, window: Window) -> None:
    output = Regrouped(commit.create(NAME), schema(CALENDAR))
    for table in tables(made, window):
        output.write(table)
    output.close()


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
