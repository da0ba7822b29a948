"""Appending to a month's file of an append-only table, row group by row group."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import IO

import pyarrow as pa

from livetraffic.table import Table
from load.arrow import GROUP_ROWS, ParquetOutput, completed, same_columns, schema
from load.failure import damaged, reading
from load.parquet.opening import opened


def append(source: Path, table: Table, new: pa.Table, stream: IO[bytes]) -> None:
    """Write the rows of ``source`` (which need not exist) and then the new ones into ``stream``.

    A file of an older format gets today's columns.

    Raises:
        SinkError: the file at ``source`` is damaged or not ours.
    """
    with closing(Regrouped(stream, schema(table))) as output:
        for group in _stored(source, table):
            output.write(group)
        output.write(new)


def _stored(source: Path, table: Table) -> Iterator[pa.Table]:
    try:
        with reading(source), opened(source) as file:
            if not same_columns(file.schema_arrow, table):
                raise damaged(source, f"its columns are not those of {table.name}")
            for index in range(file.num_row_groups):
                yield completed(file.read_row_group(index, use_threads=False), table)
    except FileNotFoundError:
        return


class Regrouped:
    """A writer that gathers small tables into full row groups; ``plain`` as ``ParquetOutput``."""

    def __init__(self, stream: IO[bytes], layout: pa.Schema, *, plain: Iterable[str] = ()) -> None:
        self._layout = layout
        self._writer = ParquetOutput(stream, layout, plain=plain)
        self._carried: list[pa.Table] = []
        self._count = 0

    def write(self, table: pa.Table) -> None:
        """Add rows; full groups are written at once."""
        self._carried.append(table.cast(self._layout))
        self._count += table.num_rows
        while self._count >= GROUP_ROWS:
            rows = pa.concat_tables(self._carried)
            self._writer.write(rows.slice(0, GROUP_ROWS))
            self._carried = [rows.slice(GROUP_ROWS)]
            self._count -= GROUP_ROWS

    def close(self) -> None:
        """Write the rest and the file's end; the stream stays open."""
        if self._count:
            rows = pa.concat_tables(self._carried)
            self._writer.write(rows)
        self._writer.close()
