"""The tenant's domain list as the source gives it: pure."""

import logging
from datetime import UTC, datetime
from typing import Any

import orjson

from livetraffic.domain import Listed, domain_name
from livetraffic.errors import ConfigError, ContractError
from livetraffic.window import to_seconds

logger = logging.getLogger(__name__)

_REMEDY = "Report it with the kept answer, or name the domains in LIVE_TRAFFIC_DOMAINS."


def parse_domains(body: bytes) -> list[Listed]:
    """Read the body of a domain list, sorted by name, each domain once.

    A name that is not a domain name is left out with a warning; further fields are ignored.

    Raises:
        ContractError: it is no list of domains, or shorter than it says itself.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        raise ContractError("The domain list is not JSON.", _REMEDY) from exc
    rows = document.get("domain_info") if isinstance(document, dict) else None
    if not isinstance(rows, list):
        raise ContractError("The domain list has no list in its field domain_info.", _REMEDY)
    total = document.get("total")
    if isinstance(total, int | float) and total > len(rows):
        raise ContractError(f"The domain list says total {total:g} and lists {len(rows)}.", _REMEDY)
    found: dict[str, Listed] = {}
    for row in rows:
        listed = _listed(row)
        if listed is not None:
            found.setdefault(listed.domain, listed)
    return [found[name] for name in sorted(found)]


def _listed(row: Any) -> Listed | None:
    name = row.get("domain") if isinstance(row, dict) else None
    try:
        domain = domain_name(name if isinstance(name, str) else "")
    except ConfigError as exc:
        logger.warning("listed domain skipped", extra={"cause": exc.message})
        return None
    return Listed(
        domain=domain,
        domain_type=_text(row, "domain_type"),
        status=_text(row, "status"),
        service_area=_text(row, "service_area"),
        region=_text(row, "region"),
        related_domain=_text(row, "related_domain"),
        create_time=_seconds(row.get("create_time")),
    )


def _text(row: dict[str, Any], name: str) -> str:
    value = row.get(name)
    return value.strip()[:255] if isinstance(value, str) else ""


def _seconds(value: Any) -> int | None:
    """None where there is no creation time that can be read: then nothing is concluded from it."""
    if not isinstance(value, str):
        return None
    try:
        instant = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    return to_seconds(instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC))
