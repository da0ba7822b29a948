"""The Arrow schema of every table, from ``livetraffic.table``, and how it goes into Parquet."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from livetraffic.table import Kind, Table
from load.failure import writing

GROUP_ROWS = 131_072
"""Rows of a full row group: what a merge holds in memory beside the batch."""

MICROSECONDS = pa.timestamp("us", tz="UTC")

_TYPES: dict[Kind, pa.DataType] = {
    Kind.TEXT: pa.string(),
    Kind.INTEGER: pa.int64(),
    Kind.TIMESTAMP: MICROSECONDS,
    Kind.DATE: pa.date32(),
}


@cache
def schema(table: Table) -> pa.Schema:
    """The one declared schema of a table's files: plain strings, microseconds in UTC, 64 bits."""
    return pa.schema(
        [pa.field(column.name, _TYPES[column.kind], column.nullable) for column in table.columns]
    )


def same_columns(found: pa.Schema, table: Table) -> bool:
    """Whether a file's schema has the table's columns in order with their types.

    Those of any format version: what an older one lacks, ``completed`` adds. A column that was asked
    for as a dictionary counts as the type of its values; whether it may be null does not matter.
    """
    declared = schema(table)
    layouts = ([column.name for column in table.columns_of(v)] for v in _versions(table))
    return found.names in layouts and all(
        _plain(found.field(name).type) == declared.field(name).type for name in found.names
    )


def _versions(table: Table) -> list[int]:
    return sorted({column.since for column in table.columns}, reverse=True)


def completed(found: pa.Table, table: Table) -> pa.Table:
    """The table's columns in order; one that an older format did not have is null, or empty text."""
    declared = schema(table)
    if found.column_names == declared.names:
        return found
    arrays = [
        found.column(field.name) if field.name in found.column_names else _absent(field, len(found))
        for field in declared
    ]
    return pa.Table.from_arrays(arrays, names=declared.names)


def _absent(field: "pa.Field[Any]", rows: int) -> Any:
    return pa.array([None if field.nullable else ""] * rows, field.type)


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if isinstance(kind, pa.DictionaryType) else kind


def text_columns(table: Table) -> list[str]:
    """The names of the columns that hold text."""
    return [column.name for column in table.columns if column.kind is Kind.TEXT]


def encoded_schema(table: Table) -> pa.Schema:
    """The schema with text as dictionaries: for arrays in memory, never seen in a file."""
    encoded = pa.dictionary(pa.int32(), pa.string())
    return pa.schema(
        field.with_type(encoded) if field.type == pa.string() else field for field in schema(table)
    )


class ParquetOutput:
    """Row groups into an open file; columns in ``plain`` are not tried as dictionaries.

    The Arrow schema is not stored beside Parquet's own, so that text that was a dictionary in
    memory is a plain string for every reader. The stream stays open after ``close``.
    """

    def __init__(self, stream: IO[bytes], layout: pa.Schema, *, plain: Iterable[str] = ()) -> None:
        spared = set(plain)
        tried: Any = [name for name in layout.names if name not in spared]
        self._place = Path(stream.name).parent
        with writing(self._place):
            self._writer: Any = pq.ParquetWriter(
                stream,
                layout,
                compression="zstd",
                use_dictionary=tried,
                write_statistics=True,
                write_page_checksum=True,
                store_schema=False,
            )

    def write(self, table: pa.Table) -> None:
        """Add one row group.

        Raises:
            SinkError: it could not be written.
        """
        with writing(self._place):
            self._writer.write_table(table, row_group_size=GROUP_ROWS)

    def close(self) -> None:
        """Write the end of the file.

        Raises:
            SinkError: it could not be written.
        """
        with writing(self._place):
            self._writer.close()
