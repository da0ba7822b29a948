"""Progress of a run: a live bar on a terminal, one line a batch anywhere else."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Display

from flows.outlook import Outlook
from flows.summary import BatchReceipt
from livetraffic.plan import Batch


class Progress(Protocol):
    """Whoever watches a run."""

    def planned(self, outlook: Outlook, batches: Sequence[Batch]) -> None:
        """The run knows what it will do; a second time where that showed that there is more."""

    def slice_done(self, rows: int, *, failed: bool) -> None:
        """One slice was read or has failed."""

    def batch_done(self, batch: Batch, receipt: BatchReceipt) -> None:
        """One batch was committed."""


class Silent:
    """Nobody watches."""

    def planned(self, outlook: Outlook, batches: Sequence[Batch]) -> None:
        """As ``Progress.planned``."""

    def slice_done(self, rows: int, *, failed: bool) -> None:
        """As ``Progress.slice_done``."""

    def batch_done(self, batch: Batch, receipt: BatchReceipt) -> None:
        """As ``Progress.batch_done``."""


class LineProgress:
    """Plain lines: what is due, then one per batch."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._done = 0
        self._total = 0
        self._lock = threading.Lock()

    def planned(self, outlook: Outlook, batches: Sequence[Batch]) -> None:
        """As ``Progress.planned``."""
        more = "more " if self._total else ""
        self._total += len(batches)
        self._console.print(
            f"{len(outlook.slices):,} {more}requests due for {len(outlook.wanted):,} domains, "
            f"in {len(batches):,} batch{'' if len(batches) == 1 else 'es'}."
        )

    def slice_done(self, rows: int, *, failed: bool) -> None:
        """As ``Progress.slice_done``."""

    def batch_done(self, batch: Batch, receipt: BatchReceipt) -> None:
        """As ``Progress.batch_done``."""
        with self._lock:
            self._done += 1
            failed = f", {receipt.slices_failed} failed" if receipt.slices_failed else ""
            self._console.print(
                f"{self._done}/{self._total}  {batch}  {receipt.rows_fetched:,} points{failed}"
            )


class _LiveProgress:
    """A bar over slices with rows, rate and time left."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._task = display.add_task("planning", total=None, rows=0, rate="", failed="")
        self._started = time.monotonic()
        self._slices = 0
        self._rows = 0
        self._failed = 0
        self._lock = threading.Lock()

    def planned(self, outlook: Outlook, batches: Sequence[Batch]) -> None:
        """As ``Progress.planned``."""
        self._slices += len(outlook.slices)
        self._display.update(self._task, total=self._slices, description="fetching")

    def slice_done(self, rows: int, *, failed: bool) -> None:
        """As ``Progress.slice_done``."""
        with self._lock:
            self._rows += rows
            self._failed += failed
            self._display.update(
                self._task,
                advance=1,
                rows=self._rows,
                rate=f"{self._rows / max(time.monotonic() - self._started, 0.1):,.0f}/s",
                failed=f"[red]{self._failed} failed[/]" if self._failed else "",
            )

    def batch_done(self, batch: Batch, receipt: BatchReceipt) -> None:
        """As ``Progress.batch_done``."""


@contextmanager
def live_progress(console: Console) -> Iterator[_LiveProgress]:
    """The live display, gone when the run is over."""
    display = Display(
        TextColumn("{task.description}"),
        BarColumn(bar_width=16),
        MofNCompleteColumn(),
        TextColumn("[dim]slices[/] {task.fields[rows]:,} [dim]points {task.fields[rate]}[/]"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[failed]}"),
        console=console,
        transient=True,
    )
    with display:
        yield _LiveProgress(display)
