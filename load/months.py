"""The UTC months by which rows are kept, and their files: ``<table>/month=YYYY-MM/data.parquet``."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from livetraffic.errors import ConfigError
from livetraffic.table import LOAD_LEDGER, RECONCILIATIONS, TRAFFIC, TRAFFIC_REVISIONS
from livetraffic.window import from_seconds
from load.failure import reading
from load.rows import MICRO

STAMPS = {
    TRAFFIC: "timestamp",
    TRAFFIC_REVISIONS: "revised_at",
    RECONCILIATIONS: "checked_at",
    LOAD_LEDGER: "fetched_at",
}
"""The tables that are kept by month, and the column whose month it is; the ledger is the last that a
copy claims."""

_DIRECTORY = re.compile(r"month=(\d{4}-\d{2})")


def month_of(microseconds: int) -> str:
    """The UTC month of an instant, ``2026-01``."""
    return from_seconds(microseconds // MICRO).strftime("%Y-%m")


def month_text(months: int) -> str:
    """A month counted from 1970-01, as ``2026-01``."""
    return f"{1970 + months // 12:04d}-{months % 12 + 1:02d}"


def bounds(month: str) -> tuple[int, int]:
    """The first instant of the month and of the next one, in microseconds.

    Raises:
        ConfigError: it is no month.
    """
    try:
        first = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
    except ValueError as error:
        raise ConfigError(f"{month!r} is not a month.", "Write it as 2026-01.") from error
    following = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
    return int(first.timestamp()) * MICRO, int(following.timestamp()) * MICRO


def path_of(table: str, month: str) -> str:
    """The file of the month, relative to the warehouse."""
    return f"{table}/month={month}/data.parquet"


def stored_months(root: Path, table: str, since: str = "") -> list[str]:
    """The months of which there may be a file, at or after ``since``, in order."""
    directory = root / table
    try:
        with reading(directory):
            names = [path.name for path in directory.iterdir()]
    except FileNotFoundError:
        return []
    return _months(names, since)


def months_among(files: Iterable[str], table: str, since: str = "") -> list[str]:
    """The months of which there is one of these files, at or after ``since``, in order."""
    parts = (file.split("/") for file in files)
    return _months((part[1] for part in parts if len(part) > 1 and part[0] == table), since)


def _months(names: Iterable[str], since: str) -> list[str]:
    found = (match[1] for match in map(_DIRECTORY.fullmatch, names) if match is not None)
    return sorted(month for month in found if month >= since)
