"""Fetches and commits batches for one run; shared by all its workers."""

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from extract.slices import SliceResult, Stamp, gone_entry, read_slice
from flows.bootstrap import Deps
from flows.clock import seconds
from flows.fetching import side_by_side
from flows.outlook import Outlook
from flows.progress import Progress
from flows.summary import BatchReceipt, FailedSlice
from livetraffic import plan
from livetraffic.errors import (
    LiveTrafficError,
    SinkError,
    SourceError,
    Stopped,
    Unavailable,
    UnknownDomain,
    Unreachable,
)
from livetraffic.ledger import MICROSECONDS, Entry, State
from livetraffic.plan import Batch, Slice
from livetraffic.window import Window

if TYPE_CHECKING:
    import pandas as pd


log = logging.getLogger(__name__)

IN_FLIGHT = 8
COMMIT_AFTER_SECONDS = 60.0
GRACE_SECONDS = 5.0
"""How long a run that was asked to stop waits for answers that are under way."""
GIVE_UP_AFTER = 8
"""So many slices in a row that the source did not answer: the rest is not asked for."""


@dataclass(slots=True)
class _Chunk:
    """What has been read of a batch since the last commit."""

    results: list[SliceResult] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    receipt: BatchReceipt = field(default_factory=BatchReceipt)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """One slice: what was read of it, or why nothing was."""

    item: Slice
    result: SliceResult | None = None
    error: str = ""


class Loader:
    """Loads batches; ``load`` may be called from several threads and never raises an error of ours.

    What stops the whole run is kept and raised by ``raise_fatal`` when the batches are through: an
    orchestrator must not print a traceback for a wrong key.
    """

    def __init__(self, deps: Deps, outlook: Outlook, run_id: str, progress: Progress) -> None:
        self.run_id = run_id
        self.lost: list[Slice] = []
        self._deps = deps
        self._outlook = outlook
        self._progress = progress
        self._stamp = Stamp(
            source=deps.rules.limits.source,
            account=deps.account,
            project_id=deps.api.project_id,
            region=deps.api.region,
            run_id=run_id,
        )
        self._lock = threading.Lock()
        self._unnoted: list[Slice] = list(outlook.lost)
        self._fatal: LiveTrafficError | None = None
        self._given_up: SourceError | None = None
        self._streak = 0
        self._answered = False

    def load(self, batch: Batch) -> BatchReceipt:
        """Fetch a batch and commit it, every minute and at its end."""
        chunk, receipt, committed = _Chunk(), BatchReceipt(), time.monotonic()
        for outcome in side_by_side(
            self._read,
            batch.slices,
            workers=IN_FLIGHT,
            stop=self._deps.stop,
            grace=GRACE_SECONDS,
        ):
            if outcome is not None:
                self._take(outcome, chunk)
            if time.monotonic() - committed > COMMIT_AFTER_SECONDS:
                receipt += self._commit(chunk)
                chunk, committed = _Chunk(), time.monotonic()
        receipt += self._commit(chunk)
        self._progress.batch_done(batch, receipt)
        return receipt

    def note_lost(self) -> None:
        """Record what had expired when the run began, at once if the clock is already checked."""
        self.note([])

    def note(self, lost: Sequence[Slice]) -> None:
        """Record these as lost, unless no answer has confirmed our clock yet."""
        with self._lock:
            self._unnoted = [*self._unnoted, *(item for item in lost if item not in self._unnoted)]
        self._commit(_Chunk())

    def raise_fatal(self) -> None:
        """Raise what stopped the run, if anything did."""
        if self._fatal is not None:
            raise self._fatal
        if self._deps.stop.is_set():
            raise Stopped
        if self._given_up is not None and not self._answered:
            raise self._given_up

    def _read(self, item: Slice) -> _Outcome:
        if self._deps.stop.is_set():
            return _Outcome(item)
        if self._given_up is not None:
            return _Outcome(item, error=f"Not asked for: {self._given_up}")
        window = self._clipped(item.window)
        if window is None:
            return _Outcome(item)
        try:
            return _Outcome(item, self._answer(item.domain, window))
        except Stopped:
            return _Outcome(item)
        except LiveTrafficError as error:
            self._halt(error)
            return _Outcome(item, error=str(error))
        except Exception as error:  # the one place: a bug in one slice must not cost the rest
            log.exception("slice crashed", extra={"domain": item.domain})
            return _Outcome(item, error=f"Internal error ({type(error).__name__}): report it.")

    def _answer(self, domain: str, window: Window) -> SliceResult:
        rules, outlook = self._deps.rules, self._outlook
        coverage = outlook.of(domain)
        owed = plan.expected_window(outlook.domains[domain], window, rules.step)
        return read_slice(
            self._deps.api,
            domain,
            window,
            expected=owed,
            absent=coverage.absent,
            zero_filling=rules.limits.source in outlook.zero_filling,
            idle=rules.idle,
            settle_after=rules.settle_after,
            step=rules.step,
            stamp=self._stamp,
        )

    def _clipped(self, window: Window) -> Window | None:
        """The window less what expired while the run was queueing, judged just before sending."""
        limits, now = self._deps.rules.limits, seconds(self._deps.clock)
        if window.start >= limits.hard_edge(now):
            return window
        start = limits.edge(now, self._deps.rules.step)
        return Window(start, window.end) if start < window.end else None

    def _take(self, outcome: _Outcome, chunk: _Chunk) -> None:
        """Sort one outcome into the chunk: rows, ledger entries, failure or gone."""
        result = outcome.result
        if result is None:
            if outcome.error:
                unread = FailedSlice(outcome.item, outcome.error)
                chunk.receipt += BatchReceipt(slices=1, slices_failed=1, failed=(unread,))
                self._progress.slice_done(0, failed=True)
            return
        gone = self._is_gone(outcome.item.domain, result)
        if gone:
            chunk.entries.append(gone_entry(result, self._stamp))
        else:
            chunk.entries.extend(result.entries)
        failed = () if gone else _failed(result)
        rows = len(result.frame)
        chunk.results.append(result)
        chunk.receipt += BatchReceipt(
            slices=1,
            slices_failed=1 if failed else 0,
            rows_fetched=rows,
            failed=failed,
            holes=sum(
                entry.expected_points - entry.points
                for entry in result.entries
                if entry.state == State.PARTIAL
            ),
            gone=(outcome.item.domain,) if gone else (),
        )
        self._count_silence(result)
        self._progress.slice_done(rows, failed=bool(failed))
        log.info(
            "slice loaded",
            extra={
                "domain": outcome.item.domain,
                "window": str(outcome.item.window),
                "rows": rows,
                "failed": [item.error for item in failed],
                "run_id": self.run_id,
            },
        )

    def _is_gone(self, domain: str, result: SliceResult) -> bool:
        unlisted = self._outlook.domains[domain].unlisted_since is not None
        return unlisted and isinstance(result.error, UnknownDomain)

    def _count_silence(self, result: SliceResult) -> None:
        """Give up on a source that has stopped answering."""
        error = result.error
        silent = isinstance(error, Unreachable | Unavailable) and not len(result.frame)
        with self._lock:
            self._streak = self._streak + 1 if silent else 0
            self._answered = self._answered or not silent
            if silent and self._streak >= GIVE_UP_AFTER and self._given_up is None:
                self._given_up = error

    def _halt(self, error: LiveTrafficError) -> None:
        with self._lock:
            if self._fatal is None:
                self._fatal = error
        self._deps.stop.set()

    def _commit(self, chunk: _Chunk) -> BatchReceipt:
        """Rows, revisions and entries of a chunk in one commit, with the losses not noted yet."""
        entries = [*chunk.entries, *self._loss_entries()]
        if not entries:
            return chunk.receipt
        try:
            written = self._deps.sink.upsert(
                _frame(chunk.results),
                entries,
                loaded_at=self._deps.clock(),
                run_id=self.run_id,
            )
        except SinkError as error:
            self._halt(error)
            return BatchReceipt(slices=chunk.receipt.slices)
        return chunk.receipt + BatchReceipt(written=written)

    def _loss_entries(self) -> list[Entry]:
        if self._deps.api.clock_skew_s is None:
            return []
        with self._lock:
            noted, self._unnoted = self._unnoted, []
            self.lost.extend(noted)
        step = self._deps.rules.step
        fetched_at = int(self._deps.clock().timestamp() * MICROSECONDS)
        return [
            Entry(
                item.domain,
                item.window.start,
                item.window.end,
                State.LOST,
                0,
                item.window.points(step),
                None,
                self._stamp.source,
                self._stamp.account,
                self._stamp.project_id,
                self._stamp.region,
                fetched_at,
                self.run_id,
                self._outlook.of(item.domain).last_error or "expired before any run asked for it",
            )
            for item in noted
        ]


def _failed(result: SliceResult) -> tuple[FailedSlice, ...]:
    return tuple(
        FailedSlice(Slice(entry.domain, entry.window), entry.detail)
        for entry in result.entries
        if entry.state == State.FAILED
    )


def _frame(results: Sequence[SliceResult]) -> "pd.DataFrame":
    import pandas as pd

    from extract.frames import EMPTY

    frames = [result.frame for result in results if len(result.frame)]
    if frames:
        return pd.concat(frames, ignore_index=True)
    return EMPTY
