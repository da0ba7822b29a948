"""The source, wired from the settings: credentials, endpoints, rate budget, client."""

import random
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from extract.auth import Authenticator, FixedToken
from extract.budget import SqliteBudget
from extract.credentials import (
    Credentials,
    KeyCredentials,
    PasswordCredentials,
    Secret,
    TokenCredentials,
)
from extract.endpoints import live_endpoint
from extract.live_api import LiveApi
from extract.quarantine import Quarantine
from extract.transport import Transport
from flows.clock import real_clock
from flows.outlook import Rules
from flows.settings import PREFIX, Settings
from flows.warehouse import local_path
from livetraffic.errors import ConfigError

STATE_FILE = ".state.sqlite"
QUARANTINE = ".quarantine"


def account_of(settings: Settings) -> str:
    """The account's name in the ledger: as configured, else ``default``."""
    return settings.account or "default"


def live_api(
    settings: Settings,
    rules: Rules,
    *,
    clock: Callable[[], datetime],
    stop: threading.Event,
) -> LiveApi:
    """The client of the Live API. Asks IAM only where the project ID is not configured.

    Raises:
        ConfigError: credentials, project, region or endpoint are missing or contradict each other.
        CredentialsError, SourceError: IAM was asked and said no, or could not be asked.
    """
    credentials = credentials_of(settings)
    endpoint = settings.endpoint or live_endpoint(_region(settings, "ENDPOINT"))
    authenticator, project_id = _identity(settings, credentials, clock=clock, stop=stop)
    warehouse = local_path(settings.warehouse)
    budget = SqliteBudget(
        Path(settings.state) if settings.state else warehouse / STATE_FILE,
        clock=time.time,
        sleep=stop.wait,
    )
    transport = Transport(
        endpoint,
        authenticator,
        budget,
        account=f"{account_of(settings)}/{project_id}",
        clock=clock,
        sleep=stop.wait,
        monotonic=time.monotonic,
        jitter=random.random,
    )
    return LiveApi(
        transport,
        project_id=project_id,
        region=settings.region or "",
        account=account_of(settings),
        limits=rules.limits,
        step=rules.step,
        clock=clock,
        quarantine=Quarantine(warehouse / QUARANTINE, clock=real_clock),
    )


def _identity(
    settings: Settings,
    credentials: Credentials,
    *,
    clock: Callable[[], datetime],
    stop: threading.Event,
) -> tuple[Authenticator, str]:
    """Who signs the requests, and for which project."""
    project_id = settings.project_id
    if isinstance(credentials, TokenCredentials):
        if project_id is None:
            raise ConfigError(
                f"A token is set without a project ({PREFIX}PROJECT_ID).",
                "Set the ID of the project that the token was issued for.",
            )
        return FixedToken(credentials), project_id
    raise ConfigError("todo", "")


def _region(settings: Settings, wanted: str) -> str:
    if settings.region:
        return settings.region
    raise ConfigError(
        f"Neither a region nor an endpoint is set ({PREFIX}REGION, {PREFIX}{wanted}).",
        f"Set {PREFIX}REGION to the project's region, such as cn-north-4.",
    )


def credentials_of(settings: Settings) -> "Credentials":
    """The one kind of credentials that is set.

    Raises:
        ConfigError: none, two kinds, or half of one.
    """
    from extract.credentials import TokenCredentials

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
