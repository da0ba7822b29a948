"""``live-traffic copy``: two warehouses, their locks, what is said on the way and at the end."""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from flows.bootstrap import holder
from flows.holding import run_lock
from flows.warehouse import shown, sink_at
from livetraffic.errors import ConfigError, Stopped
from livetraffic.instants import parse_duration
from livetraffic.window import from_seconds
from load.sink import MonthTotals
from load.transfer import Difference, Place, Transfer, Watcher, existing, transfer

_MANY = 1_000_000
"""Rows of one month after which it is said that it goes on."""


@dataclass(frozen=True, slots=True)
class Copied:
    """One finished copy; the names hold no password."""

    source: str
    target: str
    transfer: Transfer

    @property
    def verified(self) -> bool:
        """Whether the target holds what the source holds."""
        return not self.transfer.differences

    def document(self) -> dict[str, Any]:
        """The JSON document."""
        return {
            "source": self.source,
            "target": self.target,
            "tables": {name: asdict(moved) for name, moved in self.transfer.tables.items()},
            "verified": self.verified,
            "differences": [_difference(item) for item in self.transfer.differences],
        }


class Lines:
    """A line for each month; raises ``Stopped`` once it was asked for."""

    def __init__(self, say: Callable[[str], None], stop: threading.Event) -> None:
        self._say = say
        self._stop = stop
        self._done = self._missing = self._rows = 0

    def planned(self, table: str, months: int, missing: int) -> None:
        """As ``Watcher.planned``."""
        self._done, self._missing = 0, missing
        if months:
            self._say(f"{table}: {months} months, {missing} to copy.")

    def rows(self, count: int) -> None:
        """As ``Watcher.rows``."""
        if self._stop.is_set():
            raise Stopped("Stopped on request; the months that were copied are kept.")
        before, self._rows = self._rows, self._rows + count
        if self._rows // _MANY > before // _MANY:
            self._say(f"  {self._rows:,} rows of the month so far")

    def month_done(self, table: str, month: str, rows: int) -> None:
        """As ``Watcher.month_done``."""
        self._done, self._rows = self._done + 1, 0
        self._say(f"{table} {self._done}/{self._missing}  {month}  {rows:,} rows")


def copied(
    source: str, target: str, lock_wait: str, watcher: Watcher, stop: threading.Event
) -> Copied:
    """Copy the warehouse at ``source`` to ``target`` while no run is at work on either.

    Raises:
        ConfigError: one of them cannot be used, or the target holds something else.
        Locked: a run holds one of them for longer than ``lock_wait``.
        SinkError: one of them failed; what was copied is kept.
        Stopped: the watcher was asked to stop; likewise.
    """
    wait = float(parse_duration(lock_wait, "--lock-wait"))
    if _same(source, target):
        raise ConfigError("Source and target are the same warehouse.", "Name another target.")
    old, new = (Place(sink_at(location), shown(location)) for location in (source, target))
    existing(old)  # a lock would make its directory
    with ExitStack() as locks:
        for place in (old, new):
            lock = run_lock(place.sink, wait=wait, holder=holder("copy"), stop=stop)
            locks.enter_context(lock)
        return Copied(old.name, new.name, transfer(old, new, watcher))


def show(done: Copied) -> None:
    """The copy for people."""
    for name, moved in done.transfer.tables.items():
        months = "" if moved.months is None else f" in {moved.months} months"
        print(f"{name:18} {moved.rows:>14,} rows{months}")
    for item in done.transfer.differences:
        print(f"DIFFERS: {_where(item)}: source {_told(item.source)}, target {_told(item.target)}")
    if done.verified:
        print(
            f"{done.target} holds what {done.source} holds: counts and sums of every month agree."
        )
    else:
        print(f"{done.target} does not hold what {done.source} holds. Empty it and copy again.")


def _same(source: str, target: str) -> bool:
    if "://" in source or "://" in target:
        return source == target
    return Path(source).expanduser().resolve() == Path(target).expanduser().resolve()


def _where(item: Difference) -> str:
    return f"{item.table} {item.month}".rstrip()


def _told(totals: MonthTotals | None) -> str:
    if totals is None:
        return "none of it"
    figures = _figures(totals)
    return f"{totals.rows:,} rows, sums {figures['sums']}, newest {figures['newest']}"


def _difference(item: Difference) -> dict[str, Any]:
    return {
        "table": item.table,
        "month": item.month or None,
        "source": None if item.source is None else _figures(item.source),
        "target": None if item.target is None else _figures(item.target),
    }


def _figures(totals: MonthTotals) -> dict[str, Any]:
    """As JSON; sums as text, because they may be longer than 64 bits."""
    return {
        "rows": totals.rows,
        "sums": [str(each) for each in totals.sums],
        "newest": [_instant(each) for each in totals.newest],
    }


def _instant(microseconds: int) -> str:
    whole, rest = divmod(microseconds, 1_000_000)
    return f"{from_seconds(whole):%Y-%m-%dT%H:%M:%S}.{rest:06}Z"
