"""The body of a v2 traffic summary: pure."""

from collections.abc import Iterable

import orjson

from livetraffic.errors import ContractError

_REMEDY = (
    "Report it with the kept answer: the API has changed, or the endpoint is not the Live API."
)
_LARGEST = 2**63 - 1


def parse_summary(body: bytes, asked: Iterable[str]) -> dict[str, int]:
    """The bytes by domain, of the domains that were asked for; others are left out.

    Raises:
        ContractError: it is not a summary, a value is no number of bytes, or a domain stands in it
            twice with different values. A sum that is half understood would be a wrong check.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        raise ContractError("The summary is not JSON.", _REMEDY) from exc
    rows = document.get("traffic_list") if isinstance(document, dict) else None
    if not isinstance(rows, list):
        raise ContractError("The summary has no list in its field traffic_list.", _REMEDY)
    wanted, found = frozenset(asked), dict[str, int]()
    for row in rows:
        name = row.get("domain") if isinstance(row, dict) else None
        if not isinstance(name, str):
            raise ContractError("A row of the summary has no field domain.", _REMEDY)
        value = _bytes(row.get("value"))
        if value is None:
            raise ContractError(f"The summary's value of {name[:253]!r} is no byte count.", _REMEDY)
        name = name.strip().lower()
        if found.setdefault(name, value) != value:
            raise ContractError(f"The summary has two values of {name[:253]!r}.", _REMEDY)
    return {name: value for name, value in found.items() if name in wanted}


def _bytes(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 19:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= _LARGEST else None
