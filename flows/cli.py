"""The command line: text to types once, one command, one screen, one exit code.

Heavy parts (pandas, DuckDB, Prefect) are imported by the commands that need them, so that ``--help``
and ``plan`` start at once.
"""

import os
import signal
import sys
from collections.abc import Sequence

import typer
from typer.exceptions import TyperException

from flows.commands import looks, runs, tools
from flows.rights import keep_others_from_writing
from flows.stopping import Interrupted, interruptible
from flows.summary import EXIT_OK, error_document
from livetraffic.errors import ConfigError, LiveTrafficError, Stopped

app = typer.Typer(
    name="live-traffic",
    help="Keeps the playback traffic that Huawei Cloud Live forgets.",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for each in (
    runs.plan,
    runs.backfill,
    runs.nightly,
    runs.serve,
    looks.coverage,
    looks.expiring,
    looks.revisions,
    runs.reconcile,
    looks.report,
    looks.sql,
    tools.copy,
    tools.fsck,
    tools.doctor,
    tools.standin,
    tools.demo,
):
    app.command()(each)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; no traceback for a user's mistake."""
    given = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    try:
        return int(app(given, standalone_mode=False) or EXIT_OK)
    except LiveTrafficError as error:
        return _failed(error, given)
    except TyperException as error:
        usage = ConfigError(f"{error.format_message()}.".replace("..", "."), _HELP)
        return _failed(usage, given)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK
    except Interrupted as error:
        return _failed(_stopped_by(error.number), given)
    except (KeyboardInterrupt, typer.Abort):
        return _failed(_stopped_by(signal.SIGINT), given)


def _stopped_by(number: int) -> LiveTrafficError:
    stopped = Stopped("Stopped on request.")
    stopped.exit_code = 128 + number
    return stopped


_HELP = "See live-traffic --help."


def _failed(error: LiveTrafficError, arguments: Sequence[str]) -> int:
    if "--json" in arguments:
        import orjson

        print(orjson.dumps(error_document(error)).decode())
    else:
        print(f"live-traffic: {error}", file=sys.stderr)
    return error.exit_code


def entry() -> None:
    """The console script."""
    keep_others_from_writing()
    with interruptible():
        code = main()
    sys.exit(code)
