"""Opening a Parquet file of the warehouse so that what is damaged is not taken for less."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from load.failure import damaged


def opened(path: Path, words: Iterable[str] = ()) -> Any:
    """The file, as a ``pyarrow.parquet.ParquetFile``; checksums are verified as pages are read.

    No checksum covers a file's end. A bit that is flipped there can make it tell of fewer row groups,
    which readers take for fewer rows: so the groups are held against the number of all rows.

    Args:
        path: of the file.
        words: columns of text that are to be read as dictionaries.

    Raises:
        SinkError: its end contradicts itself.
    """
    file = pq.ParquetFile(
        path, read_dictionary=list(words) or None, page_checksum_verification=True
    )
    end = file.metadata
    rows = sum(end.row_group(index).num_rows for index in range(end.num_row_groups))
    if rows != end.num_rows:
        file.close()
        raise damaged(path, f"its end tells of {end.num_rows} rows, and of parts with {rows}")
    return file
