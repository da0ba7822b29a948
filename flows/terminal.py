"""The terminal: one console, one kind of table, one way to write an instant. 80 columns in a pipe."""

import sys
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table
from rich.text import Text

from livetraffic.instants import duration_text
from livetraffic.window import DAY, Window, from_seconds

WIDTH = 80
MOST_ROWS = 20
NARROW = 60
"""Below so many columns a table leaves out what can be spared."""


def console_of(*, stderr: bool = False) -> Console:
    """A console on standard output, or on standard error."""
    stream = sys.stderr if stderr else sys.stdout
    piped = not stream.isatty()
    return Console(file=stream, width=WIDTH if piped else None, highlight=False, soft_wrap=piped)


def is_live(console: Console) -> bool:
    """Whether lines may be drawn over: a real terminal, whatever FORCE_COLOR says of a pipe."""
    return console.file.isatty() and console.is_terminal and not console.is_dumb_terminal


def table_of(
    *columns: str, right: Sequence[str] = (), shrinks: str = "domain", headed: bool = True
) -> Table:
    """A table without lines that fits the terminal.

    Args:
        columns: their names.
        right: those that hold numbers.
        shrinks: the one that is cut with an ellipsis where the line is too long.
        headed: whether the names are shown.
    """
    table = Table(box=None, pad_edge=False, header_style="bold", show_header=headed)
    for column in columns:
        cut = column == shrinks
        table.add_column(
            column,
            justify="right" if column in right else "left",
            no_wrap=not cut,
            overflow="ellipsis" if cut else "fold",
        )
    return table


def show_indented(console: Console, head: Text, text: str, *, style: str = "") -> None:
    """A sentence beside its head; what does not fit goes on below its own beginning."""
    if console.soft_wrap:
        console.print(head.append(f" {text}", style=style))
        return
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(head, Text(text, style=style))
    console.print(grid)


def local(seconds: int, zone: ZoneInfo) -> str:
    """An instant in a zone, to the minute."""
    return from_seconds(seconds).astimezone(zone).strftime("%Y-%m-%d %H:%M")


def span(window: Window, zone: ZoneInfo, *, days: bool = False) -> str:
    """Both ends in a zone; the year once where it is the same. ``days``: without the time of day."""
    start, end = local(window.start, zone), local(window.end, zone)
    end = end[5:] if start[:4] == end[:4] else end
    return f"{start[:10]} .. {end[:-6]}" if days else f"{start} .. {end}"


def left_text(seconds: int) -> str:
    """How long something still is: ``now``, ``5h 20m``, ``30d``."""
    if seconds <= 0:
        return "now"
    return f"{seconds // DAY:,}d" if seconds >= 2 * DAY else duration_text(seconds)


def bytes_text(count: int) -> str:
    """``35.1 GB``: three digits and a unit of 1000."""
    size, unit = float(abs(count)), "B"
    for unit in ("B", "kB", "MB", "GB", "TB", "PB", "EB"):  # noqa: B007 - the last one stays
        if size < 999.5:
            break
        size /= 1000
    digits = 0 if unit == "B" or size >= 99.95 else 1 if size >= 9.995 else 2
    return f"{'-' if count < 0 else ''}{size:.{digits}f} {unit}"


def more(count: int) -> str:
    """What stands below a table that shows only the first rows."""
    return f"… and {count - MOST_ROWS} more (--json lists all)" if count > MOST_ROWS else ""
