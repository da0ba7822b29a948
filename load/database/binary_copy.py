"""Rows in PostgreSQL's binary COPY format, made without touching each of them.

Rows that follow each other with the same texts have the same length, so a whole run of them is one
numpy array of records. Rows of a batch come by domain: a run is a domain's.
Format: https://www.postgresql.org/docs/current/sql-copy.html (binary format).
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from load.rows import Integers, encoded, integers

_SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END = b"\xff\xff"
_EPOCH = 946_684_800_000_000
"""PostgreSQL's 2000-01-01 in microseconds since 1970."""
_RUN = 100_000
"""Rows of a run that are laid out at once."""


def suits(table: pa.Table) -> bool:
    """Whether every column is an instant, a 64-bit integer or dictionary-encoded text, without nulls."""
    return all(
        not column.null_count
        and (
            pa.types.is_dictionary(column.type)
            or pa.types.is_timestamp(column.type)
            or column.type == pa.int64()
        )
        for column in table.columns
    )


def copied(table: pa.Table) -> Iterator[bytes]:
    """The table that ``suits`` as the stream of a COPY, piece by piece."""
    texts: dict[int, tuple[list[bytes], Integers]] = {}
    numbers: dict[int, Integers] = {}
    for place, column in enumerate(table.columns):
        if pa.types.is_dictionary(column.type):
            words, codes = encoded(column)
            texts[place] = [word.encode() for word in words], codes
        else:
            since = _EPOCH if pa.types.is_timestamp(column.type) else 0
            numbers[place] = integers(column) - since
    yield _SIGNATURE
    for start, end in _runs(table.num_rows, [codes for _, codes in texts.values()]):
        layout = [
            texts[place][0][texts[place][1][start]] if place in texts else None
            for place in range(table.num_columns)
        ]
        records = _template(layout, end - start)
        for place, values in numbers.items():
            records[f"v{place}"] = values[start:end]
        yield records.tobytes()
    yield _END


def _runs(count: int, codes: Sequence[Integers]) -> Iterator[tuple[int, int]]:
    """Where rows with the same texts begin and end."""
    changes = np.zeros(max(count - 1, 0), np.bool_)
    for column in codes:
        changes |= column[1:] != column[:-1]
    edges = [0, *(np.flatnonzero(changes) + 1).tolist(), count]
    for first, last in pairwise(edges):
        for start in range(first, last, _RUN):
            yield start, min(start + _RUN, last)


def _template(layout: Sequence[bytes | None], count: int) -> Any:
    """Records of these texts, each field after its length; ``v0``, ``v1`` … are for the numbers."""
    fields: list[tuple[str, str]] = [("fields", ">i2")]
    for place, text in enumerate(layout):
        kind = ">i8" if text is None else f"V{len(text)}"
        fields += [(f"n{place}", ">i4"), (f"v{place}", kind)]
    record = np.zeros(1, np.dtype(fields))
    record["fields"] = len(layout)
    for place, text in enumerate(layout):
        record[f"n{place}"] = 8 if text is None else len(text)
        if text:
            record[f"v{place}"] = np.frombuffer(text, f"V{len(text)}")
    return np.repeat(record, count)
