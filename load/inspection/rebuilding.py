"""Small files of a Parquet warehouse made anew from what the others say."""

from collections import defaultdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from livetraffic.domain import Domain
from livetraffic.errors import LiveTrafficError
from livetraffic.ledger import Entry
from load import calendar
from load.months import bounds, stored_months
from load.parquet import calendar as calendar_file
from load.parquet import domains as domains_file
from load.parquet.files import Directory
from load.parquet.sink import ParquetSink
from load.rows import MICRO
from load.warehouse_file import Made


def replace(sink: ParquetSink, place: str) -> None:
    """Make the file at ``place``, which was set aside, anew if others can tell what it held."""
    if place == calendar_file.NAME:
        _calendar(sink)
    elif place == domains_file.NAME:
        sink.put_domains(_domains(sink.ledger()))


def proved(root: Path, settings: Made) -> bool:
    """Whether the calendar is the one that a warehouse of these settings has."""
    try:
        window = calendar_file.held(Directory(root), settings)
        if window is None:
            return False
        with pq.ParquetFile(root / calendar_file.NAME) as file:
            found = file.read(use_threads=False)
    except (LiveTrafficError, OSError, pa.ArrowException):
        return False
    wanted = pa.concat_tables(calendar.tables(settings, window))
    return bool(found.equals(wanted))


def _calendar(sink: ParquetSink) -> None:
    """Over the months that have rows or entries; the next run extends it to what it wants."""
    months = [bounds(month) for month in stored_months(sink.root, "traffic")]
    if months:
        sink.extend_calendar(months[0][0] // MICRO, months[-1][1] // MICRO)


def _domains(entries: list[Entry]) -> list[Domain]:
    """What the ledger knows of the domains; the next domain list says the rest."""
    by_domain: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_domain[entry.domain].append(entry)
    return [_domain(name, found) for name, found in sorted(by_domain.items())]


def _domain(name: str, entries: list[Entry]) -> Domain:
    newest = max(entries, key=lambda entry: entry.fetched_at)
    first = min(entry.fetched_at for entry in entries) // MICRO
    return Domain(
        name, "", "", "", "", None, newest.account, newest.project_id, "",
        first, newest.fetched_at // MICRO,
    )  # fmt: skip
