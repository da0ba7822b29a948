"""What every command shares: the settings as flags, ``--json``, ``--as-of``, and how it speaks."""

import functools
import inspect
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import orjson
import typer

from flows.clock import Clock, clock_at
from flows.outlook import Rules
from flows.warehouse import open_sink, rules_of
from livetraffic.errors import ConfigError
from livetraffic.instants import parse_duration, parse_instant, parse_range
from livetraffic.window import DAY, Window
from load.sink import Sink

if TYPE_CHECKING:
    from flows.settings import Settings

_Text = str | None


def _flag(name: str, text: str, panel: str, *words: str) -> Any:
    """A flag; ``words`` are what a shell offers for it."""
    return typer.Option(
        name,
        help=text,
        rich_help_panel=panel,
        show_default=False,
        autocompletion=(lambda: list(words)) if words else None,
    )


_WAREHOUSE = "Warehouse"
_SOURCE = "Source"
_TALK = "Output"
_LEVELS = ("debug", "info", "warning", "error")

FLAGS: dict[str, tuple[Any, Any]] = {
    "warehouse": (_Text, _flag("--warehouse", "Its directory or URL.", _WAREHOUSE)),
    "timezone": (_Text, _flag("--timezone", "Business time zone.", _WAREHOUSE)),
    "step_minutes": (
        _Text,
        _flag("--step-minutes", "5, 60 or 1440.", _WAREHOUSE, "5", "60", "1440"),
    ),
    "settle_after": (_Text, _flag("--settle-after", "Age that settles: 24h.", _WAREHOUSE)),
    "region": (_Text, _flag("--region", "Region of the project: cn-north-4.", _SOURCE)),
    "project_id": (_Text, _flag("--project-id", "Project ID of that region.", _SOURCE)),
    "endpoint": (_Text, _flag("--endpoint", "Base URL in place of the region's.", _SOURCE)),
    "iam_endpoint": (_Text, _flag("--iam-endpoint", "IAM's base URL, likewise.", _SOURCE)),
    "requests_per_minute": (_Text, _flag("--requests-per-minute", "The quota: 300.", _SOURCE)),
    "log_level": (_Text, _flag("--log-level", "debug, info, warning or error.", _TALK, *_LEVELS)),
    "log_format": (_Text, _flag("--log-format", "text or json.", _TALK, "text", "json")),
}
ON_WAREHOUSE = ("warehouse", "timezone", "step_minutes", "settle_after", "log_level", "log_format")
ON_SOURCE = (*FLAGS,)

Start = Annotated[_Text, _flag("--start", "From this date or instant on (2026-03-01).", "Range")]
End = Annotated[_Text, _flag("--end", "Up to this date or instant, exclusive.", "Range")]
DomainNames = Annotated[list[str] | None, _flag("--domain", "Only this domain; repeats.", "Range")]
Engine = Annotated[
    Literal["auto", "prefect", "dask", "direct"],
    typer.Option(help="auto: Prefect where an API is configured, else direct."),
]
Scheduler = Annotated[str, typer.Option(help="Dask cluster for the batches: tcp://host:8786.")]
LockWait = Annotated[str, typer.Option(help="How long to wait for another run.")]
Force = Annotated[bool, typer.Option("--force", help="Read settled windows again (restatement).")]
Reason = Annotated[str, typer.Option(help="Why, kept in the ledger with what is read.")]


@dataclass(frozen=True, slots=True)
class Invocation:
    """One call of a command: its flags, and how the answer is given."""

    flags: Mapping[str, Any]
    as_json: bool
    as_of: str | None

    def load_settings(self, *, domains: list[str] | None = None) -> "Settings":
        """The settings with this call's flags on top; logging is configured from them.

        Raises:
            ConfigError: a setting cannot be used.
        """
        from flows import logs, settings  # pydantic takes half of the time of --help

        loaded = settings.load({**self.flags, "domains": tuple(domains or ())})
        logs.configure(loaded.log_level, loaded.log_format)
        return loaded

    def clock(self, loaded: "Settings", *, writes: bool = False) -> Clock:
        """The real clock, or the one that ``--as-of`` sets.

        Raises:
            ConfigError: the instant cannot be read, or a command that writes was given it
                against a real endpoint.
        """
        if self.as_of is None:
            return clock_at(None)
        if writes and not _is_here(loaded.endpoint):
            raise ConfigError(
                "--as-of would write simulated times into a real warehouse.",
                "Use it with an endpoint on this machine only (live-traffic standin).",
            )
        return clock_at(parse_instant(self.as_of, loaded.zone, "--as-of"))

    def say(self, text: str) -> None:
        """Talk: to standard error, never mixed with the answer."""
        print(text, file=sys.stderr)

    def answer(self, document: Any) -> None:
        """The one JSON document, on standard output."""
        sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n")


def asked_range(start: str | None, end: str | None, loaded: "Settings", now: int) -> Window | None:
    """The range of ``--start`` and ``--end`` on the grid; None where neither is given.

    A missing end is a day past now (clipped to what is published), a missing start the retention.
    """
    if start is None and end is None:
        return None
    first = (
        now - _deepest(loaded) + loaded.margin
        if start is None
        else parse_instant(start, loaded.zone, "--start")
    )
    last = now + DAY if end is None else parse_instant(end, loaded.zone, "--end")
    return parse_range(first, last, loaded.step)


def instant_or_ago(text: str, loaded: "Settings", now: int, name: str) -> int:
    """An instant in seconds: a date, an instant, or a duration before now.

    Raises:
        ConfigError: it is none of them.
    """
    if _DURATION.fullmatch(text):
        return now - parse_duration(text, name)
    return parse_instant(text, loaded.zone, name)


_DURATION = re.compile(r"\d+[a-z]+")


def _is_here(endpoint: str | None) -> bool:
    from extract.exchange import is_loopback  # requests

    return endpoint is not None and is_loopback(endpoint)


def _deepest(loaded: "Settings") -> int:
    """How far back any API in use answers, in seconds."""
    return max(limits.retention for limits in rules_of(loaded).apis.values())


def reading(loaded: "Settings") -> tuple[Sink, Rules]:
    """The warehouse and its rules for a command that only looks.

    Raises:
        WarehouseMismatch: it was made with another step or zone.
    """
    sink = open_sink(loaded)
    sink.check(step=loaded.step, timezone=loaded.timezone)
    return sink, rules_of(loaded)


def command(*flags: str, as_of: bool = False) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """A command whose first argument is the ``Invocation`` made of these shared flags."""

    def decorate(function: Callable[..., int]) -> Callable[..., int]:
        own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
        shared = [_parameter(name, *FLAGS[name]) for name in flags]
        shared.append(
            _parameter("as_json", bool, _flag("--json", "One JSON document on stdout.", _TALK))
        )
        if as_of:
            shared.append(
                _parameter("as_of", _Text, _flag("--as-of", "Take this instant as now.", "Range"))
            )

        @functools.wraps(function)
        def wrapper(**given: Any) -> int:
            invocation = Invocation(
                {name: given.pop(name) for name in flags},
                bool(given.pop("as_json")),
                given.pop("as_of", None),
            )
            return function(invocation, **given)

        wrapper.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]
        wrapper.__annotations__ = {p.name: p.annotation for p in (*own, *shared)}
        return wrapper

    return decorate


def _parameter(name: str, kind: Any, option: Any) -> inspect.Parameter:
    default = False if kind is bool else None
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option]
    )
