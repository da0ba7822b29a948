"""The ledger's files: reading entries back, and asking which reads came later."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from livetraffic.errors import SinkError
from livetraffic.ledger import Entry, State
from livetraffic.table import LOAD_LEDGER
from load import records
from load.arrow import same_columns
from load.failure import damaged, reading
from load.months import month_of, path_of, stored_months

MICROS = frozenset({"fetched_at"})


def entries_by_month(entries: Iterable[Entry]) -> dict[str, pa.Table]:
    """The entries as Arrow tables by the UTC month in which their requests were sent.

    Raises:
        SinkError: a value does not fit its column.
    """
    by_month: dict[str, list[Entry]] = {}
    try:
        for entry in entries:
            by_month.setdefault(month_of(entry.fetched_at), []).append(entry)
        return {
            month: records.to_arrow(LOAD_LEDGER, of_month, MICROS)
            for month, of_month in sorted(by_month.items())
        }
    except (pa.ArrowException, OverflowError, TypeError, ValueError) as error:
        raise SinkError(
            f"The batch is refused: a ledger entry has a value that cannot be stored ({error}).",
            "Nothing was written; this is a fault in live-traffic, please report it.",
        ) from error


def read_entries(root: Path, since: int | None = None) -> list[Entry]:
    """Every entry sent at or after ``since`` (microseconds), month by month; all when None."""
    if since is None:
        return list(_entries(root, None))
    return [entry for entry in _entries(root, since) if entry.fetched_at >= since]


def reads_after(root: Path, instant: int, domains: Iterable[str]) -> list[Entry]:
    """The ``read`` entries of these domains that were sent after ``instant`` (microseconds)."""
    wanted = frozenset(domains)
    return [
        entry
        for entry in _entries(root, instant + 1)
        if entry.fetched_at > instant and entry.state == State.READ and entry.domain in wanted
    ]


def _entries(root: Path, since: int | None) -> Iterator[Entry]:
    """The entries of the row groups that may hold one sent at or after ``since``."""
    first = "" if since is None else month_of(since)
    for month in stored_months(root, LOAD_LEDGER.name, first):
        path = root / path_of(LOAD_LEDGER.name, month)
        try:
            with reading(path), pq.ParquetFile(path) as file:
                if not same_columns(file.schema_arrow, LOAD_LEDGER):
                    raise damaged(path, "its columns are not those of load_ledger")
                groups = [i for i in range(file.num_row_groups) if _may_hold(file, i, since)]
                table = file.read_row_groups(groups, use_threads=False)
        except FileNotFoundError:
            continue
        yield from records.from_arrow(LOAD_LEDGER, table, Entry._make, MICROS)


def _may_hold(file: Any, group: int, since: int | None) -> bool:
    if since is None:
        return True
    column = LOAD_LEDGER.column_names.index("fetched_at")
    statistics = file.metadata.row_group(group).column(column).statistics
    return statistics is None or not statistics.has_min_max or statistics.max_raw >= since
