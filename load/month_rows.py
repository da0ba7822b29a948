"""The rows of one month on their way into a store: checked batch by batch, never gathered."""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

from livetraffic.errors import SinkError
from livetraffic.table import TRAFFIC, Table
from load.arrow import schema
from load.months import STAMPS, bounds
from load.rows import Rows, from_arrow, integers

_REMEDY = "The month was left as it was; this is a fault in live-traffic, please report it."


def checked(
    table: Table, month: str, batches: Iterable[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """The batches that have rows, each once it was found to belong into the month.

    Raises:
        SinkError: a batch is of another shape, a row is of another month, or rows of ``traffic``
            are not in the strict order of their keys, or there is no row at all.
    """
    first, following = bounds(month)
    layout = schema(table)
    order, count = _Order(month), 0
    for batch in batches:
        if batch.schema != layout:
            raise _refused(f"a batch for {table.name} has other columns")
        if not batch.num_rows:
            continue
        _check_nulls(batch, table)
        stamps = integers(batch.column(STAMPS[table]))
        if stamps.min() < first or stamps.max() >= following:
            raise _refused(f"a row for {table.name} is not of {month}")
        if table is TRAFFIC:
            order.check(batch)
        count += batch.num_rows
        yield batch
    if not count:
        raise _refused(f"{table.name} of {month} would be left without a row")


class _Order:
    """Holds rows of ``traffic`` to the strict order of their keys, across batches too."""

    def __init__(self, month: str) -> None:
        self._month = month
        self._last: tuple[str, int] = ("", 0)

    def check(self, batch: pa.RecordBatch) -> None:
        try:
            rows = from_arrow(pa.Table.from_batches([batch]))
        except KeyError as error:
            raise _refused(f"in {self._month} {error.args[0]}") from error
        keys = rows.keys
        if np.any(keys[1:] <= keys[:-1]) or _key(rows, 0) <= self._last:
            raise _refused(f"the rows of {self._month} are not in order of their keys")
        self._last = _key(rows, -1)


def _key(rows: Rows, place: int) -> tuple[str, int]:
    return rows.names[rows.codes[place]], int(rows.seconds[place])


def _check_nulls(batch: pa.RecordBatch, table: Table) -> None:
    for column in table.columns:
        if not column.nullable and batch.column(column.name).null_count:
            raise _refused(f"{column.name} of {table.name} must not be null")


def _refused(what: str) -> SinkError:
    return SinkError(f"The month is refused: {what}.", _REMEDY)
