"""Commands around it: moving a warehouse, examining the set-up, trying it out."""

from pathlib import Path
from typing import Annotated

import typer

from flows.invocation import (
    ON_SOURCE,
    ON_WAREHOUSE,
    Invocation,
    LockWait,
    command,
)
from flows.stopping import stopping
from flows.summary import EXIT_CHECK_FAILED, EXIT_OK
from livetraffic.errors import ConfigError


@command("log_level", "log_format")
def copy(
    call: Invocation,
    source: Annotated[str, typer.Argument(help="Warehouse to read: a directory or a URL.")],
    target: Annotated[str, typer.Argument(help="Warehouse to fill, likewise.")],
    lock_wait: LockWait = "60s",
) -> int:
    """Move a warehouse into another store; exit 3 unless both agree at the end."""
    from flows import copying

    call.load_settings()
    with stopping() as stop:
        done = copying.copied(source, target, lock_wait, copying.Lines(call.say, stop), stop)
    if call.as_json:
        call.answer(done.document())
    else:
        copying.show(done)
    return EXIT_OK if done.verified else EXIT_CHECK_FAILED


@command(*ON_WAREHOUSE, as_of=True)
def fsck(
    call: Invocation,
    repair: Annotated[
        bool, typer.Option("--repair", help="Set damaged files aside; make their time due again.")
    ] = False,
    lock_wait: LockWait = "60s",
) -> int:
    """Look for damage in the warehouse; exit 3 if there is some."""
    from flows import fsck as examination

    loaded = call.load_settings()
    clock = call.clock(loaded, writes=repair)
    done = examination.examined(loaded, clock, repair=repair, lock_wait=lock_wait)
    if call.as_json:
        call.answer(done.document())
    else:
        examination.show(done, loaded)
    return done.exit_code


@command(*ON_SOURCE)
def doctor(
    call: Invocation,
    probe: Annotated[
        bool,
        typer.Option(
            "--probe", help="Measure what the source allows (at most 12 requests an API)."
        ),
    ] = False,
) -> int:
    """Check credentials, clock, endpoint, domains, quota and warehouse; say what to mend."""
    from flows import doctor as examination
    from flows import report

    checks = examination.examine(call, probes=probe)
    if call.as_json:
        call.answer({"checks": [check.document() for check in checks]})
    else:
        report.show_checks(checks)
    return max((check.exit_code for check in checks), default=EXIT_OK)


@command()
def standin(
    call: Invocation,
    port: Annotated[int, typer.Option(help="Port on the loopback; 0: a free one.")] = 0,
    domains: Annotated[int, typer.Option(help="How many domains, playback and push.")] = 6,
    seed: Annotated[int, typer.Option(help="Seed of the account and its traffic.")] = 1,
    requests_per_minute: Annotated[
        int | None, typer.Option(help="Its quota; 0: none.", show_default="300")
    ] = None,
    now: Annotated[str | None, typer.Option(help="Its clock stands at this instant.")] = None,
    switch: Annotated[list[str] | None, typer.Option(help="NAME=VALUE; repeats.")] = None,
    services: Annotated[
        bool, typer.Option("--services", help="Also a domain on the new service and a moved one.")
    ] = False,
) -> int:
    """Start the local API server that stands in for Huawei Cloud."""
    from zoneinfo import ZoneInfo

    from extract.standin.server import main_loop
    from extract.standin.switches import SwitchError
    from livetraffic.instants import parse_instant
    from livetraffic.window import from_seconds

    try:
        return main_loop(
            port=port,
            as_json=call.as_json,
            domains=domains,
            seed=seed,
            requests_per_minute=requests_per_minute,
            services=services,
            now=None if now is None else from_seconds(parse_instant(now, ZoneInfo("UTC"), "--now")),
            switches=dict(item.partition("=")[::2] for item in switch or []),
        )
    except SwitchError as error:
        raise ConfigError(f"--switch: {error}.", "Give NAME=VALUE.") from error
    except OSError as error:
        raise ConfigError(
            f"Port {port} cannot be used: {error.strerror}.", "Give another."
        ) from error


@command()
def demo(
    call: Invocation,
    directory: Annotated[Path, typer.Option(help="Where the demo's warehouse goes.")] = Path(
        "./demo"
    ),
) -> int:
    """Try it all against the stand-in: no account, no network."""
    from flows.demo import run_demo

    return run_demo(call, directory)
