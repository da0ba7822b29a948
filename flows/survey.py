"""Which domains are wanted: the configured ones, or the listed ones and those that were listed."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from flows.bootstrap import Deps, Tenant, connect
from flows.clock import Clock, seconds
from flows.settings import Settings, account_settings
from livetraffic.domain import Domain, Listed, merge_configured, merge_listed
from livetraffic.errors import (
    ConfigError,
    CredentialsError,
    LiveTrafficError,
    SourceError,
    Stopped,
)
from livetraffic.window import ceil
from load.sink import Sink

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Surveyed:
    """The wanted domains, and the accounts of which they could not be told."""

    domains: list[Domain]
    failed: dict[str, LiveTrafficError] = field(default_factory=dict)


def survey(deps: Deps, *, save: bool) -> Surveyed:
    """The wanted domains of all accounts, asking the domain list unless domains are configured.

    Where a list cannot be had but domains are known, those are taken: their data expires whether
    or not the list answers. One of several accounts may fail; what is known of it stays.

    Args:
        save: write what the lists said into the warehouse.

    Raises:
        ConfigError: a domain is listed by two accounts at once.
        LiveTrafficError: the only account, or each of them, failed.
    """
    known = {domain.domain: domain for domain in deps.sink.domains()}
    lists, failed = _asked(deps, known)
    silent = [t for t in deps.tenants if t.name not in lists and t.name not in failed]
    if failed and not lists and not silent:
        raise next(iter(failed.values()))
    _refuse_doubles(deps, lists)
    found = [d for tenant in silent for d in known.values() if _is_of(d, tenant, deps)]
    for tenant in deps.tenants:
        if tenant.name in lists:
            found += _merged(deps, tenant, lists, known)
    if save:
        deps.sink.put_domains(found)
    wanted = [d for d in found if not deps.only or d.domain in deps.only]
    return Surveyed(sorted(wanted), failed)


def _asked(
    deps: Deps, known: Mapping[str, Domain]
) -> tuple[dict[str, list[Listed] | None], dict[str, LiveTrafficError]]:
    """Each account's list (None: its domains are configured), and the accounts that failed.

    An account in neither did not answer, but some of its domains are known.
    """
    lists: dict[str, list[Listed] | None] = {}
    failed: dict[str, LiveTrafficError] = dict(deps.broken)
    for tenant in deps.tenants:
        try:
            # The project may have to be looked up: here is where that may fail for one account.
            _ = tenant.api.project_id
            lists[tenant.name] = None if tenant.configured else tenant.api.list_domains()
        except Stopped:
            raise
        except SourceError as error:
            if any(_is_of(domain, tenant, deps) for domain in known.values()):
                log.warning("domain list not available", extra={"error": str(error)})
            else:
                failed[tenant.name] = error
        except LiveTrafficError as error:
            failed[tenant.name] = error
    return lists, failed


def _is_of(domain: Domain, tenant: Tenant, deps: Deps) -> bool:
    """Whether a known domain is this account's; a single account may have been renamed."""
    return domain.account == tenant.name or len(deps.tenants) + len(deps.broken) == 1


def _refuse_doubles(deps: Deps, lists: Mapping[str, list[Listed] | None]) -> None:
    pinned = {name for tenant in deps.tenants for name in tenant.configured}
    owner: dict[str, str] = {}
    for account, listed in lists.items():
        for item in listed or ():
            if item.domain_type not in ("pull", "") or item.domain in pinned:
                continue
            other = owner.setdefault(item.domain, account)
            if other != account:
                raise ConfigError(
                    f"The domain {item.domain} is listed by two accounts, {other} and {account}.",
                    'Pin it under one of them: domains = ["…"] in its [[accounts]].',
                )


def _merged(
    deps: Deps,
    tenant: Tenant,
    lists: Mapping[str, list[Listed] | None],
    known: Mapping[str, Domain],
) -> list[Domain]:
    now, project = seconds(deps.clock), tenant.api.project_id
    listed = lists[tenant.name]
    if listed is None:
        names = tenant.configured
        mine = [_moved_in(known[n], tenant, deps, None, now) for n in names if n in known]
        return merge_configured(mine, names, now=now, account=tenant.name, project_id=project)
    pinned = {n for other in deps.tenants if other is not tenant for n in other.configured}
    listed = [item for item in listed if item.domain not in pinned]
    created = {item.domain: item.create_time for item in listed}
    mine = [
        _moved_in(domain, tenant, deps, created[domain.domain], now)
        if domain.domain in created
        else domain
        for domain in known.values()
        if domain.domain in created or (_is_of(domain, tenant, deps) and _left(domain, lists))
    ]
    return merge_listed(mine, listed, now=now, account=tenant.name, project_id=project)


def _left(domain: Domain, lists: Mapping[str, list[Listed] | None]) -> bool:
    """Whether no other account lists the domain now: then it is still this one's."""
    return not any(
        item.domain == domain.domain
        for account, listed in lists.items()
        if account != domain.account
        for item in listed or ()
    )


def _moved_in(
    domain: Domain, tenant: Tenant, deps: Deps, create_time: int | None, now: int
) -> Domain:
    """A known domain under this account; one of another account of ours has moved here."""
    others = {other.name for other in deps.tenants if other is not tenant} | set(deps.broken)
    if domain.account not in others:
        return domain
    # The new account never writes before it had the domain.
    return domain._replace(
        api="",
        moved_at=ceil(now if create_time is None else create_time, deps.rules.step),
        previous_api=domain.api,
        previous_account=domain.account,
    )


def wanted_domains(settings: Settings, sink: Sink, clock: Clock) -> list[Domain]:
    """The wanted domains for a command that only looks: nothing is written.

    Asks the domain list where it can, else takes what the warehouse knows.

    Raises:
        ConfigError: no domain is known and none can be listed for want of credentials.
    """
    known = sink.domains()
    accounts = account_settings(settings)
    if settings.domains and not settings.accounts:
        project, account = settings.project_id or "", next(iter(accounts))
        return merge_configured(
            known, settings.domains, now=seconds(clock), account=account, project_id=project
        )
    try:
        deps = connect(settings, clock=clock, checks_clock=False)
    except ConfigError as error:
        return _known_at_least(known, error)
    try:
        return survey(deps, save=False).domains
    except CredentialsError as error:
        return _known_at_least(known, error)


def _known_at_least(known: list[Domain], error: LiveTrafficError) -> list[Domain]:
    if not known:
        raise error
    log.warning("domain list not asked", extra={"reason": str(error)})
    return known
