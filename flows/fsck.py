"""``live-traffic fsck``: what is wrong with the warehouse, and what was done about it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.bootstrap import holder
from flows.clock import Clock
from flows.outlook import Rules
from flows.summary import EXIT_CHECK_FAILED, EXIT_DATA_LOST, EXIT_OK
from flows.terminal import MOST_ROWS, console_of, local, more
from flows.warehouse import duckdb_path, open_sink, rules_of, shown
from livetraffic.instants import parse_duration
from livetraffic.window import instant_text
from load.inspection.aside import Aside
from load.inspection.files import ASIDE, Files
from load.inspection.finding import Finding, Kind, Piece, Report
from load.inspection.looking import Inspected, inspect
from load.inspection.marking import Marked, Marker
from load.inspection.mending import FilesMender, Mender, TablesMender, held, mend
from load.inspection.tables import Tables
from load.parquet.sink import ParquetSink
from load.sink import Sink
from load.warehouse_file import Made, asked

if TYPE_CHECKING:
    from flows.settings import Settings

_SQLITE = "sqlite:///"
_DUCKDB = "duckdb://"


@dataclass(frozen=True, slots=True)
class Examined:
    """One examination; the name holds no password."""

    warehouse: str
    found: Report
    repaired: bool = False
    marked: Marked = field(default_factory=Marked)
    aside: tuple[Path, ...] = ()
    left: tuple[Finding, ...] = ()
    """What is still wrong after the repair; without one, everything."""

    @property
    def exit_code(self) -> int:
        """3 something is wrong · 4 it was mended, and the source no longer has some of it · 0."""
        if self.left:
            return EXIT_CHECK_FAILED
        return EXIT_DATA_LOST if self.marked.lost else EXIT_OK

    def document(self) -> dict[str, Any]:
        """The JSON document."""
        return {
            "warehouse": self.warehouse,
            "rows": self.found.rows,
            "months": self.found.months,
            "entries": self.found.entries,
            "findings": [_finding(item) for item in self.found.findings],
            "repaired": self.repaired,
            "due": _pieces(self.marked.due),
            "lost": _pieces(self.marked.lost),
            "kept": _pieces(self.marked.kept),
            "set_aside": [str(path) for path in self.aside],
            "left": [_finding(item) for item in self.left],
        }


def examined(loaded: "Settings", clock: Clock, *, repair: bool, lock_wait: str) -> Examined:
    """Look at everything in the warehouse while no run is at work on it; mend it if asked to.

    Raises:
        Locked: a run holds it for longer than ``lock_wait``.
        SinkError: it cannot be read at all, or not mended.
    """
    sink, rules = open_sink(loaded), rules_of(loaded)
    wait = float(parse_duration(lock_wait, "--lock-wait"))
    name = shown(loaded.warehouse)
    if not _is_there(sink):
        sink.check(step=loaded.step, timezone=loaded.timezone)
        return Examined(name, Report())
    with held(sink, wait=wait, holder=holder("fsck"), repairs=repair):
        found = inspect(_store(sink, name))
        if not repair or not found.findings:
            return Examined(name, found, left=found.findings)
        mender = _mender(sink, loaded, name, clock)
        marked = mend(mender, _marker(sink, rules, clock), found)
        left = tuple(_unmended(inspect(_store(sink, name)), mender.moved))
        return Examined(
            name, found, repaired=True, marked=marked, aside=tuple(mender.moved), left=left
        )


def show(done: Examined, loaded: "Settings") -> None:
    """The examination for people."""
    console, zone = console_of(), loaded.zone
    for item in done.found.findings[:MOST_ROWS]:
        console.print(f"{item.kind:11} {item.place}: {item.reason}", style="red", markup=False)
    if len(done.found.findings) > MOST_ROWS:
        console.print(more(len(done.found.findings)))
    for path in done.aside:
        console.print(f"set aside   {path}", markup=False, soft_wrap=True)
    for word, pieces in (("due again", done.marked.due), ("LOST", done.marked.lost)):
        for piece in pieces[:MOST_ROWS]:
            window = f"{local(piece.window.start, zone)} .. {local(piece.window.end, zone)}"
            console.print(f"{word:11} {piece.domain}  {window}", markup=False)
        if len(pieces) > MOST_ROWS:
            console.print(more(len(pieces)))
    console.print(_headline(done), markup=False)


def _headline(done: Examined) -> str:
    found = done.found
    looked = f"{found.rows:,} rows in {found.months} months, {found.entries:,} ledger entries"
    if not found.findings:
        return f"{done.warehouse} is sound: {looked}."
    if not done.repaired:
        return (
            f"{len(found.findings)} things are wrong in {done.warehouse} ({looked})."
            " `live-traffic fsck --repair` mends what can be mended."
        )
    if done.left:
        reasons = "; ".join(f"{item.place}: {item.reason}" for item in done.left[:3])
        return f"Not mended: {reasons}. Restore it from a copy (`live-traffic copy`)."
    if done.marked.due:
        return "Mended. `live-traffic nightly` reads again what is due."
    return "Mended."


def _is_there(sink: Sink) -> bool:
    """Whether there is anything to look at; a directory may lack its ``warehouse.json``."""
    if isinstance(sink, ParquetSink):
        return sink.root.is_dir() and any(sink.root.iterdir())
    return True


def _store(sink: Sink, name: str) -> Inspected:
    return Files(sink.root) if isinstance(sink, ParquetSink) else Tables(sink, name)


def _mender(sink: Sink, loaded: "Settings", name: str, clock: Clock) -> Mender:
    file, now = _file(loaded.warehouse), clock()
    if isinstance(sink, ParquetSink):
        settings: Made = asked(loaded.step, loaded.timezone, loaded.settle_after)
        return FilesMender(sink, settings, Aside(sink.root / ASIDE, now))
    home = Path(f"live-traffic-{ASIDE}") if file is None else Path(f"{file}.{ASIDE}")
    return TablesMender(sink, Tables(sink, name), file, Aside(home, now))


def _file(location: str) -> Path | None:
    """The one file of a database that is a file."""
    if location.startswith(_DUCKDB):
        return duckdb_path(location)
    if location.startswith(_SQLITE):
        return Path(location.removeprefix(_SQLITE).partition("?")[0])
    return None


def _marker(sink: Sink, rules: Rules, clock: Clock) -> Marker:
    now = clock()
    seconds = int(now.timestamp())

    def edge(source: str) -> int:
        limits = rules.apis.get(source)
        if limits is None:
            return min(each.edge(seconds, rules.step) for each in rules.apis.values())
        return limits.edge(seconds, rules.step)

    return Marker(sink, rules.step, now=now, run_id=f"fsck-{now:%Y%m%dT%H%M%SZ}", edge=edge)


def _unmended(after: Report, moved: Iterable[Path]) -> Iterable[Finding]:
    """What is left; a database that was set aside whole is no damage any more."""
    gone = {Kind.DAMAGED} if any(path.suffix != ".parquet" for path in moved) else set()
    for item in after.findings:
        if not (item.kind in gone and item.reason == "there is no warehouse in it"):
            yield item


def _finding(item: Finding) -> dict[str, Any]:
    return {
        "kind": item.kind,
        "place": item.place,
        "reason": item.reason,
        "rows": item.rows,
        "windows": _pieces(item.pieces),
    }


def _pieces(pieces: Iterable[Piece]) -> list[dict[str, str]]:
    return [
        {
            "domain": piece.domain,
            "window_start": instant_text(piece.window.start),
            "window_end": instant_text(piece.window.end),
        }
        for piece in pieces
    ]
