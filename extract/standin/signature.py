"""``SDK-HMAC-SHA256``, written from the vendor's description so that it can judge the client's."""

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, unquote

from extract.standin.wire import Request

ALGORITHM = "SDK-HMAC-SHA256"
UNSIGNED = "UNSIGNED-PAYLOAD"
_AUTHORIZATION = re.compile(
    r"SDK-HMAC-SHA256 Access=([^,\s]+), *SignedHeaders=([^,\s]+), *Signature=([0-9a-f]{64})"
)


@dataclass(frozen=True, slots=True)
class Authorization:
    """The parts of an ``Authorization`` header."""

    access_key: str
    signed_headers: tuple[str, ...]
    signature: str


def parse_authorization(header: str) -> Authorization | None:
    """The header's parts; None where it is not of this algorithm or malformed."""
    match = _AUTHORIZATION.fullmatch(header.strip())
    return Authorization(match[1], tuple(match[2].split(";")), match[3]) if match else None


def canonical_uri(path: str) -> str:
    """The path, each segment percent-encoded, with a trailing slash."""
    encoded = "/".join(_encode(unquote(segment)) for segment in path.split("/"))
    return encoded if encoded.endswith("/") else encoded + "/"


def canonical_query(pairs: Iterable[tuple[str, str]]) -> str:
    """All pairs encoded, sorted by key and value."""
    return "&".join(f"{_encode(key)}={_encode(value)}" for key, value in sorted(pairs))


def canonical_request(request: Request, signed_headers: Sequence[str]) -> str:
    """The text whose digest is signed.

    Raises:
        KeyError: a signed header is not in the request.
    """
    lines = [f"{name}:{request.headers[name].strip()}\n" for name in sorted(signed_headers)]
    return "\n".join(
        (
            request.method,
            canonical_uri(request.path),
            canonical_query(request.pairs),
            "".join(lines),
            ";".join(sorted(signed_headers)),
            _body_digest(request.headers, request.body),
        )
    )


def string_to_sign(date: str, canonical: str) -> str:
    """Algorithm, date and digest of the canonical request."""
    return f"{ALGORITHM}\n{date}\n{hashlib.sha256(canonical.encode()).hexdigest()}"


def sign(secret_key: str, text: str) -> str:
    """The signature: the secret key as it is, no key derivation."""
    return hmac.new(secret_key.encode(), text.encode(), hashlib.sha256).hexdigest()


def verifies(request: Request, authorization: Authorization, secret_key: str) -> bool:
    """Whether the request was signed with this key and has not been altered since."""
    signed = authorization.signed_headers
    if not {"host", "x-sdk-date"} <= set(signed) or any(n not in request.headers for n in signed):
        return False
    text = string_to_sign(request.headers["x-sdk-date"], canonical_request(request, signed))
    return hmac.compare_digest(sign(secret_key, text), authorization.signature)


def signed_at(date: str) -> int | None:
    """``X-Sdk-Date`` in seconds since the epoch; None where it is malformed."""
    if not re.fullmatch(r"\d{8}T\d{6}Z", date):
        return None
    try:
        return int(datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp())
    except ValueError:
        return None


def _encode(text: str) -> str:
    return quote(text, safe="-_.~")


def _body_digest(headers: Mapping[str, str], body: bytes) -> str:
    if headers.get("x-sdk-content-sha256") == UNSIGNED:
        return UNSIGNED
    return hashlib.sha256(body).hexdigest()
