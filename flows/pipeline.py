"""One run, as plain functions: survey -> plan -> fetch -> shape -> load -> summary.

Nothing here knows Prefect: ``run`` takes a mapper, and the mapper is the only difference between a
plain loop, Prefect tasks and a cluster. The unit of work, of commit and of retry is the batch; a slice
that fails inside one leaves the others committed.
"""

import logging
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from flows.bootstrap import Deps, holder
from flows.clock import seconds
from flows.loader import Loader
from flows.outlook import Outlook, look
from flows.progress import Progress
from flows.summary import BatchReceipt, RunSummary
from flows.survey import survey
from livetraffic import plan
from livetraffic.ledger import complete_until
from livetraffic.plan import Batch
from livetraffic.window import HOUR, Window

log = logging.getLogger(__name__)

WORKERS = 2
"""Batches at work at once: one is fetched while another is committed."""
AT_RISK_WITHIN = 48 * HOUR

LoadBatch = Callable[[Batch], BatchReceipt]


class Mapper(Protocol):
    """Runs ``load`` on every batch, started in order, and gives the receipts back in order."""

    def __call__(self, load: LoadBatch, batches: Sequence[Batch]) -> Iterable[BatchReceipt]:
        """The receipts of all batches."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for: a range on the grid (None: all that is on offer), and how."""

    asked: Window | None = None
    force: bool = False
    lock_wait: float = 60.0


def in_threads(load: LoadBatch, batches: Sequence[Batch]) -> Iterable[BatchReceipt]:
    """The direct engine: a few batches at a time in this process."""
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="batch") as pool:
        yield from pool.map(load, batches)


def new_run_id(deps: Deps) -> str:
    """A name for a run that sorts by time and is never used twice."""
    return f"{deps.clock():%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


def run(deps: Deps, request: Request, mapper: Mapper, progress: Progress) -> RunSummary:
    """Read everything that is due and keep it; what was read stays, whatever fails after it.

    Raises:
        ConfigError, CredentialsError, ClockError: nothing more could be done.
        SourceError: the source could not be reached at all.
        SinkError: the warehouse could not be written, or another run holds it.
        Stopped: the stop event was set; what had been read is committed.
    """
    started = time.monotonic()
    run_id = new_run_id(deps)
    rules = deps.rules
    deps.sink.prepare(step=rules.step, timezone=deps.timezone, settle_after=rules.settle_after)
    with deps.sink.run_lock(wait=request.lock_wait, holder=holder(run_id)):
        domains = survey(deps, save=True)
        outlook = look(
            deps.sink, domains, rules, now=_now(deps), asked=request.asked, force=request.force
        )
        _extend_calendar(deps, outlook)
        loader = Loader(deps, outlook, run_id, progress)
        loader.note_lost()
        batches = plan.batches(outlook.slices, rules.limits.span)
        progress.planned(outlook, batches)
        receipts = sum(mapper(loader.load, batches), BatchReceipt())
        loader.raise_fatal()
        took_s = time.monotonic() - started
        return _summary(deps, request, outlook, loader=loader, receipts=receipts, took_s=took_s)


def _now(deps: Deps) -> int:
    return seconds(deps.clock)


def _extend_calendar(deps: Deps, outlook: Outlook) -> None:
    windows = [*outlook.wanted.values()]
    if windows:
        deps.sink.extend_calendar(min(w.start for w in windows), max(w.end for w in windows))


def _summary(
    deps: Deps,
    request: Request,
    before: Outlook,
    *,
    loader: Loader,
    receipts: BatchReceipt,
    took_s: float,
) -> RunSummary:
    """The run's end, seen through the ledger as it is now."""
    now = _now(deps)
    after = look(deps.sink, list(before.domains.values()), deps.rules, now=now, asked=request.asked)
    loader.note(after.lost)
    expiring = plan.at_risk(
        after.wanted,
        after.coverage,
        deps.rules.limits,
        now + AT_RISK_WITHIN,
        may_omit=after.may_omit,
    )
    return RunSummary(
        run_id=loader.run_id,
        requests=deps.api.requests_sent,
        batches=receipts,
        lost=tuple(loader.lost),
        at_risk=tuple(expiring),
        out_of_reach=tuple(before.out_of_reach),
        complete_until=complete_until(after.wanted, after.coverage),
        seconds=took_s,
    )
