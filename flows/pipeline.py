"""One run, as plain functions: survey -> plan -> fetch -> shape -> load -> summary.

Nothing here knows Prefect: ``run`` takes a mapper, and the mapper is the only difference between a
plain loop, Prefect tasks and a cluster. The unit of work, of commit and of retry is the batch; a slice
that fails inside one leaves the others committed.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Protocol

from flows.bootstrap import Deps, Tenant, holder, new_run_id
from flows.clock import seconds
from flows.holding import run_lock
from flows.loader import Loader
from flows.outlook import Outlook, look
from flows.parcels import Loading, Orders, Parcel, Returned
from flows.progress import Progress
from flows.serving import Serving
from flows.summary import BatchReceipt, RunSummary
from flows.survey import survey
from livetraffic import plan
from livetraffic.domain import Domain
from livetraffic.errors import LiveTrafficError, SinkError, SourceError, Stopped
from livetraffic.ledger import complete_until
from livetraffic.plan import Batch, Slice
from livetraffic.reconciliation import Reconciliation
from livetraffic.route import V1, V2
from livetraffic.window import DAY, HOUR, Window

log = logging.getLogger(__name__)

WORKERS = 2
"""Batches at work at once: one is fetched while another is committed."""
AT_RISK_WITHIN = 48 * HOUR
RECENT = 14 * DAY
"""How far back a run looks to see which domains have fallen silent."""

LoadBatch = Loading
"""Loads a batch in this process, or makes a parcel of it for another."""


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
    reason: str = ""
    """Why settled time is read again; kept in the ledger."""
    reconciles: bool = False
    """Compare what has settled with the source's own sums at the end."""
    tolerance: int = 1
    """Bytes a point that such a sum may be off by."""


def in_threads(load: LoadBatch, batches: Sequence[Batch]) -> Iterable[BatchReceipt]:
    """The direct engine: a few batches at a time in this process."""
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="batch") as pool:
        yield from pool.map(load, batches)


def run(deps: Deps, request: Request, mapper: Mapper, progress: Progress) -> RunSummary:
    """Read everything that is due and keep it; what was read stays, whatever fails after it.

    Raises:
        ConfigError, CredentialsError, ClockError: nothing more could be done.
        SourceError: the source could not be reached at all.
        SinkError: the warehouse could not be written, or another run holds it.
        Stopped: the stop event was set; what had been read is committed.
    """
    run_id = new_run_id(deps)
    rules = deps.rules
    deps.sink.prepare(step=rules.step, timezone=deps.timezone, settle_after=rules.settle_after)
    with run_lock(deps.sink, wait=request.lock_wait, holder=holder(run_id), stop=deps.stop):
        return _Run(deps, request, mapper, progress, run_id).summary()


class _Run:
    """One run from its survey to its summary; the run lock is held."""

    def __init__(
        self, deps: Deps, request: Request, mapper: Mapper, progress: Progress, run_id: str
    ) -> None:
        self._started = time.monotonic()
        self._deps, self._request, self._mapper = deps, request, mapper
        self._progress, self._run_id = progress, run_id
        self._loaders: dict[str, Loader] = {}
        self._elsewhere: Counter[str] = Counter()
        self._lost: list[Slice] = []
        before = deps.sink.domains()
        surveyed = survey(deps, save=True)
        self._failed = dict(surveyed.failed)
        self._domains = surveyed.domains
        recent = deps.sink.ledger(_now(deps) - RECENT)
        self._servings = {
            tenant.name: Serving(deps, tenant, before, recent)
            for tenant in deps.tenants
            if tenant.name not in self._failed
        }

    def summary(self) -> RunSummary:
        """Do everything that is due, then say what came of it."""
        outlook = self._look(self._domains)
        due = frozenset(item.domain for item in outlook.slices)
        if self._learn(lambda serving, mine: serving.before(mine, due)):
            outlook = self._look(self._domains)
        presumed = {domain.domain: domain.api for domain in self._domains}
        receipt = self._round(outlook)
        out_of_reach = tuple(outlook.out_of_reach)
        self._learn(lambda serving, mine: serving.after(mine, receipt))
        moved = [d for d in self._domains if d.api != (presumed[d.domain] or V1)]
        if any(d.api for d in moved):
            receipt += self._round(self._look([d for d in moved if d.api]))
        self._learn(lambda serving, mine: serving.settled(mine, receipt), final=True)
        receipt = self._judged(receipt)
        reconciled: list[Reconciliation] = []
        if self._request.reconciles:
            from flows.reconciling import reconcile

            reconciled = reconcile(
                self._deps,
                self._domains,
                self._run_id,
                tolerance=self._request.tolerance,
                failed=self._not_reconciled,
                accounts=self._live(),
            )
        return self._summary(receipt, out_of_reach, reconciled)

    def _not_reconciled(self, account: str, error: LiveTrafficError) -> None:
        """The next run compares what could not be compared; with wrong keys there would be none."""
        if isinstance(error, SourceError):
            log.warning("not reconciled", extra={"account": account, "reason": str(error)})
        else:
            self._fail(account, error)

    def _learn(
        self, ask: Callable[[Serving, list[Domain]], list[Domain]], *, final: bool = False
    ) -> bool:
        """Let each account's evidence speak; keep what is new in the warehouse.

        Returns:
            Whether something was new, or an account failed: what is due is then to be looked up anew.
        """
        live = self._live()
        found: list[Domain] = []
        for account, serving in self._servings.items():
            if account not in live and not final:
                continue
            mine = [domain for domain in self._domains if domain.account == account]
            try:
                found += ask(serving, mine)
            except (SinkError, Stopped):
                raise
            except LiveTrafficError as error:
                self._fail(account, error)
                found += mine
        known = {domain.domain: domain for domain in self._domains}
        changed = {d.domain: d for d in found if known[d.domain] != d}
        self._domains = sorted({**known, **changed}.values())
        self._keep(final=final)
        return bool(changed) or live != self._live()

    def _keep(self, *, final: bool) -> None:
        """Store what is known of the domains, but of those that are being tried only the outcome."""
        tried = {name for serving in self._servings.values() for name in serving.tried}
        self._deps.sink.put_domains(
            domain for domain in self._domains if final or domain.domain not in tried
        )

    def _fail(self, account: str, error: LiveTrafficError) -> None:
        """One of several accounts goes no further; the only one ends the run."""
        self._failed.setdefault(account, error)
        if len(self._failed) >= len(self._deps.tenants) + len(self._deps.broken):
            raise error

    def _live(self) -> frozenset[str]:
        """The accounts that can be read."""
        return frozenset(self._servings) - set(self._failed)

    def _look(self, domains: list[Domain]) -> Outlook:
        deps, request = self._deps, self._request
        return look(
            deps.sink,
            domains,
            deps.rules,
            now=_now(deps),
            asked=request.asked,
            force=request.force,
            accounts=self._live(),
        )

    def _round(self, outlook: Outlook) -> BatchReceipt:
        """Load what is due."""
        deps, live = self._deps, self._live()
        _extend_calendar(deps, outlook)
        self._loaders = {
            tenant.name: self._loader(tenant, outlook)
            for tenant in deps.tenants
            if tenant.name in live
        }
        for loader in self._loaders.values():
            loader.note_lost()
        batches = plan.batches(outlook.slices, deps.rules.apis)
        self._progress.planned(outlook, batches)
        loading = _Loading(self._loaders, self._elsewhere)
        receipt = sum(self._mapper(loading, batches), BatchReceipt())
        self._check()
        return receipt

    def _loader(self, tenant: Tenant, outlook: Outlook) -> Loader:
        serving = self._servings[tenant.name]
        names = [d.domain for d in outlook.domains.values() if serving.may_be_on_v2(d)]
        orders = Orders(self._run_id, frozenset(names), self._request.reason)
        return Loader(self._deps, tenant, outlook, orders, self._progress)

    def _check(self) -> None:
        """Raise what stopped the run, if anything did; note the accounts that failed."""
        failures = {name: loader.failure for name, loader in self._loaders.items()}
        for loader in self._loaders.values():
            self._lost += loader.lost
        for error in failures.values():
            if isinstance(error, SinkError):
                raise error
        for account, error in failures.items():
            if error is not None:
                self._fail(account, error)
        if self._deps.stop.is_set():
            raise Stopped

    def _judged(self, receipt: BatchReceipt) -> BatchReceipt:
        """What one API refused is a failure after all where the other did not know it either."""
        on_v2 = {domain.domain for domain in self._domains if domain.api == V2}
        failed = tuple(item for item in receipt.unknown if item.slice.domain not in on_v2)
        return replace(
            receipt,
            failed=receipt.failed + failed,
            slices_failed=receipt.slices_failed + len(failed),
            unknown=(),
        )

    def _summary(
        self,
        receipt: BatchReceipt,
        out_of_reach: tuple[Slice, ...],
        reconciled: list[Reconciliation],
    ) -> RunSummary:
        """The run's end, seen through the ledger as it is now."""
        deps, now = self._deps, _now(self._deps)
        after = look(deps.sink, self._domains, deps.rules, now=now, asked=self._request.asked)
        for account, loader in self._loaders.items():
            noted = len(loader.lost)
            loader.note([item for item in after.lost if item.account == account])
            self._lost += loader.lost[noted:]
        expiring = plan.at_risk(
            after.legs,
            after.coverage,
            deps.rules.apis,
            now + AT_RISK_WITHIN,
            may_omit=after.may_omit,
        )
        return RunSummary(
            run_id=self._run_id,
            requests=deps.requests_sent + self._elsewhere.total(),
            requests_by_operation=dict(
                sorted((Counter(deps.requests_by_operation) + self._elsewhere).items())
            ),
            batches=receipt,
            lost=tuple(self._lost),
            at_risk=tuple(expiring),
            out_of_reach=out_of_reach,
            complete_until=complete_until(after.wanted, after.coverage),
            seconds=time.monotonic() - self._started,
            failed_accounts={name: str(error) for name, error in self._failed.items()},
            reconciled=tuple(reconciled),
        )


class _Loading:
    """``flows.parcels.Loading`` of one round."""

    def __init__(self, loaders: dict[str, Loader], elsewhere: Counter[str]) -> None:
        self._loaders, self._elsewhere = loaders, elsewhere

    def __call__(self, batch: Batch, /) -> BatchReceipt:
        return self._loaders[batch.account].load(batch)

    def parcel(self, batch: Batch, /) -> Parcel:
        return self._loaders[batch.account].parcel(batch)

    def take(self, returned: Returned, /) -> BatchReceipt:
        self._elsewhere.update(returned.requests)
        return self._loaders[returned.batch.account].take(returned)


def _now(deps: Deps) -> int:
    return seconds(deps.clock)


def _extend_calendar(deps: Deps, outlook: Outlook) -> None:
    windows = [leg.window for leg in outlook.legs]
    if windows:
        deps.sink.extend_calendar(min(w.start for w in windows), max(w.end for w in windows))
