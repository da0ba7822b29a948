"""``traffic_revisions``: the values that were published and that the source then changed."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from livetraffic.table import TRAFFIC_REVISIONS
from load.append import append
from load.arrow import schema
from load.journal import Commit
from load.merge import Changes
from load.months import month_of, path_of
from load.rows import MICRO, instants


def record(
    root: Path, commit: Commit, changes: Sequence[Changes], *, revised_at: int, run_id: str
) -> None:
    """Append one row for every changed value; ``revised_at`` in microseconds."""
    if not changes:
        return
    new = pa.concat_tables([_table(change, revised_at, run_id) for change in changes])
    target = path_of(TRAFFIC_REVISIONS.name, month_of(revised_at))
    append(root / target, TRAFFIC_REVISIONS, new, commit.create(target))


def _table(change: Changes, revised_at: int, run_id: str) -> pa.Table:
    rows = change.rows
    count = len(rows)
    names = pa.array(rows.names, pa.string())
    return pa.Table.from_arrays(
        [
            names.take(rows.codes),
            instants(rows.seconds * MICRO),
            instants(np.full(count, revised_at, np.int64)),
            pa.array(change.old_bytes),
            pa.array(rows.traffic_bytes),
            pa.repeat(pa.scalar(run_id, pa.string()), count),
        ],
        schema=schema(TRAFFIC_REVISIONS),
    )
