"""Which domains are wanted: the configured ones, or the listed ones and those that were listed."""

import logging

from flows.bootstrap import Deps, connect
from flows.clock import Clock, seconds
from flows.settings import Settings
from flows.source import account_of
from livetraffic.domain import Domain, merge_configured, merge_listed
from livetraffic.errors import ConfigError, CredentialsError, SourceError
from load.sink import Sink

log = logging.getLogger(__name__)


def survey(deps: Deps, *, save: bool) -> list[Domain]:
    """The wanted domains, asking the domain list unless domains are configured.

    Where the list cannot be had but domains are known, those are taken: their data expires whether
    or not the list answers.

    Args:
        save: write what the list said into the warehouse.

    Raises:
        SourceError: the list cannot be had and no domain is known.
    """
    known = deps.sink.domains()
    now = seconds(deps.clock)
    if deps.configured:
        merged = merge_configured(
            known, deps.configured, now=now, account=deps.account, project_id=deps.api.project_id
        )
    else:
        try:
            listed = deps.api.list_domains()
        except SourceError as error:
            if not known:
                raise
            log.warning("domain list not available", extra={"error": str(error)})
            return known
        merged = merge_listed(
            known, listed, now=now, account=deps.account, project_id=deps.api.project_id
        )
    if save:
        deps.sink.put_domains(merged)
    return merged


def wanted_domains(settings: Settings, sink: Sink, clock: Clock) -> list[Domain]:
    """The wanted domains for a command that only looks: nothing is written.

    Asks the domain list where it can, else takes what the warehouse knows.

    Raises:
        ConfigError: no domain is known and none can be listed for want of credentials.
    """
    known = sink.domains()
    now = seconds(clock)
    if settings.domains:
        account, project = account_of(settings), settings.project_id or ""
        return merge_configured(
            known, settings.domains, now=now, account=account, project_id=project
        )
    try:
        return survey(connect(settings, clock=clock, checks_clock=False), save=False)
    except (ConfigError, CredentialsError) as error:
        if not known:
            raise
        log.warning("domain list not asked", extra={"reason": str(error)})
        return known
