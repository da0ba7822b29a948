"""The source's answers, and what to do about each: one table, read top to bottom.

Decided on status and code, never on the message, which is bilingual and changes. A code that is not
in the table falls back to the class of its status; what fits nowhere is refused, never retried.
Source of the rows: the vendor's error-code pages (see the sheet ``huawei-live-api`` section 7).
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

import orjson


class Action(StrEnum):
    """What an answer asks of us."""

    RETRY = "retry"
    """A fault of theirs that passes: again, with back-off."""
    RETRY_SLOWLY = "retry_slowly"
    """Maintenance: again, but with long waits; then it is a refusal."""
    THROTTLED = "throttled"
    """Too many requests: the budget is emptied for a minute, then again."""
    RENEW_TOKEN = "renew_token"  # noqa: S105 (no secret)
    """Once more with a new token; without one to renew, stop."""
    STOP = "stop"
    """Who we are is not accepted: every other request would fail too."""
    FORBIDDEN = "forbidden"
    """We are known but may not do this: every other request for the same would fail too."""
    UNKNOWN_DOMAIN = "unknown_domain"
    """The source does not know what we ask for; the other domains go on."""
    WINDOW = "window"
    """A request parameter, most likely a time rule; possibly an unknown domain."""
    GIVE_UP = "give_up"
    """This request will be refused again."""


class Row(NamedTuple):
    """One documented answer: ``statuses`` empty means any."""

    code: str
    statuses: tuple[int, ...]
    action: Action
    meaning: str


_LIVE = (
    Row("100011000", (500,), Action.RETRY, "internal communication error"),
    Row("100011001", (400,), Action.WINDOW, "invalid request parameter"),
    Row("100011002", (401,), Action.RENEW_TOKEN, "identity authentication failed"),
    Row("100011003", (401,), Action.FORBIDDEN, "no permission for this API"),
    Row("100011004", (400,), Action.GIVE_UP, "only HTTPS is supported"),
    Row("100011005", (500,), Action.RETRY, "internal server error"),
    Row("100011006", (400,), Action.RETRY_SLOWLY, "API not supported any more, or in maintenance"),
    Row("100011007", (500,), Action.THROTTLED, "too many concurrent requests"),
    Row("100011008", (400,), Action.RETRY_SLOWLY, "API stopped for maintenance"),
    Row("100011009", (400,), Action.STOP, "requested user does not exist"),
    Row("100011011", (400,), Action.GIVE_UP, "HTTP method not supported"),
    Row("100011012", (400,), Action.GIVE_UP, "unsupported media type"),
    Row("100011013", (400,), Action.STOP, "real-name authentication is missing"),
    Row("100011014", (401,), Action.STOP, "account frozen, deleted or in arrears"),
    Row("100011015", (401,), Action.STOP, "the project ID does not belong to the credentials"),
    Row("100011022", (400,), Action.GIVE_UP, "record task already exists"),
    Row("103011016", (403,), Action.GIVE_UP, "invalid request content"),
    Row("103011017", (500,), Action.RETRY, "synchronisation with CDN failed"),
    Row("103011018", (400,), Action.GIVE_UP, "resource already exists"),
    Row("103011019", (404,), Action.UNKNOWN_DOMAIN, "resource does not exist"),
    Row("103011020", (400,), Action.GIVE_UP, "domain quota reached"),
    Row("103011021", (400,), Action.RETRY, "database access failed"),
    Row("103011022", (400,), Action.GIVE_UP, "not allowed in the current state"),
    Row("103011023", (500,), Action.RETRY, "synchronisation with GSLB failed"),
    Row("103011024", (400,), Action.GIVE_UP, "ICP number is missing"),
    Row("103011025", (400,), Action.GIVE_UP, "ICP number cannot be changed"),
    Row("103011026", (400,), Action.GIVE_UP, "domain is on a blacklist"),
    Row("103011027", (400,), Action.GIVE_UP, "domain is on a blacklist"),
    Row("103011028", (500,), Action.RETRY, "synchronisation with DNS failed"),
)

_GATEWAY = (
    Row("0101", (404,), Action.GIVE_UP, "API not found: wrong endpoint, path or method"),
    Row("0103", (404,), Action.GIVE_UP, "the gateway has no backend for this API"),
    Row("0104", (400,), Action.GIVE_UP, "gateway plug-in error"),
    Row("0105", (400,), Action.GIVE_UP, "gateway backend configuration error"),
    Row("0106", (400,), Action.GIVE_UP, "gateway orchestration error"),
    Row("0201", (400,), Action.GIVE_UP, "bad request"),
    Row("0201", (413, 414, 494), Action.GIVE_UP, "body, URI or headers too large"),
    Row("0201", (502, 504), Action.RETRY, "backend unavailable or timed out"),
    Row("0301", (401,), Action.RENEW_TOKEN, "wrong IAM credentials"),
    Row("0302", (403,), Action.FORBIDDEN, "user not authorised"),
    Row("0303", (401,), Action.STOP, "wrong app credentials"),
    Row("0305", (401,), Action.STOP, "wrong authentication information"),
    Row("0306", (403,), Action.FORBIDDEN, "access denied"),
    Row("0307", (401,), Action.RENEW_TOKEN, "token expired, or of another region"),
    Row("0308", (429,), Action.THROTTLED, "request rate over the quota"),
    Row("0310", (403,), Action.STOP, "project unavailable"),
    Row("0311", (401,), Action.STOP, "wrong debug credentials"),
    Row("0401", (403,), Action.STOP, "client address unknown"),
    Row("0402", (403,), Action.STOP, "client address not allowed"),
    Row("0404", (403,), Action.STOP, "backend address denied"),
    Row("0501", (405,), Action.STOP, "app quota used up"),
    Row("0502", (405,), Action.STOP, "app frozen"),
    Row("0601", (500,), Action.RETRY, "gateway internal error"),
    Row("0602", (400,), Action.GIVE_UP, "bad request"),
    Row("0605", (500,), Action.RETRY, "gateway internal error"),
    Row("0606", (500,), Action.RETRY, "gateway internal error"),
    Row("0607", (400,), Action.GIVE_UP, "protocol not supported"),
    Row("0608", (500,), Action.RETRY, "gateway internal error"),
    Row("0609", (500,), Action.RETRY, "gateway internal error"),
    Row("0610", (502,), Action.RETRY, "no backend available"),
    Row("0611", (500,), Action.RETRY, "gateway internal error"),
    Row("0612", (500,), Action.RETRY, "gateway internal error"),
    Row("0613", (503,), Action.RETRY, "IAM unavailable"),
    Row("0705", (500,), Action.RETRY, "gateway internal error"),
    Row("0801", (403,), Action.STOP, "service not available in this region"),
    Row("0802", (403,), Action.STOP, "user not available in this region"),
)

_STATUS = (
    Row("", (401,), Action.RENEW_TOKEN, "not authenticated"),
    Row("", (408,), Action.RETRY, "request time-out"),
    Row("", (429,), Action.THROTTLED, "too many requests"),
    Row("", (501, 505), Action.GIVE_UP, "not supported by the server"),
    Row("", tuple(range(500, 600)), Action.RETRY, "server error"),
)

_REFUSED = Row("", (), Action.GIVE_UP, "refused")

ROWS = tuple(row._replace(code=f"LIVE.{row.code}") for row in _LIVE) + tuple(
    row._replace(code=f"APIGW.{row.code}") for row in _GATEWAY
)
"""Every row that is matched by code, with its usual prefix (``APIG.`` means the same)."""

_CODE = re.compile(r"(LIVE|APIGW|APIG)\.(\d{4,9})")


def decide(status: int, code: str | None) -> Row:
    """The row that says what to do about an answer that is not a success."""
    named = _rows_of(code)
    for row in named:
        if status in row.statuses:
            return row
    if named and len({row.action for row in named}) == 1:
        return named[0]
    for row in _STATUS:
        if status in row.statuses:
            return row
    return _REFUSED


def _rows_of(code: str | None) -> tuple[Row, ...]:
    match = _CODE.fullmatch(code or "")
    if match is None:
        return ()
    family = "LIVE" if match[1] == "LIVE" else "APIGW"
    return tuple(row for row in ROWS if row.code == f"{family}.{match[2]}")


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """What an error's body says, as far as it could be read; texts are cut to a line."""

    code: str | None = None
    message: str | None = None
    request_id: str | None = None


_CODE_NAMES = ("error_code", "code", "errorCode")
_MESSAGE_NAMES = ("error_msg", "message", "errorMsg")
_DEEPEST = 4


def read_error(body: bytes) -> ErrorBody:
    """Reads an error body of any of the source's shapes; what is not JSON says nothing."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ErrorBody()
    return _read(document, 0)


def _read(document: Any, depth: int) -> ErrorBody:
    if not isinstance(document, dict) or depth > _DEEPEST:
        return ErrorBody()
    code = _first_text(document, _CODE_NAMES)
    message = _first_text(document, (*_MESSAGE_NAMES, "error_detail"))
    request_id = _first_text(document, ("request_id",))
    if code is None and message is None:
        for value in document.values():
            inner = _read(value, depth + 1)
            if inner.code is not None or inner.message is not None:
                return ErrorBody(inner.code, inner.message, inner.request_id or request_id)
    return ErrorBody(code, message, request_id)


def _first_text(document: dict[str, Any], names: tuple[str, ...]) -> str | None:
    for name in names:
        value = document.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool):
            line = " ".join(str(value).split())
            return line if len(line) <= 200 else f"{line[:197]}..."
    return None
