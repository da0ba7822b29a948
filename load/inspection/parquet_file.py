"""One Parquet file of a table, looked at as a whole: columns, checksums, statistics, months."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from livetraffic.errors import LiveTrafficError
from livetraffic.table import TRAFFIC, Table
from load.arrow import same_columns
from load.failure import damaged, reading
from load.months import STAMPS, bounds
from load.parquet.opening import opened
from load.rows import encoded, integers


def fault_of(path: Path, table: Table) -> str | None:
    """What is wrong with a file of the table; None where nothing is."""
    try:
        _check(path, table)
        _check_month(path, table)
    except LiveTrafficError as error:
        return reason_of(error)
    return None


def is_older(path: Path, table: Table) -> bool:
    """Whether a whole file lacks columns of today."""
    return len(pq.read_schema(path).names) < len(table.columns)


def whole(path: Path) -> pa.Table:
    """Its rows."""
    with pq.ParquetFile(path) as file:
        return file.read(use_threads=False)


def _check(path: Path, table: Table) -> None:
    """Read everything.

    Raises:
        SinkError: it is not whole, or not ours.
    """
    with reading(path), opened(path) as file:
        if not same_columns(file.schema_arrow, table):
            raise damaged(path, f"its columns are not those of {table.name}")
        for index in range(file.num_row_groups):
            group = file.read_row_group(index, use_threads=False)
            _check_group(path, file.metadata.row_group(index), group)
            _check_nulls(path, table, group)


def _check_nulls(path: Path, table: Table, group: pa.Table) -> None:
    for column in table.columns:
        there = column.name in group.column_names
        if there and not column.nullable and group.column(column.name).null_count:
            raise damaged(path, f"{column.name} holds null values")


def _check_group(path: Path, told: Any, group: pa.Table) -> None:
    """Hold a row group against what the end of the file says of it: merges rely on that."""
    if told.num_rows != group.num_rows:
        raise damaged(path, f"{group.num_rows} rows stand where its end says {told.num_rows}")
    for place, name in enumerate(group.column_names):
        statistics = told.column(place).statistics
        if statistics is None or not statistics.has_min_max:
            continue
        if _limits(group.column(name)) not in {None, _said(statistics, group.column(name))}:
            raise damaged(path, f"the statistics of {name} are not those of its values")


def _limits(column: Any) -> tuple[Any, Any] | None:
    """The smallest and largest value; None where there is none, or the type keeps no such thing."""
    if pa.types.is_string(column.type):
        words, codes = encoded(column.drop_null())
        used = [words[code] for code in set(codes.tolist())]
        return (min(used), max(used)) if used else None
    if column.type.bit_width != 64:
        return None
    numbers = integers(column.drop_null())
    return (int(numbers.min()), int(numbers.max())) if len(numbers) else None


def _said(statistics: Any, column: Any) -> tuple[Any, Any]:
    if pa.types.is_string(column.type):
        return statistics.min, statistics.max
    return statistics.min_raw, statistics.max_raw


def _check_month(path: Path, table: Table) -> None:
    """Rows of another month; those of ``traffic`` are judged one by one elsewhere."""
    if table is TRAFFIC or table not in STAMPS:
        return
    first, following = bounds(path.parent.name.removeprefix("month="))
    stamps = integers(whole(path).column(STAMPS[table]))
    if len(stamps) and (stamps.min() < first or stamps.max() >= following):
        raise damaged(path, "it holds rows of another month")


def reason_of(error: LiveTrafficError) -> str:
    """The sentence without the path, which the finding names."""
    _, mark, reason = error.message.partition("this warehouse: ")
    return (reason if mark else error.message).rstrip(".")
