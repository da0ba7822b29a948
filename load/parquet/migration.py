"""Moving the files of an older format forward: the next run's ``prepare`` does it, in one commit.

Every file that lacks a column of today is written anew, so that whoever reads a folder without this
program finds one schema in it. ``traffic`` and ``load_ledger``, the large ones, are as version 1 made
them and stay untouched.
"""

from pathlib import Path

import pyarrow.parquet as pq

from livetraffic.table import DOMAINS, TABLES, Table
from load.arrow import schema
from load.failure import reading
from load.months import STAMPS, path_of
from load.parquet.append import append
from load.parquet.files import Draft, Files


def move_forward(files: Files, draft: Draft) -> None:
    """Give every file the columns of today; files that have them stay as they are.

    Raises:
        SinkError: a file is damaged or not ours.
    """
    for table in TABLES:
        if any(column.since > 1 for column in table.columns):
            for target in _targets(files, table):
                if _is_older(files.path(target), table):
                    append(
                        files.path(target),
                        table,
                        schema(table).empty_table(),
                        draft.create(target),
                    )


def _targets(files: Files, table: Table) -> list[str]:
    if table in STAMPS:
        return [path_of(table.name, month) for month in files.months(table.name)]
    return [f"{DOMAINS.name}.parquet"] if table is DOMAINS else []


def _is_older(path: Path, table: Table) -> bool:
    try:
        with reading(path):
            return len(pq.read_schema(path).names) < len(table.columns)
    except FileNotFoundError:
        return False
