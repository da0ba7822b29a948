"""One month's file of a table as record batches: totals, reading, and writing it anew."""

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from typing import IO, Any

import pyarrow as pa

from livetraffic.table import Kind, Table
from load.arrow import completed, same_columns, schema
from load.failure import damaged, reading
from load.month_rows import checked
from load.months import path_of
from load.parquet.append import Regrouped
from load.parquet.files import Files
from load.parquet.opening import opened
from load.rows import Integers, integers
from load.sink import MonthTotals

_HALF = 32
_LOW = (1 << _HALF) - 1


def totals(files: Files, table: Table) -> dict[str, MonthTotals]:
    """Every month with a row, in order."""
    found = {month: _totals(files, table, month) for month in files.months(table.name)}
    return {month: total for month, total in found.items() if total.rows}


def read(files: Files, table: Table, month: str) -> Generator[pa.RecordBatch, None, None]:
    """The month's rows, a row group at a time; nothing where there is no file.

    Raises:
        SinkError: the file is damaged or not ours.
    """
    layout = schema(table)
    for group in _groups(files, table, month, list(table.column_names)):
        yield from completed(group, table).cast(layout).to_batches()


def write(stream: IO[bytes], table: Table, month: str, batches: Iterable[pa.RecordBatch]) -> None:
    """Write a file of these rows, checked, in full row groups."""
    with closing(Regrouped(stream, schema(table), plain=("traffic_bytes",))) as output:
        for batch in checked(table, month, batches):
            output.write(pa.Table.from_batches([batch]))


def _totals(files: Files, table: Table, month: str) -> MonthTotals:
    numbers = [column.name for column in table.columns if column.kind is Kind.INTEGER]
    instants = [column.name for column in table.columns if column.kind is Kind.TIMESTAMP]
    rows, sums, newest = 0, [0] * len(numbers), [0] * len(instants)
    for group in _groups(files, table, month, [*numbers, *instants]):
        rows += group.num_rows
        for place, name in enumerate(numbers):
            sums[place] += total(_without_nulls(group.column(name)))
        for place, name in enumerate(instants):
            if name not in group.column_names:  # of an older format
                continue
            found = integers(_without_nulls(group.column(name)))
            newest[place] = max(newest[place], int(found.max(initial=newest[place])))
    return MonthTotals(rows, tuple(sums), tuple(newest))


def total(column: Any) -> int:
    """The exact sum of a column of 64-bit integers without nulls, however large it is."""
    values: Integers = integers(column)
    return (int((values >> _HALF).sum()) << _HALF) + int((values & _LOW).sum())


def _without_nulls(column: Any) -> Any:
    return column.drop_null() if column.null_count else column


def _groups(files: Files, table: Table, month: str, columns: list[str]) -> Iterator[pa.Table]:
    path = files.path(path_of(table.name, month))
    try:
        with reading(path), opened(path) as file:
            if not same_columns(file.schema_arrow, table):
                raise damaged(path, f"its columns are not those of {table.name}")
            for index in range(file.num_row_groups):
                yield file.read_row_group(index, columns=columns, use_threads=False)
    except FileNotFoundError:
        return
