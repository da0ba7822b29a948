"""The Prefect shell: the only importer of Prefect.

One flow a run, one task a batch (12 to 25 ms each), nothing through the result store. The tasks call
``pipeline.run`` with another mapper; the ledger, not Prefect, knows what is done, so nothing is cached
and nothing is retried here.
"""

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
from prefect import flow, runtime, task  # noqa: E402
from prefect.artifacts import create_markdown_artifact  # noqa: E402
from prefect.cache_policies import NO_CACHE  # noqa: E402
from prefect.client.schemas.objects import State  # noqa: E402
from prefect.exceptions import PrefectException  # noqa: E402
from prefect.schedules import Cron  # noqa: E402
from prefect.states import Completed, Failed  # noqa: E402
from prefect.task_runners import ThreadPoolTaskRunner  # noqa: E402

from flows.clock import real_clock  # noqa: E402
from flows.pipeline import WORKERS, LoadBatch  # noqa: E402
from flows.progress import Progress, Silent  # noqa: E402
from flows.running import Job, run_job  # noqa: E402
from flows.settings import Settings  # noqa: E402
from flows.summary import EXIT_OK, BatchReceipt, RunSummary, markdown  # noqa: E402
from livetraffic.errors import ConfigError, LiveTrafficError  # noqa: E402
from livetraffic.plan import Batch  # noqa: E402


@dataclass(slots=True)
class _Session:
    """What a caller in this process shares with the flow: how to stop, who watches, the outcome."""

    stop: threading.Event = field(default_factory=threading.Event)
    watcher: Progress = field(default_factory=Silent)
    on_terminate: Callable[[int, FrameType | None], Any] | None = None
    """What SIGTERM does; None: it stops the run, and then Prefect has its way with it."""
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
        )
    )


@flow(
    name="nightly",
    flow_run_name=_run_name,
    task_runner=ThreadPoolTaskRunner(max_workers=WORKERS),  # type: ignore[arg-type]
    persist_result=False,
)
def nightly(
    flags: dict[str, Any] | None = None, as_of: str | None = None, lock_wait: str = "60s"
) -> State[Any]:
    """Backfill with the default range: what the schedule runs."""
    return _run(Job("nightly", flags or {}, as_of, lock_wait=lock_wait))


def _run(job: Job) -> State[Any]:
    """The flow's end as a state: failed where the exit code would not be 0, never a traceback."""
    try:
        with _terminated_gently():
            summary = run_job(job, over_tasks, _session.stop, _session.watcher)
    except LiveTrafficError as error:
        _session.error = error
        return Failed(message=str(error))
    _session.summary = summary
    create_markdown_artifact(
        key=f"live-traffic-{job.name}", markdown=markdown(summary), description="Run summary"
    )
    state = Completed if summary.exit_code == EXIT_OK else Failed
    return state(message=summary.headline())


@contextmanager
def _terminated_gently() -> Iterator[None]:
    """On SIGTERM let the run commit what it has read; Prefect alone would drop it half-way."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []

    def stop_run(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        _session.stop.set()

    before = signal.signal(signal.SIGTERM, _session.on_terminate or stop_run)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        if received and callable(before):
            before(signal.SIGTERM, None)


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
    }
    try:
        if job.name == "nightly":
            nightly(**parameters, return_state=True)
        else:
            backfill(
                start=job.start,
                end=job.end,
                domains=list(job.domains),
                force=job.force,
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
    nightly.serve(
        name="nightly",
        schedule=schedule,
        parameters={"flags": given},
        pause_on_shutdown=False,
        print_starting_message=True,
    )
