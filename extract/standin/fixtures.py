"""The tenant that the stand-in pretends to serve, made from the seed: stable, obviously fake."""

import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

from extract.standin.domains import Domain, Kind
from livetraffic.window import DAY, HOUR, MINUTE, floor

REGION = "cn-north-4"
ENTERPRISE_PROJECT = "0"
OLD = 1_583_031_420  # 2020-03-01T02:57:00Z
PUBLISH = "publish001.example.com"


@dataclass(frozen=True, slots=True)
class Account:
    """One tenant with one user, one project and one pair of keys."""

    account: str
    account_id: str
    username: str
    user_id: str
    password: str = field(repr=False)
    project_id: str
    ak: str
    sk: str = field(repr=False)
    security_token: str = field(repr=False)
    region: str = REGION


def account(seed: int) -> Account:
    """The tenant of a seed."""
    return Account(
        account=f"standin-account-{seed}",
        account_id=_digest(seed, "account")[:32],
        username=f"standin-user-{seed}",
        user_id=_digest(seed, "user")[:32],
        password=f"standin-password-{_digest(seed, 'password')[:8]}",
        project_id=_digest(seed, "project")[:32],
        ak=f"STANDINAK{_digest(seed, 'ak')[:11].upper()}",
        sk=f"standinSK-not-a-real-secret-{_digest(seed, 'sk')[:16]}",
        security_token=f"standin-security-token-{_digest(seed, 'security')[:16]}",
    )


def domains(count: int, now: int, *, plain: bool = False) -> Iterator[Domain]:
    """``count`` domains; among the first six the special ones, unless ``plain``.

    In this order: an ordinary one, one beyond 2^31 bytes, an idle one, one created half-way through
    the last 90 days, an ingest domain, one switched off ten days ago that has history; then
    ordinary ones.
    """
    names = (f"play{number:03}.example.com" for number in itertools.count(1))
    ordinary = (Domain(name, create_time=OLD) for name in names)
    special = iter(()) if plain else _special(names, now)
    return itertools.islice(itertools.chain(special, ordinary), count)


def on_the_new_service(now: int) -> Iterator[Domain]:
    """Two more: one on the new service since 2020, and one that moved to it forty days ago."""
    yield Domain("new001.example.com", create_time=OLD, service="new")
    yield Domain("moved001.example.com", create_time=OLD, moved_at=floor(now, DAY) - 40 * DAY)


def _special(names: Iterator[str], now: int) -> Iterator[Domain]:
    today = floor(now, DAY)
    yield Domain(next(names), create_time=OLD)
    yield Domain(next(names), create_time=OLD, kind=Kind.HEAVY)
    yield Domain(next(names), create_time=OLD, kind=Kind.IDLE)
    yield Domain(next(names), create_time=today - 45 * DAY + 2 * HOUR + 57 * MINUTE)
    yield Domain(PUBLISH, create_time=OLD - MINUTE, domain_type="push")
    yield Domain(next(names), create_time=OLD, off=((today - 10 * DAY + 6 * HOUR, None),))


def _digest(seed: int, label: str) -> str:
    return hashlib.sha256(f"local-stand-in/{seed}/{label}".encode()).hexdigest()
