"""The answer of ``sql``: a table for people, CSV, JSON rows or a Parquet file."""

import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from livetraffic.errors import ConfigError

SHOWN = 200


def rows(table: pa.Table) -> list[dict[str, Any]]:
    """The rows as JSON objects; instants end in Z, decimals are numbers."""
    return [{name: _plain(value) for name, value in row.items()} for row in table.to_pylist()]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, date):
        return _moment(value)
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return str(value)
    return value.hex() if isinstance(value, bytes) else value


def _moment(value: date) -> str:
    """An instant ends in Z; a date, or a time without zone, is as it is."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value.isoformat()


def write_csv(table: pa.Table) -> None:
    """CSV with a header on standard output; instants end in Z."""
    import csv

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(table.column_names)
    for batch in table.to_batches(max_chunksize=10_000):
        for row in batch.to_pylist():
            writer.writerow(["" if v is None else _plain(v) for v in row.values()])


def write_parquet(table: pa.Table, path: Path) -> None:
    """A Parquet file, whole or not at all.

    Raises:
        ConfigError: the path cannot be written.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        pq.write_table(table, temporary, compression="zstd")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise ConfigError(
            f"--parquet {path} cannot be written: {error.strerror or error}.",
            "Give a file in a directory that exists and is writable.",
        ) from error


def show(table: pa.Table) -> None:
    """A table for people, numbers to the right; at most 200 rows."""
    console = Console(file=sys.stdout, highlight=False, width=None if sys.stdout.isatty() else 160)
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for field in table.schema:
        right = pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
        right = right or pa.types.is_decimal(field.type)
        shown.add_column(field.name, justify="right" if right else "left", overflow="fold")
    for row in table.slice(0, SHOWN).to_pylist():
        shown.add_row(*(_cell(value) for value in row.values()))
    console.print(shown)
    if table.num_rows > SHOWN:
        console.print(f"… {table.num_rows - SHOWN:,} more rows; --csv or --parquet gives all.")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(_plain(value))
