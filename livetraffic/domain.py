"""A playback domain as the warehouse knows it, and the rules for names that come from outside."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from livetraffic.errors import ConfigError

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")


class Domain(NamedTuple):
    """One row of ``domains``; instants are seconds since the epoch, UTC.

    ``region`` is the domain's Live centre as the domain list says (empty when never listed).
    ``api`` is ``v1``, ``v2`` or, while it is not known, empty. From ``moved_at`` on ``api`` and
    ``account`` serve the domain, before it ``previous_api`` and ``previous_account`` did.
    """

    domain: str
    domain_type: str
    status: str
    service_area: str
    related_domain: str
    create_time: int | None
    account: str
    project_id: str
    region: str
    first_seen: int
    last_seen: int
    unlisted_since: int | None = None
    api: str = ""
    moved_at: int | None = None
    previous_api: str = ""
    previous_account: str = ""


def domain_name(text: str) -> str:
    """The name in lower case, checked before it reaches a URL, a path, SQL or HTML.

    Raises:
        ConfigError: empty, longer than 253 characters, or not made of DNS labels in ASCII.
    """
    name = text.strip().lower().removesuffix(".")
    labels = name.split(".")
    # Lower case of the Kelvin sign is a plain k: what is not ASCII is refused before.
    ascii_only = text.strip().isascii() and len(name) <= 253
    if not ascii_only or not all(_LABEL.fullmatch(label) for label in labels):
        shown = text if len(text) <= 80 else f"{text[:77]}..."
        raise ConfigError(
            f"{shown!r} is not a domain name.",
            "Give playback domains such as play.example.com; an international name in its xn-- form.",
        )
    return name


class Listed(NamedTuple):
    """A domain as the domain list says it; ``create_time`` in seconds, UTC."""

    domain: str
    domain_type: str
    status: str
    service_area: str
    region: str
    related_domain: str
    create_time: int | None


def merge_listed(
    known: Iterable[Domain], listed: Iterable[Listed], *, now: int, account: str, project_id: str
) -> list[Domain]:
    """Every known and every listed pull domain after a list that was answered at ``now``.

    A known domain that is not listed any more stays, with the first time it was missed. What is
    known of the API that serves a domain, and of its move, stays too.
    """
    merged = {domain.domain: domain for domain in known}
    seen = set()
    for item in listed:
        if item.domain_type not in ("pull", ""):
            continue
        before = merged.get(item.domain) or _new(item.domain, now, account, project_id)
        seen.add(item.domain)
        merged[item.domain] = before._replace(
            domain_type=item.domain_type,
            status=item.status,
            service_area=item.service_area,
            related_domain=item.related_domain,
            create_time=item.create_time,
            account=account,
            project_id=project_id,
            region=item.region,
            last_seen=now,
            unlisted_since=None,
        )
    return sorted(
        domain._replace(unlisted_since=now)
        if domain.domain not in seen and domain.unlisted_since is None
        else domain
        for domain in merged.values()
    )


def merge_configured(
    known: Iterable[Domain], names: Iterable[str], *, now: int, account: str, project_id: str
) -> list[Domain]:
    """The configured domains, with what is known of them; the list is not asked."""
    before = {domain.domain: domain for domain in known}
    return sorted(
        before[name]._replace(last_seen=now, unlisted_since=None)
        if name in before
        else _new(name, now, account, project_id)
        for name in names
    )


def _new(name: str, now: int, account: str, project_id: str) -> Domain:
    return Domain(name, "", "", "", "", None, account, project_id, "", now, now)
