"""``doctor``: checks the way to the source and the warehouse, one thing after the other."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

from flows.bootstrap import Deps, Tenant, connect
from flows.checks import Check, failed
from flows.invocation import Invocation
from flows.settings import Settings
from flows.warehouse import open_sink, shown
from livetraffic.errors import LiveTrafficError
from livetraffic.instants import duration_text


def examine(call: Invocation, *, probes: bool = False) -> list[Check]:
    """Every check that can still be made; a later one is left out where an earlier one bars it.

    Args:
        probes: also measure what the source allows, with up to a dozen requests an API.
    """
    try:
        settings = call.load_settings()
    except LiveTrafficError as error:
        return [failed("settings", error)]
    found = [Check("settings", ok=True, message=f"warehouse {shown(settings.warehouse)}")]
    found.extend(_warehouse(settings))
    found.extend(_metrics(settings))
    try:
        deps = connect(settings)
    except LiveTrafficError as error:
        return [*found, failed("credentials", error)]
    for name, reason in deps.broken.items():
        found.append(failed(f"account {name}", reason))
    for tenant in deps.tenants:
        checks = _source(deps, tenant)
        if probes:
            checks = chain(checks, _probed(deps, tenant))
        if len(deps.tenants) + len(deps.broken) > 1:
            checks = (replace(check, name=f"{tenant.name}: {check.name}") for check in checks)
        found.extend(checks)
    return found


def _checked(name: str, probe: Callable[[], str]) -> Check:
    try:
        return Check(name, ok=True, message=probe())
    except LiveTrafficError as error:
        return failed(name, error)


def _warehouse(settings: Settings) -> Iterator[Check]:
    sink = open_sink(settings)

    def probe() -> str:
        sink.check(step=settings.step, timezone=settings.timezone)
        known = len(sink.domains())
        return f"{known} known domains" if known else "not made yet; the first backfill makes it"

    yield _checked("warehouse", probe)


def _metrics(settings: Settings) -> Iterator[Check]:
    if settings.metrics_file is None:
        return
    folder = Path(settings.metrics_file).expanduser().absolute().parent
    ok = os.access(folder, os.W_OK | os.X_OK)
    message = f"written to {settings.metrics_file} after each run"
    if not ok:
        message = f"{folder} cannot be written. Make it, or correct LIVE_TRAFFIC_METRICS_FILE."
    yield Check("metrics", ok=ok, message=message, exit_code=0 if ok else 2)


def _source(deps: Deps, tenant: Tenant) -> Iterator[Check]:
    """One authenticated request tells of endpoint, credentials, clock and domains at once."""
    host = tenant.api.transport.host
    try:
        listed = tenant.api.list_domains()
    except LiveTrafficError as error:
        names = {"credentials": "credentials", "clock": "clock", "unreachable": "endpoint"}
        yield failed(names.get(error.code, "source"), error)
        return
    yield Check("endpoint", ok=True, message=f"{host} answers")
    yield Check("credentials", ok=True, message=f"accepted for project {tenant.api.project_id}")
    skew = tenant.api.clock_skew_s
    told = "the server tells no time" if skew is None else f"{duration_text(abs(skew))} apart"
    yield Check("clock", ok=skew is not None, message=told)
    yield _domains([item.domain for item in listed if item.domain_type == "pull"], tenant)
    for source, limits in deps.rules.apis.items():
        yield Check(
            f"quota {source}",
            ok=True,
            message=(
                f"{limits.requests_per_minute} requests a minute; windows of "
                f"{duration_text(limits.span)}, {duration_text(limits.retention)} back"
            ),
        )


def _probed(deps: Deps, tenant: Tenant) -> Iterator[Check]:
    from flows.probing import probe

    try:
        yield from probe(deps, tenant)
    except LiveTrafficError as error:
        yield failed("probe", error)


def _domains(listed: list[str], tenant: Tenant) -> Check:
    unknown = [name for name in tenant.configured if name not in listed]
    if unknown:
        shown = ", ".join(unknown[:5])
        message = f"{shown} not in the project's list. Correct LIVE_TRAFFIC_DOMAINS."
        return Check("domains", ok=False, message=message, exit_code=2)
    if not listed:
        message = "no playback domain is listed. Check LIVE_TRAFFIC_PROJECT_ID and the region."
        return Check("domains", ok=False, message=message, exit_code=2)
    chosen = f", {len(tenant.configured)} configured" if tenant.configured else ""
    return Check("domains", ok=True, message=f"{len(listed)} playback domains listed{chosen}")
