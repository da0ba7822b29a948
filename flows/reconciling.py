"""Stored sums beside the source's own: what has settled is checked once, and read again if it differs.

A domain on v2 is compared with v2's summary, a window and a hundred domains a request. v1 sums up
nothing but the whole tenant, so its domains are compared together, point by point. A window that does
not agree is read once more; what then still differs is for people to look at.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from extract.slices import Stamp, read_slice
from flows.bootstrap import Deps, Tenant, connect, holder, new_run_id
from flows.clock import seconds
from flows.holding import run_lock
from flows.invocation import Invocation, asked_range
from flows.outlook import Outlook, look
from flows.summary import EXIT_CHECK_FAILED, EXIT_OK
from livetraffic import plan
from livetraffic.domain import Domain
from livetraffic.errors import LiveTrafficError, SinkError, SourceError, Stopped
from livetraffic.instants import parse_duration
from livetraffic.plan import Leg
from livetraffic.reconciliation import (
    AGREES,
    DIFFERS,
    DOMAIN,
    EVERY_DOMAIN,
    TENANT,
    UNTRACKED,
    Reconciliation,
)
from livetraffic.route import V1, V2
from livetraffic.window import DAY, Window, ceil, cut, floor, intersect, merge, subtract

PATIENCE = 3 * DAY
"""How long a day that has not settled whole holds back those behind it."""


def reconcile(
    deps: Deps,
    domains: Sequence[Domain],
    run_id: str,
    *,
    tolerance: int,
    failed: Callable[[str, LiveTrafficError], None],
    accounts: Collection[str] | None = None,
    asked: Window | None = None,
    again: bool = False,
    names: tuple[str, ...] = (),
) -> list[Reconciliation]:
    """Compare the days that have settled with the source's sums, and store what came of it.

    Statistics requests: for v2 one a window of 31 days for each hundred domains with the same windows,
    for v1 one a window of 30 days for each account; and, only where a sum differs, one for each domain
    and window that is read again.

    Args:
        domains: those that are kept.
        tolerance: bytes a point that a sum may be off by.
        failed: told of each account that could not be compared whole, and why, once all that could
            be compared is stored.
        accounts: only these; None: all.
        asked: only this time; None: all that the source still has.
        again: also what was compared before.
        names: only these domains, and no account as a whole; empty: everything.

    Raises:
        SinkError, Stopped: nothing more could be done.
    """
    outlook = look(deps.sink, domains, deps.rules, now=seconds(deps.clock), asked=asked)
    done = [] if again else deps.sink.reconciliations()
    check = _Check(deps, outlook, run_id, tolerance, done)
    found: list[Reconciliation] = []
    errors: list[tuple[str, LiveTrafficError]] = []
    for tenant in deps.tenants:
        if accounts is not None and tenant.name not in accounts:
            continue
        for compare in (check.summaries,) if names else (check.summaries, check.tenant):
            try:
                found += compare(tenant, names)
            except (SinkError, Stopped):
                raise
            except LiveTrafficError as error:
                errors.append((tenant.name, error))
    deps.sink.put_reconciliations(found)
    for account, reason in errors:
        failed(account, reason)
    return found


def reconciled(
    call: Invocation,
    stop: threading.Event,
    ends: tuple[str | None, str | None],
    names: tuple[str, ...],
    lock_wait: str,
) -> list[Reconciliation]:
    """The command: everything that has settled in a range, again, under the run lock.

    Raises:
        LiveTrafficError: an account or the warehouse could not be used; what the other accounts gave
            is stored.
    """
    settings = call.load_settings()
    clock = call.clock(settings, writes=True)
    now = seconds(clock)
    asked = asked_range(*ends, settings, now)
    deps = connect(settings, clock=clock, stop=stop, writes=True)
    rules = deps.rules
    deps.sink.prepare(step=rules.step, timezone=deps.timezone, settle_after=rules.settle_after)
    run_id = new_run_id(deps)
    wait = float(parse_duration(lock_wait, "--lock-wait"))
    errors = [*deps.broken.items()]
    with run_lock(deps.sink, wait=wait, holder=holder(run_id), stop=stop):
        found = reconcile(
            deps,
            deps.sink.domains(),
            run_id,
            tolerance=settings.reconcile_tolerance,
            failed=lambda account, error: errors.append((account, error)),
            asked=asked,
            again=True,
            names=names,
        )
    for account, error in errors:
        if settings.accounts:
            error.message = f"Account {account}: {error.message}"
        raise error
    return found


def exit_code(found: Iterable[Reconciliation]) -> int:
    """3 where a sum differs from the source's own, or more is served than is kept."""
    return EXIT_CHECK_FAILED if any(item.state != AGREES for item in found) else EXIT_OK


class _Check:
    """The comparisons of one run."""

    def __init__(
        self,
        deps: Deps,
        outlook: Outlook,
        run_id: str,
        tolerance: int,
        done: Iterable[Reconciliation],
    ) -> None:
        self._deps, self._outlook = deps, outlook
        self._run_id, self._tolerance = run_id, tolerance
        self._now = seconds(deps.clock)
        self._done: dict[tuple[str, str], list[Window]] = defaultdict(list)
        self._untracked: set[str] = set()
        for item in done:
            window = Window(item.window_start, item.window_end)
            name = item.account if item.kind == TENANT else item.domain
            self._done[item.kind, name].append(window)
            if item.state == UNTRACKED:
                self._untracked.add(item.account)

    # ------------------------------------------------------------------------- v2, domain by domain

    def summaries(self, tenant: Tenant, names: Collection[str]) -> Iterator[Reconciliation]:
        """The domains that v2 serves (of these names, if any), each against v2's own sum."""
        alike: dict[tuple[Window, ...], list[str]] = defaultdict(list)
        for leg in self._legs(tenant, V2):
            windows = subtract(self._comparable(leg), self._done[DOMAIN, leg.domain])
            if windows and (not names or leg.domain in names):
                alike[windows].append(leg.domain)
        span = self._deps.rules.apis[V2].span if V2 in self._deps.rules.apis else 0
        for windows, same in alike.items():
            for whole in windows:
                for window in plan.cover((whole,), span):
                    yield from self._summed(tenant, same, window)

    def _summed(self, tenant: Tenant, names: list[str], window: Window) -> Iterator[Reconciliation]:
        sums = tenant.api.summary(names, window).values
        stored = self._stored(names, window)
        tolerance = self._tolerance * window.points(self._deps.rules.step)
        for name in names:
            source, detail = sums.get(name, 0), ""
            if abs(source - stored.get(name, 0)) > tolerance:
                before = stored.get(name, 0)
                self._read_again(tenant, name, window, V2)
                stored[name] = self._stored([name], window).get(name, 0)
                detail = f"read again: {before} bytes were stored"
            kept = stored.get(name, 0)
            agrees = abs(source - kept) <= tolerance
            yield self._row(
                window,
                of=(DOMAIN, name, V2, tenant.name),
                stored=kept,
                source=source,
                tolerance=tolerance,
                agrees=agrees,
                detail=detail,
            )

    def _stored(self, names: Sequence[str], window: Window) -> dict[str, int]:
        found: dict[str, int] = defaultdict(int)
        for total in self._deps.sink.totals(window, names):
            found[total.domain] += total.traffic_bytes
        return found

    # --------------------------------------------------------------------- v1, the tenant together

    def tenant(self, tenant: Tenant, _names: Collection[str]) -> Iterator[Reconciliation]:
        """All domains that v1 serves, point by point, against the tenant's total."""
        legs = self._legs(tenant, V1)
        if not legs:
            return
        common = self._common(legs)
        due = subtract(common, self._done[TENANT, tenant.name])
        for whole in due:
            for window in plan.cover((whole,), self._deps.rules.apis[V1].span):
                yield self._totalled(tenant, legs, window)

    def _common(self, legs: Sequence[Leg]) -> tuple[Window, ...]:
        """The days of which everything that v1 serves of any domain can be compared."""
        days = [day for leg in legs for day in _whole_days((leg.window,))]
        open_ = [
            day
            for leg in legs
            for day in subtract(_whole_days((leg.window,)), self._comparable(leg))
        ]
        return _whole_days(subtract(days, open_))

    def _totalled(self, tenant: Tenant, legs: Sequence[Leg], window: Window) -> Reconciliation:
        total = tenant.api.tenant_total(window).parsed.points
        source = dict(zip(total.seconds.tolist(), total.traffic.tolist(), strict=True))
        tolerance = self._tolerance * len(legs)
        stored = self._stored_points(tenant, window)
        off = _off(source, stored, tolerance)
        detail = ""
        if off and self._worth_reading(tenant, source, stored, off):
            step = self._deps.rules.step
            span = self._deps.rules.apis[V1].span
            points = merge(Window(at, at + step) for at in off)
            for part in plan.cover(points, span):
                for leg in legs:
                    for mine in intersect((part,), (leg.window,)):
                        self._read_again(tenant, leg.domain, mine, V1)
            before = sum(stored.values())
            stored = self._stored_points(tenant, window)
            off = _off(source, stored, tolerance)
            detail = f"read again: {before} bytes were stored"
        kept, said = sum(stored.values()), sum(source.values())
        row = self._row(
            window,
            of=(TENANT, EVERY_DOMAIN, V1, tenant.name),
            stored=kept,
            source=said,
            tolerance=tolerance * window.points(self._deps.rules.step),
            agrees=not off,
            detail=detail,
        )
        if off and all(source.get(at, 0) > stored.get(at, 0) for at in off):
            said_of = _join(detail, f"{len(off)} points", self._not_kept(tenant))
            return row._replace(state=UNTRACKED, detail=said_of)
        return row

    def _not_kept(self, tenant: Tenant) -> str:
        """The account's listed playback domains that are not kept: whose traffic it may be."""
        try:
            listed = tenant.api.list_domains()
        except SourceError:
            return ""
        kept = self._outlook.domains
        names = [d.domain for d in listed if d.domain_type in ("pull", "") and d.domain not in kept]
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        return f"not kept: {', '.join(names[:5])}{more}" if names else ""

    def _worth_reading(
        self, tenant: Tenant, source: dict[int, int], stored: dict[int, int], off: Sequence[int]
    ) -> bool:
        """Whether reading again may help.

        Not where the source only says more, of an account whose domains are not all kept.
        """
        partial = bool(tenant.configured or self._deps.only or tenant.name in self._untracked)
        return not (partial and all(source.get(at, 0) > stored.get(at, 0) for at in off))

    def _stored_points(self, tenant: Tenant, window: Window) -> dict[int, int]:
        """The sums of what v1 served of every domain of the account, also of those that are gone."""
        alike: dict[Window, list[str]] = defaultdict(list)
        for domain in self._outlook.domains.values():
            for service in self._deps.rules.services(domain):
                if (service.account, service.source) == (tenant.name, V1):
                    for part in intersect((window,), (service.window,)):
                        alike[part].append(domain.domain)
        found: dict[int, int] = defaultdict(int)
        for part, names in alike.items():
            for at, total in self._deps.sink.point_totals(part, names).items():
                found[at] += total
        return found

    # --------------------------------------------------------------------------------------- both

    def _legs(self, tenant: Tenant, source: str) -> list[Leg]:
        return [
            leg
            for leg in self._outlook.legs
            if (leg.service.account, leg.service.source) == (tenant.name, source)
        ]

    def _comparable(self, leg: Leg) -> tuple[Window, ...]:
        """The days that have settled whole, up to the first that may still do so.

        Where a source leaves out idle periods most days settle with the second reading: one that
        waits for it holds back those behind it, or every stretch between two would cost a request.
        """
        settled = intersect((leg.window,), self._outlook.of(leg.domain).settled)
        whole = _whole_days(settled)
        seen = self._outlook.domains[leg.domain].first_seen
        waiting = [
            day.start
            for missing in subtract(_whole_days((leg.window,)), whole)
            for day in cut(missing, DAY)
            if self._now - max(seen, day.end) < PATIENCE
        ]
        end = min(waiting, default=leg.window.end)
        return intersect(whole, (Window(leg.window.start, max(end, leg.window.start + 1)),))

    def _read_again(self, tenant: Tenant, domain: str, window: Window, source: str) -> None:
        """Ask for the window once more; a value that changed is a revision."""
        rules, outlook, api = self._deps.rules, self._outlook, tenant.api
        result = read_slice(
            api.statistics(source),
            domain,
            window,
            expected=plan.expected_window(outlook.domains[domain], window, rules.step),
            absent=outlook.of(domain).absent,
            zero_filling=source in outlook.zero_filling,
            idle=rules.idle,
            settle_after=rules.settle_after,
            step=rules.step,
            stamp=Stamp(
                source,
                tenant.name,
                api.project_id,
                api.region,
                self._run_id,
                "a sum differs from the source's own",
            ),
        )
        self._deps.sink.upsert(
            result.points.frame, result.entries, loaded_at=self._deps.clock(), run_id=self._run_id
        )

    def _row(
        self,
        window: Window,
        *,
        of: tuple[str, str, str, str],
        stored: int,
        source: int,
        tolerance: int,
        agrees: bool,
        detail: str,
    ) -> Reconciliation:
        kind, domain, api, account = of
        return Reconciliation(
            checked_at=self._now,
            run_id=self._run_id,
            kind=kind,
            domain=domain,
            window_start=window.start,
            window_end=window.end,
            source=api,
            account=account,
            stored_bytes=stored,
            source_bytes=source,
            difference_bytes=source - stored,
            tolerance_bytes=tolerance,
            state=AGREES if agrees else DIFFERS,
            detail=detail,
        )


def _whole_days(windows: Iterable[Window]) -> tuple[Window, ...]:
    """The days (UTC) that lie in the windows whole."""
    days = (Window(ceil(w.start, DAY), floor(w.end, DAY)) for w in windows if _holds_a_day(w))
    return merge(days)


def _holds_a_day(window: Window) -> bool:
    return ceil(window.start, DAY) < floor(window.end, DAY)


def _off(source: dict[int, int], stored: dict[int, int], tolerance: int) -> list[int]:
    """The instants at which the two do not agree."""
    return [
        at
        for at in sorted(source.keys() | stored.keys())
        if abs(source.get(at, 0) - stored.get(at, 0)) > tolerance
    ]


def _join(*parts: str) -> str:
    return "; ".join(part for part in parts if part)
