"""Every unknown of the source as a named switch with a default; the guesses are marked as such."""

import dataclasses
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from livetraffic.window import DAY, MINUTE, from_seconds, to_seconds

_LOOK_BACK = re.compile(r"([1-9]\d{0,3})(d|mo)")
_FLAGS = {"true": True, "yes": True, "1": True, "on": True}
_FLAGS |= {"false": False, "no": False, "0": False, "off": False}

Value = str | int | bool | tuple[int, ...]
_V = TypeVar("_V", bound=Value)


class SwitchError(ValueError):
    """A switch that does not exist, or a value it does not take."""


def _one_of(*choices: str) -> Callable[[object], Value]:
    def parse(value: object) -> Value:
        if str(value) not in choices:
            raise SwitchError("one of " + ", ".join(choices))
        return str(value)

    return parse


def _count(value: object) -> Value:
    if isinstance(value, bool) or not re.fullmatch(r"\d{1,9}", str(value)):
        raise SwitchError("a whole number, not negative")
    return int(str(value))


def _flag(value: object) -> Value:
    flag = _FLAGS.get(str(value).lower())
    if flag is None:
        raise SwitchError("true or false")
    return flag


def _counts(value: object) -> Value:
    parts = value if isinstance(value, (list, tuple)) else str(value).split(",")
    steps = tuple(sorted(int(str(_count(str(part).strip()))) for part in parts))
    if (
        not steps
        or steps[0] == 0
        or any(step * MINUTE % 300 or DAY % (step * 60) for step in steps)
    ):
        raise SwitchError("minutes that are multiples of 5 and divide a day, such as 5,60,1440")
    return steps


def _look_back(value: object) -> Value:
    if not _LOOK_BACK.fullmatch(str(value)):
        raise SwitchError("days or calendar months, such as 90d or 3mo")
    return str(value)


@dataclass(frozen=True, slots=True)
class Spec:
    """How a switch is read, what it is about, and whether its default is a guess."""

    parse: Callable[[object], Value]
    about: str
    guess: bool = True


def _switch(default: _V, parse: Callable[[object], Value], about: str, *, guess: bool = True) -> _V:
    spec = Spec(parse, about, guess)
    field: _V = dataclasses.field(default=default, metadata={"spec": spec})
    return field


@dataclass(frozen=True, slots=True)
class Switches:
    """The position of every switch."""

    idle: str = _switch("zero", _one_of("zero", "omit"), "idle periods: explicit zeros or left out")
    end_inclusive: bool = _switch(
        default=False,
        parse=_flag,
        about="whether a period that starts exactly at end_time is served",
    )
    unaligned_start: str = _switch(
        "floor",
        _one_of("floor", "next", "keep"),
        "a start between two periods; keep = its seconds stay",
    )
    default_step: int = _switch(5, _count, "step in minutes where the request names none")
    legal_steps: tuple[int, ...] = _switch((5, 60, 1440), _counts, "accepted steps in minutes")
    day_origin: str = _switch("UTC", _one_of("UTC", "UTC+8"), "where day periods begin")
    unknown_domain: str = _switch(
        "400", _one_of("empty", "400", "404"), "statistics of a domain that the tenant has not"
    )
    deleted_domain: str = _switch(
        "unknown", _one_of("unknown", "history"), "statistics of a domain that was deleted"
    )
    push_domain: str = _switch(
        "empty", _one_of("empty", "zero", "400", "404"), "traffic of an ingest domain"
    )
    empty_domain: str = _switch(
        "400", _one_of("400", "total"), "the parameter domain= without a value"
    )
    empty_tenant: str = _switch(
        "list", _one_of("list", "404"), "the domain list without any domain"
    )
    total_deleted: str = _switch(
        "include",
        _one_of("include", "omit"),
        "whether the tenant total holds deleted domains' past",
    )
    before_creation: str = _switch(
        "omit", _one_of("omit", "zero"), "periods before a domain was created"
    )
    profile: str = _switch(
        "2026",
        _one_of("2021", "2026"),
        "the v2 pages: 90 days, 10 domains, 20 requests a minute; or a year, 100, 20 a second",
        guess=False,
    )
    foreign_domain_v1: str = _switch(
        "400", _one_of("400", "404", "empty", "zero"), "v1 of a domain on the new service"
    )
    foreign_domain_v2: str = _switch(
        "empty", _one_of("empty", "zero", "400"), "v2 of a domain on the old service, or of none"
    )
    order: str = _switch(
        "ascending", _one_of("ascending", "descending", "shuffled"), "order of points"
    )
    delay_minutes: int = _switch(10, _count, "how long after its end a period is published")
    late_minutes: int = _switch(0, _count, "how long after its end a published value still grows")
    look_back: str = _switch(
        "90d", _look_back, "the oldest start: days (90d) or calendar months (3mo)"
    )
    retry_after: bool = _switch(default=False, parse=_flag, about="Retry-After on 429")
    rejected_count: bool = _switch(
        default=True, parse=_flag, about="whether rejected calls use up the quota too"
    )
    language: str = _switch("en", _one_of("en", "zh"), "language of Live's error messages")
    code_prefix: str = _switch(
        "APIGW", _one_of("APIGW", "APIG"), "prefix of the gateway's error codes"
    )
    gzip: bool = _switch(default=False, parse=_flag, about="compress where the client accepts it")
    traffic_per_minute: int = _switch(
        300, _count, "quota of the traffic API a user; 0 = none", guess=False
    )
    v2_per_minute: int = _switch(
        1200,
        _count,
        "quota of each v2 traffic API and of the peaks a user, 20 under profile 2021; 0 = none",
        guess=False,
    )
    bandwidth_per_minute: int = _switch(
        6000,
        _count,
        "quota of v2's bandwidth detail a user, 60 under profile 2021; 0 = none",
        guess=False,
    )
    domains_per_minute: int = _switch(
        300, _count, "quota of the domain list a user; 0 = none", guess=False
    )
    token_ttl: int = _switch(86_400, _count, "seconds an issued token lives", guess=False)
    security_token: str = _switch(
        "optional",
        _one_of("optional", "required"),
        "whether AK/SK need X-Security-Token",
        guess=False,
    )

    @property
    def quota_v2(self) -> int:
        """Requests a minute of each v2 operation but the next; 0 = none."""
        return min(self.v2_per_minute, 20) if self.profile == "2021" else self.v2_per_minute

    @property
    def quota_bandwidth(self) -> int:
        """Requests a minute of v2's bandwidth detail; 0 = none."""
        most = self.bandwidth_per_minute
        return min(most, 60) if self.profile == "2021" else most

    def edge_v2(self, now: int) -> int:
        """The oldest start that v2 may be asked for at ``now``."""
        return now - (90 if self.profile == "2021" else 365) * DAY

    def edge(self, now: int) -> int:
        """The oldest start that may be asked for at ``now``."""
        match = _LOOK_BACK.fullmatch(self.look_back)
        count, unit = (match[1], match[2]) if match else ("90", "d")
        return now - int(count) * DAY if unit == "d" else _months_before(now, int(count))


def _months_before(now: int, months: int) -> int:
    instant = from_seconds(now)
    year, month = divmod(instant.year * 12 + instant.month - 1 - months, 12)
    for day in range(instant.day, 0, -1):
        try:
            return to_seconds(instant.replace(year=year, month=month + 1, day=day))
        except ValueError:
            continue
    raise AssertionError


QUOTAS = ("traffic_per_minute", "v2_per_minute", "bandwidth_per_minute", "domains_per_minute")
"""The switches that hold quotas."""
SPECS: Mapping[str, Spec] = {f.name: f.metadata["spec"] for f in dataclasses.fields(Switches)}


class Panel:
    """The switches in force; they may be thrown while the server runs."""

    def __init__(self, settings: Mapping[str, object] | None = None) -> None:
        self._lock = threading.Lock()
        self.current = Switches()
        self.throw(settings or {})

    def throw(self, settings: Mapping[str, object]) -> None:
        """Change the switches named.

        Raises:
            SwitchError: an unknown switch or value; then none is changed.
        """
        # Any: each parser returns its own field's type, which replace() cannot know.
        parsed: dict[str, Any] = {name: _parsed(name, value) for name, value in settings.items()}
        with self._lock:
            self.current = dataclasses.replace(self.current, **parsed)

    def describe(self) -> dict[str, dict[str, object]]:
        """Each switch with its value, what it is about, and whether it is a guess."""
        return {
            name: {"value": getattr(self.current, name), "guess": spec.guess, "about": spec.about}
            for name, spec in SPECS.items()
        }


def _parsed(name: str, value: object) -> Value:
    spec = SPECS.get(name)
    if spec is None:
        raise SwitchError(f"there is no switch {name!r}; there are: {', '.join(SPECS)}")
    try:
        return spec.parse(value)
    except SwitchError as error:
        raise SwitchError(f"switch {name} takes {error}, not {value!r}") from None
