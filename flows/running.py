"""One run from its job: settings, wiring, engine. The same for the command line and for Prefect."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flows import bootstrap, metrics, settings
from flows.clock import seconds
from flows.invocation import Invocation, asked_range
from flows.pipeline import Mapper, Request, in_threads, run
from flows.progress import Progress
from flows.rights import keep_others_from_writing
from flows.summary import RunSummary
from livetraffic.errors import ConfigError
from livetraffic.instants import parse_duration


@dataclass(frozen=True, slots=True)
class Job:
    """What to run, in words that can be stored in a deployment; secrets are not among them."""

    name: str
    flags: dict[str, Any] = field(default_factory=dict)
    as_of: str | None = None
    start: str | None = None
    end: str | None = None
    domains: tuple[str, ...] = ()
    force: bool = False
    lock_wait: str = "60s"
    reason: str = ""
    scheduler: str = ""
    """Of the Dask cluster that loads the batches; empty: this process does."""


def run_job(
    job: Job,
    mapper: Mapper,
    stop: threading.Event,
    progress: Progress,
    around: Callable[[Mapper], Mapper] = lambda mapper: mapper,
) -> RunSummary:
    """Wire and run a job.

    Args:
        job: what to run.
        mapper: how batches are loaded where the job names no cluster.
        stop: set when the run was asked to stop.
        progress: who watches.
        around: what an orchestrator puts around the cluster's mapper.

    Raises:
        LiveTrafficError: as ``pipeline.run``.
    """
    keep_others_from_writing()
    call = Invocation(job.flags, as_json=False, as_of=job.as_of)
    loaded = call.load_settings(domains=list(job.domains))
    clock = call.clock(loaded, writes=True)
    asked = asked_range(job.start, job.end, loaded, seconds(clock))
    request = Request(
        asked,
        job.force,
        float(parse_duration(job.lock_wait, "--lock-wait")),
        reason=job.reason,
        reconciles=job.name == "nightly" and loaded.reconcile,
        tolerance=loaded.reconcile_tolerance,
    )
    if job.scheduler:
        mapper = around(_cluster(job, loaded, stop))
    with metrics.watched(loaded, seconds(clock)) as watched:
        watched.deps = bootstrap.connect(loaded, clock=clock, stop=stop, writes=True)
        watched.summary = run(watched.deps, request, mapper, progress)
    return watched.summary


def run_direct(job: Job, stop: threading.Event, progress: Progress) -> RunSummary:
    """The direct engine: threads of this process, no orchestrator."""
    return run_job(job, in_threads, stop, progress)


def _cluster(job: Job, loaded: settings.Settings, stop: threading.Event) -> Mapper:
    from flows.cluster import Cluster, words_of

    words = words_of(job.flags, job.as_of, job.domains, loaded)
    return Cluster(job.scheduler, loaded, words, stop)


def chosen_engine(engine: str, scheduler: str = "") -> str:
    """``prefect``, ``dask`` or ``direct``; ``auto`` is Prefect where an API is configured.

    Raises:
        ConfigError: the engine and the scheduler do not fit together.
    """
    if engine == "dask" and not scheduler:
        raise ConfigError("--engine dask needs a cluster.", "Give --scheduler tcp://host:8786.")
    if engine == "direct" and scheduler:
        raise ConfigError(
            "--scheduler has no use with --engine direct.", "Give --engine dask, or leave it out."
        )
    if engine != "auto":
        return engine
    if settings.prefect_is_configured():
        return "prefect"
    return "dask" if scheduler else "direct"
