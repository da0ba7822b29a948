"""One inspection of a warehouse, whatever its store: structure, rows, ledger, calendar."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Protocol

import pyarrow as pa

from livetraffic.errors import SinkError
from livetraffic.ledger import Entry
from livetraffic.window import Window
from load.calendar import tables as calendar_tables
from load.inspection.agreement import Comparison
from load.inspection.finding import Agreement, Finding, Kind, Report
from load.inspection.rows import sifted
from load.months import bounds
from load.rows import MICRO, Rows
from load.warehouse_file import Made

_WORDS = {
    Kind.NEGATIVE: "{} rows with negative bytes",
    Kind.OFF_GRID: "{} rows off the grid of the step",
    Kind.MISPLACED: "{} rows of another month",
    Kind.DUPLICATE: "{} rows whose key stands more than once",
    Kind.DISORDER: "{} rows out of the order of their keys",
}


class Inspected(Protocol):
    """What an inspection asks of a store; nothing is written."""

    def structure(self) -> Iterable[Finding]:
        """What is wrong with files and tables themselves; asked for first."""

    def made(self) -> Made | None:
        """What the warehouse was made with; None where that cannot be known."""

    def entries(self) -> list[Entry]:
        """Every ledger entry that can be read."""

    def months(self) -> list[str]:
        """The months of ``traffic`` that can be read."""

    def traffic(self, month: str) -> pa.Table:
        """The rows of such a month."""

    def place(self, month: str) -> str:
        """How the month is called to people."""

    def calendar(self) -> "tuple[Window, pa.Table] | None":
        """The whole local months that the calendar claims, and its rows in order."""


def inspect(store: Inspected) -> Report:
    """Everything that is wrong."""
    findings = list(store.structure())
    made = store.made()
    if made is None:
        return Report(tuple(findings))
    try:
        return _compared(store, made, findings)
    except SinkError as error:  # pages of a database that only show when they are read
        broken = Finding(Kind.DAMAGED, "the database", error.message.rstrip("."))
        return Report((*findings, broken))


def _compared(store: Inspected, made: Made, findings: list[Finding]) -> Report:
    entries, months, rows = store.entries(), store.months(), 0
    comparison = Comparison(entries, made.step)
    for month in months:
        try:
            found = sifted(store.traffic(month), month, made.step)
        except KeyError as error:
            findings.append(Finding(Kind.DAMAGED, store.place(month), str(error.args[0])))
            continue
        rows += len(found.good)
        comparison.take(found.good)
        findings += [
            Finding(kind, store.place(month), _WORDS[kind].format(f"{count:,}"), count)
            for kind, count in found.wrong.items()
        ]
    agreement = comparison.agreement(partial(_stored, store, made.step))
    findings += _told(agreement, made.step)
    findings += _calendar(store, made)
    return Report(tuple(findings), agreement, rows, len(months), len(entries))


def _stored(store: Inspected, step: int, window: Window) -> Iterator[Rows]:
    for month in store.months():
        first, following = (instant // MICRO for instant in bounds(month))
        if window.start < following and first < window.end:
            try:
                yield sifted(store.traffic(month), month, step).good
            except KeyError:
                continue


def _told(agreement: Agreement, step: int) -> Iterator[Finding]:
    unrecorded = tuple(piece for found in agreement.unrecorded.values() for piece in found)
    for kind, pieces, words in (
        (Kind.MISSING, agreement.missing, "{} points that the ledger says were read are not there"),
        (Kind.DIFFERENT, agreement.different, "{} points whose sum is not the ledger's"),
        (Kind.UNRECORDED, unrecorded, "{} rows that no ledger entry speaks of"),
    ):
        for name in sorted({piece.domain for piece in pieces}):
            mine = tuple(piece for piece in pieces if piece.domain == name)
            points = sum(piece.window.points(step) for piece in mine)
            yield Finding(kind, name, words.format(f"{points:,}"), points, mine)


def _calendar(store: Inspected, made: Made) -> Iterator[Finding]:
    held = store.calendar()
    if held is None:
        return
    window, found = held
    wanted = pa.concat_tables(calendar_tables(made, window))
    if not found.cast(wanted.schema).equals(wanted):
        yield Finding(
            Kind.CALENDAR,
            "calendar",
            f"it is not that of a step of {made.step} s in {made.timezone} that settles after"
            f" {made.settle_after} s",
        )
