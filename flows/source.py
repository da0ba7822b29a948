"""The source, wired from the settings: credentials, endpoints, rate budget, client."""

import threading
import time
from hashlib import sha256
from pathlib import Path

from extract.budget import SqliteBudget, Unmetered
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
from flows.outlook import Rules
from flows.settings import PREFIX, Settings, state_home
from flows.warehouse import is_database, local_path
from livetraffic.errors import ConfigError

STATE_FILE = ".state.sqlite"
QUARANTINE = ".quarantine"
MOST_SKEW_S = 300.0


def account_of(settings: Settings) -> str:
    """The account's name in the ledger: as configured, else ``default``."""
    return settings.account or "default"


def live_api(
    settings: Settings,
    rules: Rules,
    *,
    clock: Clock,
    stop: threading.Event,
    keeps_budget: bool,
    checks_clock: bool,
) -> LiveApi:
    """The client of the Live API. Sends nothing yet.

    Args:
        keeps_budget: share the rate budget with other processes through its state file. A command
            that only looks asks for one list and makes no warehouse for it.
        checks_clock: stop where the server's clock and ours disagree.

    Raises:
        ConfigError: credentials, project, region or endpoint are missing or contradict each other.
        SinkError: the state file cannot be used.
    """
    credentials = credentials_of(settings)
    place = Place(settings.region, settings.project_id, settings.endpoint, settings.iam_endpoint)
    beside = _beside(settings, place.live_url())
    state = Path(settings.state) if settings.state else beside / STATE_FILE
    budget = (
        SqliteBudget(state, clock=time.time, sleep=stop.wait)
        if keeps_budget or state.exists()
        else Unmetered(sleep=stop.wait)
    )
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
        account=account_of(settings),
        budget=budget,
        limits=rules.limits,
        step=rules.step,
        quarantine=Quarantine(beside / QUARANTINE, clock=real_clock),
    )


def _beside(settings: Settings, endpoint: str) -> Path:
    """The directory of what is kept beside a warehouse: the rate budget and rejected answers.

    A database has no directory: then it is one of the user's own for this account and endpoint, which
    all processes of this user on this machine share.
    """
    if not is_database(settings.warehouse):
        return local_path(settings.warehouse)
    name = sha256(f"{account_of(settings)} {endpoint}".encode()).hexdigest()[:16]
    return state_home() / "live-traffic" / name


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
