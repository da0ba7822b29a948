"""Which file is to blame when DuckDB cannot read a warehouse: its own words may not name it."""

from collections.abc import Iterable
from pathlib import Path

import duckdb

from livetraffic.errors import LiveTrafficError
from load.failure import reading
from load.parquet.opening import opened

_OF_THE_STATEMENT = (
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ConversionException,
    duckdb.OutOfMemoryException,
    duckdb.OutOfRangeException,
    duckdb.ParserException,
    duckdb.PermissionException,
    duckdb.SyntaxException,
)


def damage_behind(error: duckdb.Error, paths: Iterable[Path]) -> LiveTrafficError | None:
    """What is wrong with the first damaged file; None where the statement is wrong, or no file is."""
    if isinstance(error, _OF_THE_STATEMENT):
        return None
    for path in paths:
        try:
            _read(path)
        except FileNotFoundError:
            continue  # replaced meanwhile
        except LiveTrafficError as found:
            return found
    return None


def _read(path: Path) -> None:
    """Everything in it, a row group at a time.

    Raises:
        SinkError: it cannot be.
    """
    with reading(path), opened(path) as file:
        for index in range(file.num_row_groups):
            file.read_row_group(index, use_threads=False)
