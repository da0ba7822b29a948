"""The coverage grid domain x day as text cells; the worst state of a cell wins."""

from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from rich.cells import cell_len, set_cell_size

from flows.covered import Covered
from livetraffic.plan import Interval
from livetraffic.window import from_seconds

STYLES = {
    "complete": ("█", "green"),
    "provisional": ("▓", "cyan"),
    "partial": ("▒", "yellow"),
    "missing": ("·", "yellow"),
    "failed": ("x", "red"),
    "lost": ("!", "bold red"),
    "": (" ", ""),
}
LEGEND = ("complete", "provisional", "partial", "missing", "failed", "lost")
_BADNESS = {state: rank for rank, state in enumerate(("", *LEGEND))}
LONGEST_LABEL = 24


@dataclass(frozen=True, slots=True)
class GridRow:
    """One domain: its label and a state per cell (empty: outside what is wanted)."""

    label: str
    cells: list[str]


@dataclass(frozen=True, slots=True)
class Grid:
    """The rows and their common time axis, in local days."""

    rows: list[GridRow]
    first_day: date
    days_per_cell: int
    label_width: int


def grid_rows(grid: Covered, zone: ZoneInfo, width: int) -> Grid:
    """The grid in at most ``width`` columns; several days share a cell where there are too many."""
    first = min(_day(i.window.start, zone) for i in grid.intervals)
    last = max(_day(i.window.end - 1, zone) for i in grid.intervals)
    longest = min(LONGEST_LABEL, max(width // 3, 8))
    label_width = min(max(cell_len(d) for d in grid.domains), longest)
    room = max(width - label_width - 2, 10)
    days_per_cell = -(-((last - first).days + 1) // room)
    count = (last - first).days // days_per_cell + 1
    cells = {domain: [""] * count for domain in grid.domains}
    for interval in grid.intervals:
        _mark(cells[interval.domain], interval, zone, first, days_per_cell)
    rows = [GridRow(_label(domain, label_width), cells[domain]) for domain in grid.domains]
    return Grid(rows, first, days_per_cell, label_width)


def _mark(
    cells: list[str], interval: Interval, zone: ZoneInfo, first: date, days_per_cell: int
) -> None:
    start = (_day(interval.window.start, zone) - first).days // days_per_cell
    end = (_day(interval.window.end - 1, zone) - first).days // days_per_cell
    for cell in range(start, end + 1):
        cells[cell] = max(cells[cell], interval.state, key=_BADNESS.__getitem__)


def _day(seconds: int, zone: ZoneInfo) -> date:
    return from_seconds(seconds).astimezone(zone).date()


def _label(domain: str, width: int) -> str:
    """The name in exactly so many cells; where it is longer, without its middle."""
    if cell_len(domain) <= width:
        return set_cell_size(domain, width)
    tail = min(len(domain), width // 3)
    return set_cell_size(f"{set_cell_size(domain, width - tail - 1)}…{domain[-tail:]}", width)


def header(grid: Grid) -> str:
    """The axis: month-day where a label fits, above the cell where it begins."""
    length = max((len(row.cells) for row in grid.rows), default=0)
    line = ""
    for cell in range(0, length, 7 if grid.days_per_cell == 1 else 10):
        if cell < len(line):
            continue
        day = grid.first_day + timedelta(days=cell * grid.days_per_cell)
        line = f"{line:{cell}}{day:%m-%d} "
    return f"{'':{grid.label_width}} {line.rstrip()}"
