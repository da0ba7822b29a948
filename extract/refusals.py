"""What an answer's status and headers mean, as errors and seconds: pure."""

from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from extract.answers import Action, ErrorBody, Row
from extract.credentials import Secret, masked
from extract.exchange import Reply
from livetraffic.errors import (
    CredentialsError,
    LiveTrafficError,
    Refused,
    SourceError,
    Throttled,
    Unavailable,
    UnknownDomain,
)

_CLASSES: dict[Action, type[SourceError]] = {
    Action.RETRY: Unavailable,
    Action.RETRY_SLOWLY: Refused,
    Action.THROTTLED: Throttled,
    Action.UNKNOWN_DOMAIN: UnknownDomain,
    Action.WINDOW: Refused,
    Action.GIVE_UP: Refused,
}

_LATER = "It stays due and is asked for again in the next run."

_REMEDIES: dict[Action, str] = {
    Action.RETRY: _LATER,
    Action.RETRY_SLOWLY: "If it lasts, ask the vendor whether this API is still served.",
    Action.THROTTLED: f"{_LATER} Lower LIVE_TRAFFIC_REQUESTS_PER_MINUTE if other programs share "
    "the quota.",
    Action.RENEW_TOKEN: "Check the credentials, and that they, the project and the endpoint are of "
    "the same region.",
    Action.FORBIDDEN: "Give the user the permission for this API, and check the project and region.",
    Action.STOP: "Check the credentials, their permissions, the project ID and the region.",
    Action.UNKNOWN_DOMAIN: "Check its spelling, and that it is a playback domain of this project.",
    Action.WINDOW: "Report it with the request ID.",
    Action.GIVE_UP: "Check the endpoint and the region; report it with the request ID if they are "
    "right.",
}


def error_for(
    row: Row, reply: Reply, body: ErrorBody, *, host: str, secrets: Iterable[Secret]
) -> LiveTrafficError:
    """The error that says what the source answered; no secret of ours is in it."""
    if 300 <= reply.status < 400:
        return _redirected(reply, host)
    request_id = body.request_id or reply.request_id
    code = None if body.code == str(reply.status) else body.code
    facts = [f"HTTP {reply.status}", code, f"request {request_id}" if request_id else None]
    said = f' It says: "{masked(body.message, secrets)}".' if body.message is not None else ""
    message = f"{host} answers: {row.meaning} ({', '.join(fact for fact in facts if fact)}).{said}"
    remedy = _REMEDIES[row.action]
    if row.action in (Action.STOP, Action.FORBIDDEN, Action.RENEW_TOKEN):
        return CredentialsError(message, remedy)
    return _CLASSES[row.action](
        message, remedy, status=reply.status, error_code=code, request_id=request_id
    )


def _redirected(reply: Reply, host: str) -> Refused:
    try:
        target = urlsplit(reply.headers.get("location", "")).netloc.rpartition("@")[2]
    except ValueError:
        target = ""
    return Refused(
        f"{host} redirects to {target or 'another path'} (HTTP {reply.status}); "
        "redirects are not followed, because the request carries credentials.",
        "Set LIVE_TRAFFIC_ENDPOINT to the API itself; behind a captive portal sign in first.",
        status=reply.status,
        request_id=reply.request_id,
    )


def retry_after_s(reply: Reply, now: datetime) -> float:
    """The seconds that the server asks us to wait; 0 where it does not say."""
    text = reply.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    until = _http_date(text)
    if until is None:
        return 0.0
    reference = _http_date(reply.headers.get("date", "")) or now
    return max(0.0, (until - reference).total_seconds())


def server_skew_s(reply: Reply, now: datetime) -> float | None:
    """The server's clock minus ours in seconds; None where the answer has no date."""
    date = _http_date(reply.headers.get("date", ""))
    return None if date is None else (date - now).total_seconds()


def skew_sentence(skew_s: float) -> tuple[str, str]:
    """What a skew means for the user, and what to do."""
    direction = "behind" if skew_s > 0 else "ahead of"
    message = (
        f"This machine's clock is {_duration(abs(skew_s))} {direction} the server's, "
        "so no age and no retention can be trusted; nothing of the answer was used."
    )
    return message, "Set the clock (NTP), then run again."


def _http_date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date


def _duration(seconds: float) -> str:
    for size, name in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= 2 * size or (seconds >= size and name != "minute"):
            count = round(seconds / size)
            return f"{count} {name}{'' if count == 1 else 's'}"
    return f"{seconds:.0f} seconds"
