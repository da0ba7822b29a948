"""What a monitor reads after each run: one file in Prometheus' text format, replaced whole.

The file is its own memory: counters, and the time of the last success, go on from what it says. It is
written however the run ends, and never fails one.
"""

import logging
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from flows.outlook import look
from flows.standing import Standing, by_account, by_domain
from flows.summary import EXIT_OK, RunSummary
from flows.warehouse import open_sink, rules_of
from livetraffic.errors import LiveTrafficError
from livetraffic.reconciliation import DIFFERS

if TYPE_CHECKING:
    from flows.bootstrap import Deps
    from flows.settings import Settings

log = logging.getLogger(__name__)

Labels = tuple[tuple[str, str], ...]
Series = dict[Labels, float]
OUTCOMES = ("inserted", "updated", "unchanged", "superseded")


@dataclass(slots=True)
class Watched:
    """What is known of a run so far; the run fills it in."""

    deps: "Deps | None" = None
    summary: RunSummary | None = None


@contextmanager
def watched(settings: "Settings", now: int) -> Iterator[Watched]:
    """Write the metrics when the run inside ends, if the settings name a file.

    Args:
        settings: of the run.
        now: what the run's clock shows when it begins (seconds).
    """
    run, code, started = Watched(), 1, time.monotonic()
    try:
        yield run
        code = EXIT_OK if run.summary is None else run.summary.exit_code
    except LiveTrafficError as error:
        code = error.exit_code
        raise
    finally:
        if settings.metrics_file is not None:
            _write(settings, run, code, now, time.monotonic() - started)


def _write(settings: "Settings", run: Watched, code: int, now: int, took_s: float) -> None:
    from flows import metrics_file  # Prometheus' client takes 60 ms

    path = Path(settings.metrics_file or "").expanduser()
    ended = now + int(took_s)
    try:
        sink, rules = open_sink(settings), rules_of(settings)
        standings = by_domain(look(sink, sink.domains(), rules, now=ended))
    except LiveTrafficError as error:
        log.warning("the metrics say nothing of coverage", extra={"error": str(error)})
        standings = {}
    before = metrics_file.read(path)
    added = _counts(run, code, standings)
    counts = {name: _added(before.get(name, {}), added[name]) for name in metrics_file.COUNTERS}
    gauges = _of_standings(standings, ended, by_name=settings.metrics_by_domain)
    gauges |= _of_run(run, code, ended, took_s)
    succeeded = before.get("last_success_timestamp_seconds", {})
    gauges["last_success_timestamp_seconds"] = {(): ended} if code == EXIT_OK else succeeded
    metrics_file.write(path, gauges, counts)


def _of_standings(
    standings: Mapping[tuple[str, str], Standing], now: int, *, by_name: bool
) -> dict[str, Series]:
    gauges: dict[str, Series] = {}

    def put(name: str, value: float, **labels: str) -> None:
        gauges.setdefault(name, {})[tuple(labels.items())] = value

    for account, standing in by_account(dict(standings)).items():
        put("domains", standing.domains, account=account)
        put("coverage_ratio", _share(standing.read_points, standing), account=account)
        put("settled_ratio", _share(standing.settled_points, standing), account=account)
        missing = standing.expected_points - standing.read_points
        put("missing_points", missing, account=account)
        put("complete_until_timestamp_seconds", standing.complete_until, account=account)
        put("oldest_gap_expires_timestamp_seconds", standing.expires_at, account=account)
        put("oldest_gap_expires_seconds", standing.expires_at - now, account=account)
    for (account, domain), standing in standings.items() if by_name else ():
        who = {"account": account, "domain": domain}
        put("domain_coverage_ratio", _share(standing.read_points, standing), **who)
        put("domain_complete_until_timestamp_seconds", standing.complete_until, **who)
    return gauges


def _share(points: int, standing: Standing) -> float:
    return points / standing.expected_points if standing.expected_points else 1.0


def _of_run(run: Watched, code: int, ended: int, took_s: float) -> dict[str, Series]:
    summary = run.summary
    failed = 0 if summary is None else summary.batches.slices_failed
    found = {
        "last_run_timestamp_seconds": ended,
        "last_run_exit_code": code,
        "last_run_duration_seconds": round(took_s, 3),
        "last_run_failed_slices": failed,
        "last_run_differing_sums": sum(
            item.state == DIFFERS for item in (summary.reconciled if summary else ())
        ),
    }
    info = (("version", version("live-traffic")),)
    return {**{name: {(): float(value)} for name, value in found.items()}, "build_info": {info: 1}}


def _counts(
    run: Watched, code: int, standings: Iterable[tuple[str, str]]
) -> dict[str, Counter[Labels]]:
    """What this run adds to each counter; series that it does not touch begin at 0."""
    accounts = {account for account, _ in standings}
    counts: dict[str, Counter[Labels]] = defaultdict(Counter)
    counts["runs"][("exit_code", str(code)),] = 1
    for tenant in run.deps.tenants if run.deps is not None else ():
        for (operation, answer), sent in tenant.api.transport.answers.items():
            labels = (("account", tenant.name), ("operation", operation), ("code", answer))
            counts["requests"][labels] += sent
    for account in accounts:
        counts["failed_slices"][("account", account),] = 0
        counts["lost_points"][("account", account),] = 0
    counts["revisions"][()] = 0
    if run.summary is not None and run.deps is not None:
        batches = run.summary.batches
        for outcome in OUTCOMES:
            counts["rows"][("outcome", outcome),] = getattr(batches.written, outcome)
        counts["revisions"][()] = batches.written.updated
        for failed in batches.failed:
            counts["failed_slices"][("account", failed.slice.account),] += 1
        for lost in run.summary.lost:
            points = lost.window.points(run.deps.rules.step)
            counts["lost_points"][("account", lost.account),] += points
    return counts


def _added(before: Series, more: Mapping[Labels, int]) -> Series:
    known = {tuple(sorted(labels)): value for labels, value in before.items()}
    fresh = {tuple(sorted(labels)): float(value) for labels, value in more.items()}
    return {
        labels: known.get(labels, 0.0) + fresh.get(labels, 0.0)
        for labels in sorted({*known, *fresh})
    }
