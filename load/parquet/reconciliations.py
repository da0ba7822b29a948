"""``reconciliations``: reading the rows back."""

from collections.abc import Iterator

import pyarrow as pa

from livetraffic.reconciliation import Reconciliation
from livetraffic.table import RECONCILIATIONS
from load import records
from load.months import month_of
from load.parquet import months
from load.parquet.files import Files
from load.rows import MICRO


def read(files: Files, since: int | None = None) -> list[Reconciliation]:
    """Every row checked at or after ``since`` (seconds), month by month; all when None."""
    rows = (
        row
        for batch in _batches(files, since)
        for row in records.from_arrow(
            RECONCILIATIONS, pa.Table.from_batches([batch]), Reconciliation._make
        )
    )
    return [row for row in rows if since is None or row.checked_at >= since]


def _batches(files: Files, since: int | None) -> Iterator[pa.RecordBatch]:
    first = "" if since is None else month_of(since * MICRO)
    for month in files.months(RECONCILIATIONS.name, first):
        yield from months.read(files, RECONCILIATIONS, month)
