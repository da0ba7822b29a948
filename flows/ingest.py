"""The Prefect shell: the only importer of Prefect.

One flow a run, one task a batch (12 to 25 ms each), nothing through the result store. The tasks call
``pipeline.run`` with another mapper; the ledger, not Prefect, knows what is done, so nothing is cached
and nothing is retried here.
"""

import asyncio
import logging
import signal
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from flows.settings import calm_prefect

calm_prefect()

import httpx  # noqa: E402 - Prefect reads its settings when it is imported
from prefect import flow, get_run_logger, runtime, tags, task  # noqa: E402
from prefect.artifacts import create_markdown_artifact, create_table_artifact  # noqa: E402
from prefect.cache_policies import NO_CACHE  # noqa: E402
from prefect.client.schemas.objects import State  # noqa: E402
from prefect.exceptions import PrefectException  # noqa: E402
from prefect.runner import Runner  # noqa: E402
from prefect.schedules import Cron  # noqa: E402
from prefect.states import Completed, Failed  # noqa: E402
from prefect.task_runners import ThreadPoolTaskRunner  # noqa: E402

from flows.artifacts import artifacts  # noqa: E402
from flows.clock import real_clock, seconds  # noqa: E402
from flows.invocation import Invocation  # noqa: E402
from flows.pipeline import WORKERS, LoadBatch, Mapper  # noqa: E402
from flows.progress import Progress, Silent  # noqa: E402
from flows.run_log import Logged, tell  # noqa: E402
from flows.running import Job, run_job  # noqa: E402
from flows.settings import Settings  # noqa: E402
from flows.stopping import end_children, to_its_end  # noqa: E402
from flows.summary import EXIT_OK, BatchReceipt, RunSummary  # noqa: E402
from livetraffic.errors import ConfigError, LiveTrafficError  # noqa: E402
from livetraffic.plan import Batch  # noqa: E402


@dataclass(slots=True)
class _Session:
    """What a caller in this process shares with the flow: how to stop, who watches, the outcome."""

    stop: threading.Event = field(default_factory=threading.Event)
    watcher: Progress = field(default_factory=Silent)
    on_terminate: Callable[[int, FrameType | None], Any] | None = None
    """What SIGTERM does; None: what Prefect does, which tells a cancelled run by its own handler only."""
    summary: RunSummary | None = None
    error: LiveTrafficError | None = None


_session = _Session()


def over_tasks(load: LoadBatch, batches: Sequence[Batch]) -> Iterable[BatchReceipt]:
    """The Prefect engine: one task a batch, submitted in order, a few at work at a time."""

    @task(
        name="load batch",
        task_run_name="{batch}",
        cache_policy=NO_CACHE,
        persist_result=False,
        retries=0,
    )
    def load_batch(batch: Batch) -> BatchReceipt:
        return load(batch)

    futures = [load_batch.submit(batch) for batch in batches]
    return [future.result() for future in futures]


def in_one_task(cluster: Mapper) -> Mapper:
    """A Dask cluster's mapper inside one task: its batches cost Prefect nothing."""

    def mapper(load: LoadBatch, batches: Sequence[Batch]) -> Iterable[BatchReceipt]:
        @task(name="load on a Dask cluster", cache_policy=NO_CACHE, persist_result=False, retries=0)
        def load_on_cluster() -> BatchReceipt:
            return sum(cluster(load, batches), BatchReceipt())

        return [load_on_cluster()] if batches else []

    return mapper


def _run_name() -> str:
    """``nightly 2026-03-01 19:15Z``: sorts by time in Prefect's list."""
    return f"{runtime.flow_run.get_flow_name()} {real_clock():%Y-%m-%d %H:%MZ}"


@flow(
    name="backfill",
    flow_run_name=_run_name,
    task_runner=ThreadPoolTaskRunner(max_workers=WORKERS),  # type: ignore[arg-type]
    persist_result=False,
)
def backfill(
    start: str | None = None,
    end: str | None = None,
    domains: list[str] | None = None,
    force: bool = False,
    flags: dict[str, Any] | None = None,
    as_of: str | None = None,
    lock_wait: str = "60s",
    reason: str = "",
    scheduler: str = "",
) -> State[Any]:
    """Read everything that is due in a range (default: all that the source offers) and keep it."""
    return _run(
        Job(
            "backfill",
            flags or {},
            as_of,
            start,
            end,
            tuple(domains or ()),
            force,
            lock_wait,
            reason,
            scheduler,
        )
    )


@flow(
    name="nightly",
    flow_run_name=_run_name,
    task_runner=ThreadPoolTaskRunner(max_workers=WORKERS),  # type: ignore[arg-type]
    persist_result=False,
)
def nightly(
    flags: dict[str, Any] | None = None,
    as_of: str | None = None,
    lock_wait: str = "60s",
    scheduler: str = "",
) -> State[Any]:
    """Backfill with the default range: what the schedule runs."""
    return _run(Job("nightly", flags or {}, as_of, lock_wait=lock_wait, scheduler=scheduler))


def _run(job: Job) -> State[Any]:
    """The flow's end as a state: failed where the exit code would not be 0, never a traceback."""
    if _session.on_terminate is None:
        return to_its_end(lambda: _ended(job), _session.stop)
    with _terminated_by(_session.on_terminate):
        return _ended(job)


def _ended(job: Job) -> State[Any]:
    log = get_run_logger()
    try:
        watcher = Logged(log, _session.watcher)
        summary = run_job(job, over_tasks, _session.stop, watcher, in_one_task)
    except LiveTrafficError as error:
        _session.error = error
        log.error("%s", error)  # noqa: TRY400 - our sentence is the whole story
        return Failed(message=str(error))
    _session.summary = summary
    tell(log, summary)
    _leave_artifacts(job, summary)
    state = Completed if summary.exit_code == EXIT_OK else Failed
    return state(message=summary.headline())


def _leave_artifacts(job: Job, summary: RunSummary) -> None:
    """What the UI shows of the run. It is for people: without it the run is no worse."""
    try:
        call = Invocation(job.flags, as_json=False, as_of=job.as_of)
        loaded = call.load_settings()
        for item in artifacts(job.name, summary, loaded, seconds(call.clock(loaded))):
            told = {"key": item.key, "description": item.description}
            if isinstance(item.content, str):
                create_markdown_artifact(markdown=item.content, **told)
            else:
                create_table_artifact(table=item.content, **told)
    except LiveTrafficError as error:
        get_run_logger().warning("The artifacts could not be made: %s", error)


@contextmanager
def _terminated_by(handler: Callable[[int, FrameType | None], Any]) -> Iterator[None]:
    """On SIGTERM what the command line does, in place of what Prefect would do: drop the run half-way."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def run_flow(job: Job, stop: threading.Event, watcher: Progress) -> RunSummary:
    """Run a job as its flow, from the command line.

    Raises:
        LiveTrafficError: as the run; also when Prefect's API cannot be reached.
    """
    global _session  # noqa: PLW0603 - flows take plain parameters only
    handler = signal.getsignal(signal.SIGTERM)
    _session = _Session(stop, watcher, handler if callable(handler) else None)
    parameters: dict[str, Any] = {
        "flags": job.flags,
        "as_of": job.as_of,
        "lock_wait": job.lock_wait,
        "scheduler": job.scheduler,
    }
    # The caller shows progress itself; Prefect gets its lines, the terminal does not.
    logging.getLogger("prefect.flow_runs").propagate = False
    try:
        with tags("live-traffic", "command line"):
            if job.name == "nightly":
                nightly(**parameters, return_state=True)
            else:
                backfill(
                    start=job.start,
                    end=job.end,
                    domains=list(job.domains),
                    force=job.force,
                    reason=job.reason,
                    **parameters,
                    return_state=True,
                )
    except (PrefectException, httpx.HTTPError, RuntimeError, ValueError) as error:
        if _session.summary is None and _session.error is None:
            raise _no_api(error) from error
    if _session.error is not None:
        raise _session.error
    if _session.summary is None:
        raise LiveTrafficError(
            "Prefect ended the run before it began.", "See its log, or use --engine direct."
        )
    return _session.summary


def _no_api(error: Exception) -> LiveTrafficError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return LiveTrafficError(
        f"Prefect's API could not be used: {reason}",
        "Check PREFECT_API_URL and that the server runs, or use --engine direct.",
    )


def serve_nightly(settings: Settings, flags: dict[str, Any], cron: str) -> None:
    """Serve ``nightly`` on a schedule until the process is stopped.

    Raises:
        ConfigError: the cron expression cannot be read.
    """
    try:
        schedule = Cron(cron, timezone=settings.timezone)
    except ValueError as error:
        raise ConfigError(
            f"--cron is {cron!r}, which is not a cron expression.",
            "Give five fields, such as '15 3 * * *' for a quarter past three every night.",
        ) from error
    given = {name: value for name, value in flags.items() if value is not None}
    # Prefect 3.8.8 says this of itself when it is stopped by a signal.
    warnings.filterwarnings("ignore", message="coroutine 'Runner.astop' was never awaited")
    runner = _Schedule(name="nightly", pause_on_shutdown=False)
    runner.add_flow(
        nightly,
        name="nightly",
        schedule=schedule,
        parameters={"flags": given},
        tags=["live-traffic"],
    )
    print(f"nightly is served: {cron}, {settings.timezone}", flush=True)
    asyncio.run(runner.start())


class _Schedule(Runner):
    """A runner whose runs come to their end when it is stopped; Prefect's own may kill them first."""

    def handle_sigterm(self, *args: Any, **kwargs: Any) -> None:
        """As Prefect's, after the runs."""
        end_children("prefect.engine", "spawn_main")
        super().handle_sigterm(*args, **kwargs)
