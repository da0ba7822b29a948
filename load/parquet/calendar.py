"""``calendar.parquet``: the grid in business time, in whole local months, in one unbroken range."""

from typing import Any

from livetraffic.business_time import whole_months
from livetraffic.table import CALENDAR
from livetraffic.window import Window
from load.arrow import same_columns, schema
from load.calendar import grown, tables
from load.failure import damaged, reading
from load.parquet.append import Regrouped
from load.parquet.files import Draft, Files
from load.parquet.opening import opened
from load.rows import MICRO
from load.warehouse_file import Made

NAME = f"{CALENDAR.name}.parquet"


def missing(files: Files, made: Made, window: Window) -> bool:
    """Whether the calendar lacks a local month that touches the window."""
    return _grown(files, made, window) is not None


def extend(files: Files, draft: Draft, made: Made, window: Window) -> None:
    """Make the calendar hold the local months that touch the window, if it must grow."""
    wanted = _grown(files, made, window)
    if wanted is not None:
        _write(draft, made, wanted)


def rewrite(files: Files, draft: Draft, made: Made) -> None:
    """Write the calendar that there is for another ``settle_after``; none stays none."""
    window = held(files, made)
    if window is not None:
        _write(draft, made, window)


def _grown(files: Files, made: Made, window: Window) -> Window | None:
    return grown(held(files, made), whole_months(window, made.zone))


def held(files: Files, made: Made) -> Window | None:
    """The whole local months that the calendar holds; None where there is none."""
    path = files.path(NAME)
    column = CALENDAR.column_names.index("timestamp")
    try:
        with reading(path), opened(path) as file:
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


def _write(draft: Draft, made: Made, window: Window) -> None:
    output = Regrouped(draft.create(NAME), schema(CALENDAR))
    for table in tables(made, window):
        output.write(table)
    output.close()
