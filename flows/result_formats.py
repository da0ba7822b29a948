"""The answer of ``sql``: a table for people, CSV, JSON rows or a Parquet file."""

import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from livetraffic.errors import ConfigError

SHOWN = 200
PIPED_WIDTH = 160


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
    """A table for people, numbers to the right; at most 200 rows.

    Where a terminal is too narrow for the columns each row is shown as lines of name and value.
    """
    piped = not sys.stdout.isatty()
    console = Console(file=sys.stdout, highlight=False, width=PIPED_WIDTH if piped else None)
    names = table.column_names
    lines = [[_cell(v) for v in row.values()] for row in table.slice(0, SHOWN).to_pylist()]
    widths = [max(map(cell_len, column)) for column in zip(names, *lines, strict=True)]
    gap = 2 if sum(widths) + 2 * len(widths) - 2 <= console.width else 1
    if piped or sum(widths) + gap * (len(widths) - 1) <= console.width:
        console.print(_side_by_side(table.schema, lines, gap))
    else:
        _one_below_the_other(console, names, lines)
    if table.num_rows > SHOWN:
        console.print(f"… {table.num_rows - SHOWN:,} more rows; --csv or --parquet gives all.")


def _side_by_side(schema: pa.Schema, lines: list[list[str]], gap: int) -> Table:
    shown = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="bold")
    for field in schema:
        right = pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
        right = right or pa.types.is_decimal(field.type)
        shown.add_column(Text(field.name), justify="right" if right else "left", overflow="fold")
    for line in lines:
        shown.add_row(*map(Text, line))
    return shown


def _one_below_the_other(console: Console, names: list[str], lines: list[list[str]]) -> None:
    for number, line in enumerate(lines, 1):
        shown = Table.grid(padding=(0, 2, 0, 0))
        shown.add_column(no_wrap=True, style="bold")
        shown.add_column(overflow="fold")
        for name, value in zip(names, line, strict=True):
            shown.add_row(Text(name), Text(value))
        console.print(Text(f"row {number:,}", style="dim"))
        console.print(shown)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(_plain(value))
