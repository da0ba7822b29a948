"""``doctor``: checks the way to the source and the warehouse, one thing after the other."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from flows.bootstrap import Deps, connect
from flows.invocation import Invocation
from flows.settings import Settings
from flows.warehouse import open_sink, shown
from livetraffic.errors import LiveTrafficError
from livetraffic.instants import duration_text


@dataclass(frozen=True, slots=True)
class Check:
    """One finding; ``exit_code`` is what the run would have ended with."""

    name: str
    ok: bool
    message: str
    exit_code: int = 0

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {"name": self.name, "ok": self.ok, "message": self.message}


def examine(call: Invocation) -> list[Check]:
    """Every check that can still be made; a later one is left out where an earlier one bars it."""
    try:
        settings = call.load_settings()
    except LiveTrafficError as error:
        return [_failed("settings", error)]
    found = [Check("settings", ok=True, message=f"warehouse {shown(settings.warehouse)}")]
    found.extend(_warehouse(settings))
    try:
        deps = connect(settings)
    except LiveTrafficError as error:
        return [*found, _failed("credentials", error)]
    found.extend(_source(deps, settings))
    return found


def _failed(name: str, error: LiveTrafficError) -> Check:
    return Check(name, ok=False, message=str(error), exit_code=error.exit_code)


def _checked(name: str, probe: Callable[[], str]) -> Check:
    try:
        return Check(name, ok=True, message=probe())
    except LiveTrafficError as error:
        return _failed(name, error)


def _warehouse(settings: Settings) -> Iterator[Check]:
    sink = open_sink(settings)

    def probe() -> str:
        sink.check(step=settings.step, timezone=settings.timezone)
        known = len(sink.domains())
        return f"{known} known domains" if known else "not made yet; the first backfill makes it"

    yield _checked("warehouse", probe)


def _source(deps: Deps, settings: Settings) -> Iterator[Check]:
    """One authenticated request tells of endpoint, credentials, clock and domains at once."""
    host = deps.api.transport.host
    try:
        listed = deps.api.list_domains()
    except LiveTrafficError as error:
        names = {"credentials": "credentials", "clock": "clock", "unreachable": "endpoint"}
        yield _failed(names.get(error.code, "source"), error)
        return
    yield Check("endpoint", ok=True, message=f"{host} answers")
    yield Check("credentials", ok=True, message=f"accepted for project {deps.api.project_id}")
    skew = deps.api.clock_skew_s
    told = "the server tells no time" if skew is None else f"{duration_text(abs(skew))} apart"
    yield Check("clock", ok=skew is not None, message=told)
    yield _domains([item.domain for item in listed if item.domain_type == "pull"], settings)
    limits = deps.rules.limits
    yield Check(
        "quota",
        ok=True,
        message=(
            f"{limits.requests_per_minute} requests a minute; windows of "
            f"{duration_text(limits.span)}, {duration_text(limits.retention)} back"
        ),
    )


def _domains(listed: list[str], settings: Settings) -> Check:
    unknown = [name for name in settings.domains if name not in listed]
    if unknown:
        shown = ", ".join(unknown[:5])
        message = f"{shown} not in the project's list. Correct LIVE_TRAFFIC_DOMAINS."
        return Check("domains", ok=False, message=message, exit_code=2)
    if not listed:
        message = "no playback domain is listed. Check LIVE_TRAFFIC_PROJECT_ID and the region."
        return Check("domains", ok=False, message=message, exit_code=2)
    chosen = f", {len(settings.domains)} configured" if settings.domains else ""
    return Check("domains", ok=True, message=f"{len(listed)} playback domains listed{chosen}")
