"""Moving a warehouse from one sink into another, whatever the two are.

Values come first and the ledger last, so that a copy that was killed never claims what it does not
hold. Each month of each table is one commit; a month that is already there is not copied again. The
source is only read; both run locks are the caller's business.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Protocol

import pyarrow as pa

from livetraffic.errors import ConfigError, WarehouseMismatch
from livetraffic.table import CALENDAR, DOMAINS, WAREHOUSE, Table
from livetraffic.window import Window
from load.months import STAMPS
from load.sink import MonthTotals, Sink
from load.warehouse_file import Made

Months = dict[str, MonthTotals]


@dataclass(frozen=True, slots=True)
class Place:
    """A warehouse and how it is called to people; the name holds no password."""

    sink: Sink
    name: str


class Watcher(Protocol):
    """Whoever looks on; what it raises ends the copy, and the month under way is not kept."""

    def planned(self, table: str, months: int, missing: int) -> None:
        """So many months has the source, so many of them the target lacks."""

    def rows(self, count: int) -> None:
        """Some rows are on their way."""

    def month_done(self, table: str, month: str, rows: int) -> None:
        """A month was committed."""


@dataclass(frozen=True, slots=True)
class Moved:
    """What became of one table."""

    rows: int
    months: int | None = None
    """None for a table that is not kept by month."""
    copied_months: int | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """Where source and target do not agree after all; ``month`` is empty for a whole table."""

    table: str
    month: str
    source: MonthTotals | None = None
    target: MonthTotals | None = None


@dataclass(frozen=True, slots=True)
class Transfer:
    """What the target holds now, table by table, and where that is not what the source holds."""

    tables: dict[str, Moved] = field(default_factory=dict)
    differences: tuple[Difference, ...] = ()


def transfer(source: Place, target: Place, watcher: Watcher) -> Transfer:
    """Make the target hold what the source holds; the run locks of both are held.

    Raises:
        ConfigError: there is no warehouse at the source, or the target holds something else than a
            part of this copy. The target is unchanged.
        SinkError: a store failed. Months that were committed stay; the next copy does the rest.
    """
    made = existing(source)
    held = {table: source.sink.months(table) for table in STAMPS}
    _check_made(source, target, made)
    present = {table: target.sink.months(table) for table in STAMPS}
    for table, months in held.items():
        _check_part(target, table, months, present[table])
    _check_domains(source, target)
    target.sink.prepare(step=made.step, timezone=made.timezone, settle_after=made.settle_after)
    copied = {
        table: _copy_table(source, target, table, (months, present[table]), watcher)
        for table, months in held.items()
    }
    target.sink.put_domains(source.sink.domains())
    window = source.sink.calendar()
    if window is not None:
        target.sink.extend_calendar(window.start, window.end)
    return _compared(source, target, held, copied)


def existing(source: Place) -> Made:
    """What the source was made with.

    Raises:
        ConfigError: there is no warehouse.
    """
    made = source.sink.made()
    if made is None:
        raise ConfigError(
            f"There is no warehouse in {source.name}.", "Name the warehouse that is to be copied."
        )
    return made


# ----------------------------------------------------------------------- what the target may hold


def _check_made(source: Place, target: Place, made: Made) -> None:
    other = target.sink.made()
    if other is not None and (other.step, other.timezone) != (made.step, made.timezone):
        raise WarehouseMismatch(
            f"{target.name} holds a step of {other.step} s in {other.timezone}, {source.name} one of"
            f" {made.step} s in {made.timezone}.",
            _REMEDY,
        )


def _check_part(target: Place, table: Table, held: Months, present: Months) -> None:
    for month, totals in present.items():
        if held.get(month) != totals:
            what = (
                "which the source does not have" if month not in held else "other than the source"
            )
            raise ConfigError(
                f"{target.name} holds {totals.rows:,} rows of {table.name} for {month}, {what}.",
                _REMEDY,
            )


def _check_domains(source: Place, target: Place) -> None:
    known = {domain.domain for domain in source.sink.domains()}
    for domain in target.sink.domains():
        if domain.domain not in known:
            raise ConfigError(
                f"{target.name} holds the domain {domain.domain}, which the source does not have.",
                _REMEDY,
            )


_REMEDY = "Name a target that is empty or holds a part of this copy; a copy replaces nothing."


# -------------------------------------------------------------------------------------- the copy


def _copy_table(
    source: Place, target: Place, table: Table, months: tuple[Months, Months], watcher: Watcher
) -> int:
    held, present = months
    missing = [month for month in held if month not in present]
    watcher.planned(table.name, len(held), len(missing))
    for month in missing:
        with closing(source.sink.read_month(table, month)) as batches:
            target.sink.replace_month(table, month, _watched(batches, watcher))
        watcher.month_done(table.name, month, held[month].rows)
    return len(missing)


def _watched(batches: Iterator[pa.RecordBatch], watcher: Watcher) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        watcher.rows(batch.num_rows)
        yield batch


# ------------------------------------------------------------------------------ what came of it


def _compared(
    source: Place, target: Place, held: dict[Table, Months], copied: dict[Table, int]
) -> Transfer:
    """Hold the target, as it says itself now, against the source."""
    tables: dict[str, Moved] = {}
    differences: list[Difference] = []
    for table, wanted in held.items():
        found = target.sink.months(table)
        rows = sum(totals.rows for totals in found.values())
        tables[table.name] = Moved(rows, len(found), copied[table])
        differences += [
            Difference(table.name, month, wanted.get(month), found.get(month))
            for month in sorted({*wanted, *found})
            if wanted.get(month) != found.get(month)
        ]
    domains, calendar = target.sink.domains(), target.sink.calendar()
    made = existing(target)
    tables[DOMAINS.name] = Moved(len(domains))
    tables[CALENDAR.name] = Moved(0 if calendar is None else calendar.points(made.step))
    if domains != source.sink.domains():
        differences.append(Difference(DOMAINS.name, ""))
    if made != replace(existing(source), version=made.version):
        differences.append(Difference(WAREHOUSE.name, ""))
    if not _covers(calendar, source.sink.calendar()):
        differences.append(Difference(CALENDAR.name, ""))
    return Transfer(tables, tuple(differences))


def _covers(held: Window | None, wanted: Window | None) -> bool:
    if wanted is None:
        return True
    return held is not None and held.start <= wanted.start and held.end >= wanted.end
