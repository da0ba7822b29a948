"""Fetches and commits batches for one run; shared by all its workers."""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from extract.slices import SliceResult, Stamp, gone_entry, read_slice
from flows.bootstrap import Deps, Tenant
from flows.clock import seconds
from flows.outlook import Outlook
from flows.parcels import Orders, Parcel, Returned, parcel
from flows.progress import Progress
from flows.summary import BatchReceipt, FailedSlice, Heard
from livetraffic import plan
from livetraffic.errors import (
    LiveTrafficError,
    SinkError,
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
LOOK_SECONDS = 0.25
"""How often a batch looks at the clock while no answer comes."""
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
    """Loads one account's batches; ``load`` may be called from several threads and never raises.

    What stops the whole run is kept and raised by ``raise_fatal`` when the batches are through: an
    orchestrator must not print a traceback for a wrong key.
    """

    def __init__(
        self,
        deps: Deps,
        tenant: Tenant,
        outlook: Outlook,
        orders: Orders,
        progress: Progress,
    ) -> None:
        self.run_id = orders.run_id
        self.lost: list[Slice] = []
        self.outlook = outlook
        self._deps = deps
        self._tenant = tenant
        self._orders = orders
        self._progress = progress
        self._lock = threading.Lock()
        self._unnoted: list[Slice] = [s for s in outlook.lost if s.account == tenant.name]
        self._fatal: LiveTrafficError | None = None
        self._given_up: LiveTrafficError | None = None
        self._streak = 0
        self._answered = False
        self._clock_checked = False

    def load(self, batch: Batch) -> BatchReceipt:
        """Fetch a batch and commit it, every minute and at its end."""
        chunk, receipt, committed = _Chunk(), BatchReceipt(), time.monotonic()
        with ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="fetch") as pool:
            for outcome in _as_they_come({pool.submit(self._read, item) for item in batch.slices}):
                if outcome is not None:
                    self._take(outcome, chunk)
                if time.monotonic() - committed > COMMIT_AFTER_SECONDS:
                    receipt += self._commit(chunk)
                    chunk, committed = _Chunk(), time.monotonic()
        receipt += self._commit(chunk)
        self._progress.batch_done(batch, receipt)
        return receipt

    def parcel(self, batch: Batch) -> Parcel:
        """The batch with what another process must know to load it."""
        return parcel(batch, self.outlook, self._orders)

    def returned(self, batch: Batch, receipt: BatchReceipt) -> Returned:
        """What to tell the run about a batch that was loaded here for it."""
        return Returned(
            batch,
            receipt,
            fatal=self._fatal,
            silent=self._given_up if not self._answered else None,
            clock_checked=self._tenant.api.clock_skew_s is not None,
        )

    def take(self, returned: Returned) -> BatchReceipt:
        """Take in what became of a batch elsewhere."""
        receipt = returned.receipt
        with self._lock:
            self._clock_checked = self._clock_checked or returned.clock_checked
            self._answered = self._answered or (returned.silent is None and returned.fatal is None)
            self._given_up = self._given_up or returned.silent
        if returned.fatal is not None:
            self._halt(returned.fatal)
        for _ in range(receipt.slices):
            self._progress.slice_done(0, failed=False)
        self._progress.batch_done(returned.batch, receipt)
        return receipt

    def note_lost(self) -> None:
        """Record what had expired when the run began, at once if the clock is already checked."""
        self.note([])

    def note(self, lost: Sequence[Slice]) -> None:
        """Record these as lost, unless no answer has confirmed our clock yet."""
        with self._lock:
            self._unnoted = [*self._unnoted, *(item for item in lost if item not in self._unnoted)]
        self._commit(_Chunk())

    @property
    def failure(self) -> LiveTrafficError | None:
        """What ended this account's work before its time; None: nothing did."""
        if self._fatal is not None:
            return self._fatal
        return self._given_up if not self._answered else None

    def _read(self, item: Slice) -> _Outcome:
        if self._deps.stop.is_set() or self._fatal is not None:
            return _Outcome(item)
        if self._given_up is not None:
            return _Outcome(item, error=f"Not asked for: {self._given_up}")
        window = self._clipped(item)
        if window is None:
            return _Outcome(item)
        try:
            return _Outcome(item, self._answer(item, window))
        except Stopped:
            return _Outcome(item)
        except LiveTrafficError as error:
            self._halt(error)
            return _Outcome(item, error=str(error))
        except Exception as error:  # the one place: a bug in one slice must not cost the rest
            log.exception("slice crashed", extra={"domain": item.domain})
            return _Outcome(item, error=f"Internal error ({type(error).__name__}): report it.")

    def _answer(self, item: Slice, window: Window) -> SliceResult:
        rules, outlook = self._deps.rules, self.outlook
        # What a service had before the domain left it was once owed by an earlier life of it.
        owed: Window | None = window
        if not outlook.is_past(item):
            owed = plan.expected_window(outlook.domains[item.domain], window, rules.step)
        return read_slice(
            self._tenant.api.statistics(item.source),
            item.domain,
            window,
            expected=owed,
            absent=outlook.of(item.domain).absent,
            zero_filling=item.source in outlook.zero_filling,
            idle=rules.idle,
            settle_after=rules.settle_after,
            step=rules.step,
            stamp=self._stamp(item.source),
        )

    def _stamp(self, source: str) -> Stamp:
        api = self._tenant.api
        return Stamp(
            source, self._tenant.name, api.project_id, api.region, self.run_id, self._orders.reason
        )

    def _clipped(self, item: Slice) -> Window | None:
        """The window less what expired while the run was queueing, judged just before sending."""
        limits, now = self._deps.rules.apis[item.source], seconds(self._deps.clock)
        window = item.window
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
        item = outcome.item
        gone = self._is_gone(item, result)
        if gone:
            chunk.entries.append(gone_entry(result, self._stamp(item.source)))
        else:
            chunk.entries.extend(result.entries)
        failed = () if gone else _failed(item, result)
        elsewhere = item.domain in self._orders.may_be_elsewhere and isinstance(
            result.error, UnknownDomain
        )
        rows = len(result.points)
        chunk.results.append(result)
        chunk.receipt += BatchReceipt(
            slices=1,
            slices_failed=1 if failed and not elsewhere else 0,
            rows_fetched=rows,
            failed=() if elsewhere else failed,
            unknown=failed if elsewhere else (),
            heard=_heard(item, result),
            holes=sum(
                entry.expected_points - entry.points
                for entry in result.entries
                if entry.state == State.PARTIAL
            ),
            gone=(item.domain,) if gone else (),
        )
        self._count_silence(result)
        self._progress.slice_done(rows, failed=bool(failed) and not elsewhere)
        log.info(
            "slice loaded",
            extra={
                "domain": item.domain,
                "window": str(item.window),
                "api": item.source,
                "rows": rows,
                "failed": [item.error for item in failed],
                "run_id": self.run_id,
            },
        )

    def _is_gone(self, item: Slice, result: SliceResult) -> bool:
        left = self.outlook.domains[item.domain].unlisted_since is not None
        left = left or self.outlook.is_past(item)
        return left and isinstance(result.error, UnknownDomain)

    def _count_silence(self, result: SliceResult) -> None:
        """Give up on a source that has stopped answering."""
        error = result.error
        silent = isinstance(error, Unreachable | Unavailable) and not len(result.points)
        with self._lock:
            self._streak = self._streak + 1 if silent else 0
            self._answered = self._answered or not silent
            if silent and self._streak >= GIVE_UP_AFTER and self._given_up is None:
                self._given_up = error

    def _halt(self, error: LiveTrafficError) -> None:
        """End this account's work; where it is the only one, or the store has failed, the run."""
        with self._lock:
            if self._fatal is None:
                self._fatal = error
        if isinstance(error, SinkError) or len(self._deps.tenants) == 1:
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
        except LiveTrafficError as error:  # of the store, or a ConfigError where it cannot be one
            self._halt(error)
            return BatchReceipt(slices=chunk.receipt.slices)
        return chunk.receipt + BatchReceipt(written=written)

    def _loss_entries(self) -> list[Entry]:
        if self._tenant.api.clock_skew_s is None and not self._clock_checked:
            return []
        with self._lock:
            noted, self._unnoted = self._unnoted, []
            self.lost.extend(noted)
        step, api = self._deps.rules.step, self._tenant.api
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
                item.source,
                item.account,
                api.project_id,
                api.region,
                fetched_at,
                self.run_id,
                self.outlook.of(item.domain).last_error or "expired before any run asked for it",
            )
            for item in noted
        ]


def _as_they_come(reads: "set[Future[_Outcome]]") -> Iterator[_Outcome | None]:
    """The outcomes; None now and then, so that the caller can look at the clock."""
    while reads:
        done, reads = wait(reads, timeout=LOOK_SECONDS, return_when=FIRST_COMPLETED)
        for read in done:
            yield read.result()
        if not done:
            yield None


def _heard(item: Slice, result: SliceResult) -> frozenset[Heard]:
    if not len(result.points):
        return frozenset()
    traffic = bool((result.points.traffic > 0).any())
    return frozenset({Heard(item.domain, item.source, traffic)})


def _failed(item: Slice, result: SliceResult) -> tuple[FailedSlice, ...]:
    return tuple(
        FailedSlice(item._replace(window=entry.window), entry.detail)
        for entry in result.entries
        if entry.state == State.FAILED
    )


def _frame(results: Sequence[SliceResult]) -> "pd.DataFrame":
    from extract.frames import frame_of

    return frame_of([result.points for result in results])
