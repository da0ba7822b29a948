"""Credentials and addresses in, a client out. Sends nothing: what must be asked is asked on first use."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from extract.auth import Anonymous, Authenticator, FixedToken, SignedKeys
from extract.budget import Budget, Unmetered
from extract.credentials import (
    Credentials,
    KeyCredentials,
    PasswordCredentials,
    TokenCredentials,
)
from extract.endpoints import iam_endpoint, live_endpoint
from extract.exchange import Bounds, is_loopback
from extract.iam import NamedProject, PasswordTokens
from extract.live_api import LiveApi
from extract.patience import Sleeper
from extract.statistics import Keep
from extract.transport import Retries, Transport
from livetraffic.errors import ConfigError
from livetraffic.limits import Limits

Clock = Callable[[], datetime]
ProjectId = str | Callable[[], str]


@dataclass(frozen=True, slots=True)
class Place:
    """Which project of which region, and where its APIs are; overrides win over the region's own."""

    region: str | None = None
    project_id: str | None = None
    endpoint: str | None = None
    iam_endpoint: str | None = None

    def live_url(self) -> str:
        """The Live API's address.

        Raises:
            ConfigError: there is neither an endpoint nor a region with a known one.
        """
        if self.endpoint:
            return self.endpoint
        if self.region:
            return live_endpoint(self.region)
        raise ConfigError(
            "Neither a region nor an endpoint is set.",
            "Set LIVE_TRAFFIC_REGION (such as cn-north-4) or LIVE_TRAFFIC_ENDPOINT.",
        )

    def iam_url(self) -> str:
        """The identity service's address.

        Raises:
            ConfigError: it cannot be told.
        """
        if self.iam_endpoint:
            return self.iam_endpoint
        if self.endpoint and is_loopback(self.endpoint):
            raise ConfigError(
                "The endpoint is this machine, but the identity service is not.",
                "Set LIVE_TRAFFIC_IAM_ENDPOINT too, or a token and a project ID.",
            )
        return iam_endpoint(self.region or "")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the client needs of the world; see ``Transport``.

    ``clock`` may be simulated; ``real_clock`` signs and judges tokens.
    """

    clock: Clock
    real_clock: Clock
    sleep: Sleeper
    monotonic: Callable[[], float]
    retries: Retries | None = None
    bounds: Bounds | None = None
    jitter: Callable[[], float] = random.random
    max_skew_s: float | None = 300.0

    def transport(
        self, url: str, authenticator: Authenticator, budget: Budget, account: str
    ) -> Transport:
        """A transport in these surroundings."""
        return Transport(
            url,
            authenticator,
            budget,
            account=account,
            clock=self.clock,
            sleep=self.sleep,
            monotonic=self.monotonic,
            retries=self.retries,
            bounds=self.bounds,
            jitter=self.jitter,
            max_skew_s=self.max_skew_s,
        )


def connect(
    credentials: Credentials,
    place: Place,
    surroundings: Surroundings,
    *,
    account: str,
    budget: Budget,
    apis: Mapping[str, Limits],
    step: int,
    quarantine: Keep | None = None,
) -> LiveApi:
    """A client of one project's statistics.

    Args:
        credentials: who we are.
        place: where the source is.
        surroundings: clocks and waits.
        account: the account's name for the rate budget and the ledger.
        budget: the rate budget.
        apis: what each API that is in use allows.
        step: seconds.
        quarantine: keeps a body that could not be understood.

    Raises:
        ConfigError: an address, the region or the project is missing or cannot be used.
    """
    authenticator, project_id = _identity(credentials, place, surroundings, account)
    return LiveApi(
        surroundings.transport(place.live_url(), authenticator, budget, account),
        project_id=project_id,
        region=place.region or "",
        account=account,
        apis=apis,
        step=step,
        clock=surroundings.clock,
        quarantine=quarantine,
    )


def _identity(
    credentials: Credentials, place: Place, surroundings: Surroundings, account: str
) -> tuple[Authenticator, ProjectId]:
    """How requests are authenticated, and the project ID or the way to it."""

    def iam(authenticator: Authenticator) -> Transport:
        unmetered = Unmetered(sleep=surroundings.sleep)
        return surroundings.transport(place.iam_url(), authenticator, unmetered, account)

    match credentials:
        case TokenCredentials():
            token = FixedToken(credentials)
            return token, _project(place, lambda: iam(token))
        case KeyCredentials():
            clock = surroundings.real_clock
            bare = SignedKeys(credentials, project_id=None, real_clock=clock)
            project = _project(place, lambda: iam(bare))
            return SignedKeys(credentials, project_id=project, real_clock=clock), project
        case PasswordCredentials():
            tokens = PasswordTokens(
                credentials,
                iam=iam(Anonymous(credentials.password)),
                project_id=place.project_id,
                region=place.region,
                real_clock=surroundings.real_clock,
            )
            return tokens, place.project_id or tokens.project_id
        case _:
            assert_never(credentials)


def _project(place: Place, connect_iam: Callable[[], Transport]) -> ProjectId:
    if place.project_id:
        return place.project_id
    if not place.region:
        raise ConfigError(
            "Neither a project ID nor a region is set.",
            "Set LIVE_TRAFFIC_PROJECT_ID, or LIVE_TRAFFIC_REGION to have it looked up.",
        )
    place.iam_url()
    return NamedProject(connect_iam, place.region)
