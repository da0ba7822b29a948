"""``python -m extract.standin``: the stand-in alone."""

import argparse
import sys
from collections.abc import Sequence
from datetime import datetime

from extract.standin.server import main_loop
from extract.standin.switches import SPECS, Panel, SwitchError


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the arguments and serve."""
    given = _parser().parse_args(arguments)
    try:
        return _serve(given)
    except OSError as error:
        sys.stderr.write(
            f"The stand-in cannot listen on port {given.port}: {error}. Try --port 0.\n"
        )
        return 1


def _serve(given: argparse.Namespace) -> int:
    return main_loop(
        port=given.port,
        as_json=given.json,
        domains=given.domains,
        seed=given.seed,
        requests_per_minute=given.requests_per_minute,
        now=given.now,
        switches=dict(given.switch),
        plain=given.plain,
        services=given.services,
        warm_up_days=given.warm_up,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m extract.standin",
        description="A local stand-in of Huawei Cloud Live and IAM. It is not Huawei Cloud.",
        epilog="Switches: " + ", ".join(SPECS),
    )
    parser.add_argument("--port", type=int, default=0, help="0 (the default) takes a free one")
    parser.add_argument("--json", action="store_true", help="one ready line of JSON")
    parser.add_argument("--domains", type=int, default=6, metavar="N")
    parser.add_argument("--plain", action="store_true", help="ordinary domains only")
    parser.add_argument(
        "--services", action="store_true", help="also a domain on the new service and a moved one"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument("--requests-per-minute", type=int, metavar="N", help="0 = no quota")
    parser.add_argument("--now", type=_instant, metavar="ISO", help="stand still at this instant")
    parser.add_argument("--warm-up", type=int, default=0, metavar="DAYS", help="render beforehand")
    parser.add_argument("--switch", type=_switch, action="append", default=[], metavar="NAME=VALUE")
    return parser


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise argparse.ArgumentTypeError("an instant needs a zone, such as 2026-03-01T00:00:00Z")
    return instant


def _switch(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    try:
        Panel({name: value})
    except SwitchError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return name, value


if __name__ == "__main__":
    sys.exit(main())
