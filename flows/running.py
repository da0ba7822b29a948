"""One run from its job: settings, wiring, engine. The same for the command line and for Prefect."""

import threading
from dataclasses import dataclass, field
from typing import Any

from flows import bootstrap, settings
from flows.clock import seconds
from flows.invocation import Invocation, asked_range
from flows.pipeline import Mapper, Request, in_threads, run
from flows.progress import Progress
from flows.summary import RunSummary
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


def run_job(job: Job, mapper: Mapper, stop: threading.Event, progress: Progress) -> RunSummary:
    """Wire and run a job.

    Raises:
        LiveTrafficError: as ``pipeline.run``.
    """
    call = Invocation(job.flags, as_json=False, as_of=job.as_of)
    loaded = call.load_settings(domains=list(job.domains))
    clock = call.clock(loaded, writes=True)
    asked = asked_range(job.start, job.end, loaded, seconds(clock))
    request = Request(asked, job.force, float(parse_duration(job.lock_wait, "--lock-wait")))
    deps = bootstrap.connect(loaded, clock=clock, stop=stop, writes=True)
    return run(deps, request, mapper, progress)


def run_direct(job: Job, stop: threading.Event, progress: Progress) -> RunSummary:
    """The direct engine: threads of this process, no orchestrator."""
    return run_job(job, in_threads, stop, progress)


def chosen_engine(engine: str) -> str:
    """``prefect`` or ``direct``; ``auto`` is Prefect where an API is configured."""
    if engine != "auto":
        return engine
    return "prefect" if settings.prefect_is_configured() else "direct"
