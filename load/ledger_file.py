"""The ledger's files: reading entries back, and asking which reads came later."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
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
    first = "" if since is None else month_of(since)
    found: list[Entry] = []
    for _, table in _tables(root, first):
        kept = table if since is None else table.filter(_at_or_after(table, since))
        found += records.from_arrow(LOAD_LEDGER, kept, Entry._make, MICROS)
    return found


def reads_after(root: Path, instant: int, domains: Iterable[str]) -> list[Entry]:
    """The ``read`` entries of these domains that were sent after ``instant`` (microseconds)."""
    wanted = pa.array(sorted(domains), pa.string())
    found: list[Entry] = []
    for path, table in _tables(root, month_of(instant), newer_than=instant):
        with reading(path):
            late = pc.and_(
                pc.equal(table.column("state"), State.READ.value),
                _at_or_after(table, instant + 1),
            )
            kept = table.filter(pc.and_(late, pc.is_in(table.column("domain"), wanted)))
        found += records.from_arrow(LOAD_LEDGER, kept, Entry._make, MICROS)
    return found


def _tables(
    root: Path, first: str, newer_than: int | None = None
) -> Iterator[tuple[Path, pa.Table]]:
    for month in stored_months(root, LOAD_LEDGER.name, first):
        path = root / path_of(LOAD_LEDGER.name, month)
        try:
            with reading(path), pq.ParquetFile(path) as file:
                if not same_columns(file.schema_arrow, LOAD_LEDGER):
                    raise damaged(path, "its columns are not those of load_ledger")
                groups = [i for i in range(file.num_row_groups) if _may_hold(file, i, newer_than)]
                table = file.read_row_groups(groups, use_threads=False)
        except FileNotFoundError:
            continue
        yield path, table


def _may_hold(file: Any, group: int, newer_than: int | None) -> bool:
    if newer_than is None:
        return True
    column = LOAD_LEDGER.column_names.index("fetched_at")
    statistics = file.metadata.row_group(group).column(column).statistics
    return statistics is None or not statistics.has_min_max or statistics.max_raw > newer_than


def _at_or_after(table: pa.Table, instant: int) -> Any:
    return pc.greater_equal(table.column("fetched_at").cast(pa.int64()), instant)
