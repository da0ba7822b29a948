"""``traffic_revisions``: the values that were published and that the source then changed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from livetraffic.table import TRAFFIC_REVISIONS
from load.arrow import schema
from load.failure import reading
from load.months import month_of, path_of
from load.parquet.append import append
from load.parquet.files import Draft, Files
from load.parquet.merge import Changes
from load.parquet.opening import opened
from load.rows import MICRO, Integers, Rows, encoded, instants, integers, key_of

_KEY = list(TRAFFIC_REVISIONS.key)


def record(
    files: Files, draft: Draft, changes: Sequence[Changes], *, revised_at: int, run_id: str
) -> None:
    """Append one row for every changed value.

    ``revised_at`` is in microseconds. A value that was already revised at that instant gets the
    microsecond after, so that the key stays a key and the order of its revisions is kept.
    """
    if not changes:
        return
    target = path_of(TRAFFIC_REVISIONS.name, month_of(revised_at))
    new = [
        _table(change, _free_instants(files.path(target), change.rows, revised_at), run_id)
        for change in changes
    ]
    append(files.path(target), TRAFFIC_REVISIONS, pa.concat_tables(new), draft.create(target))


def _free_instants(path: Path, rows: Rows, revised_at: int) -> Integers:
    latest = np.full(len(rows), revised_at - 1, np.int64)
    try:
        with reading(path), opened(path, ["domain"]) as file:
            for group in range(file.num_row_groups):
                if _reaches(file, group, revised_at):
                    stored = file.read_row_group(group, columns=_KEY, use_threads=False)
                    _raise_to_stored(latest, rows, stored)
    except FileNotFoundError:
        pass
    return latest + 1


def _raise_to_stored(latest: Integers, rows: Rows, stored: pa.Table) -> None:
    """Raise each row's instant to that of its newest stored revision."""
    names, codes = encoded(stored.column("domain"))
    place = {name: code for code, name in enumerate(rows.names)}
    same = np.fromiter((place.get(name, -1) for name in names), np.int64, len(names))[codes]
    keys = key_of(same, integers(stored.column("timestamp")) // MICRO)
    wanted = rows.keys
    places = np.minimum(np.searchsorted(wanted, keys), len(wanted) - 1)
    found = wanted[places] == keys
    np.maximum.at(latest, places[found], integers(stored.column("revised_at"))[found])


def _reaches(file: Any, group: int, revised_at: int) -> bool:
    column = TRAFFIC_REVISIONS.column_names.index("revised_at")
    statistics = file.metadata.row_group(group).column(column).statistics
    return statistics is None or not statistics.has_min_max or statistics.max_raw >= revised_at


def _table(change: Changes, revised_at: Integers, run_id: str) -> pa.Table:
    rows = change.rows
    names = pa.array(rows.names, pa.string())
    return pa.Table.from_arrays(
        [
            names.take(rows.codes),
            instants(rows.seconds * MICRO),
            instants(revised_at),
            pa.array(change.old_bytes),
            pa.array(rows.traffic_bytes),
            instants(change.old_loaded_at),
            pa.repeat(pa.scalar(run_id, pa.string()), len(rows)),
        ],
        schema=schema(TRAFFIC_REVISIONS),
    )
