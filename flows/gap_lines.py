"""Stretches of time for people: the same for many domains on one line, the first and the last end."""

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.text import Text

from flows.terminal import MOST_ROWS, NARROW, more, span, table_of
from livetraffic.instants import duration_text
from livetraffic.plan import Slice
from livetraffic.window import Window


@dataclass(frozen=True, slots=True)
class GapLine:
    """The slices of one domain, or of several that have exactly the same."""

    domains: tuple[str, ...]
    slices: tuple[Slice, ...]
    """Those of the first domain."""

    @property
    def who(self) -> str:
        """The domain, or how many there are."""
        return self.domains[0] if len(self.domains) == 1 else f"{len(self.domains):,} domains"

    @property
    def hull(self) -> Window:
        """From the first start to the last end."""
        windows = [item.window for item in self.slices]
        return Window(min(w.start for w in windows), max(w.end for w in windows))

    @property
    def total(self) -> str:
        """How long they are together, and in how many pieces."""
        held = duration_text(sum(item.window.seconds for item in self.slices))
        count = len(self.slices)
        return held if count == 1 else f"{held} in {count:,} gaps"


def gap_lines(slices: Sequence[Slice]) -> list[GapLine]:
    """One line for all domains with the same windows, in the order of the slices."""
    of_domain: dict[str, list[Slice]] = {}
    for item in slices:
        of_domain.setdefault(item.domain, []).append(item)
    alike: dict[tuple[tuple[Window, str], ...], list[str]] = {}
    for domain, theirs in of_domain.items():
        alike.setdefault(tuple((s.window, s.source) for s in theirs), []).append(domain)
    return [GapLine(tuple(names), tuple(of_domain[names[0]])) for names in alike.values()]


def show_gap_lines(
    console: Console, title: str, slices: Sequence[Slice], zone: ZoneInfo, style: str
) -> None:
    """A heading and a line for each; nothing where there is none."""
    if not slices:
        return
    console.print(Text(f"{title}:", style=style))
    lines = gap_lines(slices)
    table = table_of("", "window", "domain", "held", headed=False)
    for line in lines[:MOST_ROWS]:
        window = span(line.hull, zone, days=console.width < NARROW)
        held = "" if console.width < NARROW else line.total
        table.add_row("", window, line.who, Text(held, style="dim"))
    console.print(table)
    if len(lines) > MOST_ROWS:
        console.print(f"  {more(len(lines))}")
