"""The vendor's request signature SDK-HMAC-SHA256, as a pure function.

Written from the published rules; proved against golden vectors (``tests/golden/signing``) and
against the vendor's own signer on random requests.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from extract.credentials import Secret

ALGORITHM = "SDK-HMAC-SHA256"
_DEFAULT_PORTS = {"https": 443, "http": 80}


def signed_headers(
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    ak: str,
    sk: Secret,
    at: datetime,
) -> dict[str, str]:
    """The headers that, sent with the request, prove that we hold the secret key.

    Args:
        method: HTTP method.
        url: the URL exactly as it will be sent, with its query.
        headers: the further headers to sign (content type, project, security token).
        body: the request's body, empty for none.
        ak: access key.
        sk: secret key.
        at: the instant of signing, zone-aware; the gateway accepts 15 minutes of skew.

    Returns:
        ``headers`` and ``Host``, ``X-Sdk-Date`` and ``Authorization``.
    """
    date = at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    complete = {**headers, "Host": host_header(url), "X-Sdk-Date": date}
    canonical = canonical_request(method, url, complete, body)
    signature = _hmac_hex(sk, string_to_sign(date, canonical))
    names = _signed_names(complete)
    complete["Authorization"] = (
        f"{ALGORITHM} Access={ak}, SignedHeaders={names}, Signature={signature}"
    )
    return complete


def canonical_request(method: str, url: str, headers: Mapping[str, str], body: bytes) -> str:
    """The request as the gateway will spell it out before hashing."""
    parts = urlsplit(url)
    values = {name.lower(): value.strip() for name, value in headers.items()}
    header_lines = "".join(f"{name}:{values[name]}\n" for name in sorted(values))
    lines = (
        method.upper(),
        _canonical_path(parts.path),
        _canonical_query(parts.query),
        header_lines,
        _signed_names(headers),
        hashlib.sha256(body).hexdigest(),
    )
    return "\n".join(lines)


def string_to_sign(date: str, canonical: str) -> str:
    """Algorithm, date (``yyyyMMddTHHmmssZ``) and hash of the canonical request."""
    return f"{ALGORITHM}\n{date}\n{hashlib.sha256(canonical.encode()).hexdigest()}"


def host_header(url: str) -> str:
    """The ``Host`` header of a URL: the port only where it is not the scheme's own."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2].lower()
    default = _DEFAULT_PORTS.get(parts.scheme)
    return host.removesuffix(f":{default}") if parts.port == default else host


def _canonical_path(path: str) -> str:
    encoded = "/".join(quote(segment, safe="~") for segment in unquote(path).split("/"))
    return encoded if encoded.endswith("/") else f"{encoded}/"


def _canonical_query(query: str) -> str:
    pairs = sorted(parse_qsl(query, keep_blank_values=True))
    return "&".join(f"{quote(key, safe='~')}={quote(value, safe='~')}" for key, value in pairs)


def _signed_names(headers: Mapping[str, str]) -> str:
    return ";".join(sorted(name.lower() for name in headers))


def _hmac_hex(sk: Secret, text: str) -> str:
    return hmac.new(sk.reveal().encode(), text.encode(), hashlib.sha256).hexdigest()
