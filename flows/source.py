"""The source, wired from the settings: credentials, endpoints, rate budget, client."""

import threading
import time
from contextlib import AbstractContextManager

from extract.budget import Budget
from extract.connect import Place, Surroundings, connect
from extract.credentials import (
    Credentials,
    KeyCredentials,
    PasswordCredentials,
    Secret,
    TokenCredentials,
)
from extract.live_api import LiveApi
from extract.quarantine import Quarantine
from flows.clock import Clock, real_clock
from flows.given import PREFIX
from flows.outlook import Rules
from flows.rate_state import beside, budget_of
from flows.settings import Settings
from livetraffic.errors import ConfigError

QUARANTINE = ".quarantine"
MOST_SKEW_S = 300.0


def live_api(
    settings: Settings,
    rules: Rules,
    *,
    account: str,
    clock: Clock,
    stop: threading.Event,
    keeps_budget: bool,
    checks_clock: bool,
) -> LiveApi:
    """The client of the Live API. Sends nothing yet.

    Args:
        account: its name in the warehouse.
        keeps_budget: share the rate budget with other processes through its state. A command
            that only looks asks for one list and makes no warehouse for it.
        checks_clock: stop where the server's clock and ours disagree.

    Raises:
        ConfigError: credentials, project, region or endpoint are missing or contradict each other.
        SinkError: the state cannot be used.
    """
    credentials = credentials_of(settings)
    place = Place(settings.region, settings.project_id, settings.endpoint, settings.iam_endpoint)
    quota_of = settings.account or account
    kept = beside(settings, quota_of, place.live_url())
    budget = budget_of(settings, kept, sleep=stop.wait, keeps=keeps_budget)
    return connect(
        credentials,
        place,
        Surroundings(
            clock,
            real_clock,
            stop.wait,
            time.monotonic,
            max_skew_s=MOST_SKEW_S if checks_clock else None,
        ),
        account=account,
        budget=_Shared(quota_of, budget),
        apis=rules.apis,
        step=rules.step,
        quarantine=Quarantine(kept / QUARANTINE, clock=real_clock),
    )


class _Shared:
    """The rate budget of an account that several projects share, whatever they are called here."""

    def __init__(self, account: str, budget: Budget) -> None:
        self._account = account
        self._budget = budget

    def acquire(self, _account: str, endpoint: str, quota: int, /) -> AbstractContextManager[None]:
        return self._budget.acquire(self._account, endpoint, quota)

    def throttled(self, _account: str, endpoint: str, /) -> None:
        self._budget.throttled(self._account, endpoint)


def credentials_of(settings: Settings) -> "Credentials":
    """The one kind of credentials that is set.

    Raises:
        ConfigError: none, two kinds, or half of one.
    """
    kinds = [
        name
        for name, given in (
            (f"a token ({PREFIX}TOKEN)", settings.token),
            (f"a key pair ({PREFIX}AK and {PREFIX}SK)", settings.ak or settings.sk),
            (
                f"a password ({PREFIX}USERNAME, {PREFIX}PASSWORD and {PREFIX}ACCOUNT)",
                settings.username or settings.password,
            ),
        )
        if given is not None
    ]
    if len(kinds) > 1:
        raise ConfigError(
            f"Two kinds of credentials are set: {' and '.join(kinds)}.", "Keep one of them."
        )
    if settings.token is not None:
        return TokenCredentials(Secret(settings.token.get_secret_value()))
    if settings.ak is not None and settings.sk is not None:
        extra = settings.security_token
        return KeyCredentials(
            settings.ak.get_secret_value(),
            Secret(settings.sk.get_secret_value()),
            None if extra is None else Secret(extra.get_secret_value()),
        )
    if settings.username and settings.password is not None and settings.account:
        return PasswordCredentials(
            settings.username, Secret(settings.password.get_secret_value()), settings.account
        )
    found = f"Only half of {kinds[0]} is set." if kinds else "No credentials are set."
    raise ConfigError(
        found,
        f"Set {PREFIX}TOKEN, or {PREFIX}AK and {PREFIX}SK, or {PREFIX}USERNAME, {PREFIX}PASSWORD "
        f"and {PREFIX}ACCOUNT; without an account try: live-traffic demo.",
    )
