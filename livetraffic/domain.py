"""A playback domain as the warehouse knows it, and the rules for names that come from outside."""

import re
from typing import NamedTuple

from livetraffic.errors import ConfigError

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")


class Domain(NamedTuple):
    """One row of ``domains``; instants are seconds since the epoch, UTC.

    ``region`` is the domain's Live centre as the domain list says (empty when never listed).
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


def domain_name(text: str) -> str:
    """The name in lower case, checked before it reaches a URL, a path, SQL or HTML.

    Raises:
        ConfigError: empty, longer than 253 characters, or not made of DNS labels in ASCII.
    """
    name = text.strip().lower().removesuffix(".")
    labels = name.split(".")
    if not name or len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        shown = text if len(text) <= 80 else f"{text[:77]}..."
        raise ConfigError(
            f"{shown!r} is not a domain name.",
            "Give playback domains such as play.example.com; an international name in its xn-- form.",
        )
    return name
