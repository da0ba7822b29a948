"""The ledger's files: reading entries back, and asking which reads came later."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from livetraffic.ledger import Entry, State
from livetraffic.table import LOAD_LEDGER
from load import records
from load.arrow import same_columns, text_columns
from load.failure import damaged, reading
from load.months import month_of, path_of
from load.parquet.files import Files
from load.parquet.opening import opened


def read_entries(files: Files, since: int | None = None) -> list[Entry]:
    """Every entry sent at or after ``since`` (microseconds), month by month; all when None."""
    if since is None:
        return list(_entries(files, None))
    return [entry for entry in _entries(files, since) if entry.fetched_at >= since]


def reads_after(files: Files, instant: int, domains: Iterable[str]) -> list[Entry]:
    """The ``read`` entries of these domains that were sent after ``instant`` (microseconds)."""
    wanted = frozenset(domains)
    return [
        entry
        for entry in _entries(files, instant + 1)
        if entry.fetched_at > instant and entry.state == State.READ and entry.domain in wanted
    ]


def _entries(files: Files, since: int | None) -> Iterator[Entry]:
    """The entries of the row groups that may hold one sent at or after ``since``."""
    first = "" if since is None else month_of(since)
    for month in files.months(LOAD_LEDGER.name, first):
        path = files.path(path_of(LOAD_LEDGER.name, month))
        try:
            with reading(path), _opened(path) as file:
                if not same_columns(file.schema_arrow, LOAD_LEDGER):
                    raise damaged(path, "its columns are not those of load_ledger")
                groups = [i for i in range(file.num_row_groups) if _may_hold(file, i, since)]
                table = file.read_row_groups(groups, use_threads=False)
        except FileNotFoundError:
            continue
        yield from records.from_arrow(LOAD_LEDGER, table, Entry._make, records.MICROS)


def _opened(path: Path) -> Any:
    # Text as dictionaries: a night's entries share all of it but the domain.
    return opened(path, text_columns(LOAD_LEDGER))


def _may_hold(file: Any, group: int, since: int | None) -> bool:
    if since is None:
        return True
    column = LOAD_LEDGER.column_names.index("fetched_at")
    statistics = file.metadata.row_group(group).column(column).statistics
    return statistics is None or not statistics.has_min_max or statistics.max_raw >= since
