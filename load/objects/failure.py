"""What an object store can do to a warehouse, as sentences with a remedy; no key is ever in them."""

from typing import Any

from botocore.exceptions import (
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
)
from botocore.exceptions import (
    ConnectionError as Unreachable,
)

from livetraffic.errors import ConfigError, LiveTrafficError, SinkError
from load.objects.address import Address

_INTACT = "what was stored before is intact"
_KEYS = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE."
_ENDPOINT = "Check AWS_ENDPOINT_URL_S3 (or LIVE_TRAFFIC_S3_ENDPOINT) and the network"

_CODES: dict[str, tuple[type[LiveTrafficError], str, str]] = {
    "NoSuchBucket": (
        ConfigError,
        "There is no bucket {bucket}",
        "Create it, or correct LIVE_TRAFFIC_WAREHOUSE or the endpoint.",
    ),
    **dict.fromkeys(
        ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken"),
        (ConfigError, "{place} does not accept the access key", _KEYS),
    ),
    **dict.fromkeys(
        ("AccessDenied", "403", "Forbidden", "AllAccessDisabled"),
        (
            SinkError,
            "The access key lacks a right in {place}",
            "Grant it to read, write, list and delete objects there.",
        ),
    ),
    **dict.fromkeys(
        ("PermanentRedirect", "AuthorizationHeaderMalformed", "301", "IllegalLocationConstraint"),
        (ConfigError, "{place} is in another region", "Set AWS_REGION to the bucket's."),
    ),
}
_CREDENTIALS = (NoCredentialsError, PartialCredentialsError, ProfileNotFound)


def sentence(place: Address, error: Exception) -> LiveTrafficError:
    """The error for the user."""
    if isinstance(error, ClientError):
        return _answered(place, error)
    if isinstance(error, _CREDENTIALS):
        return ConfigError(f"No usable access key for {place} was found.", _KEYS)
    if isinstance(error, Unreachable | HTTPClientError):
        return SinkError(f"{place} cannot be reached.", f"{_ENDPOINT}; {_INTACT}.")
    if isinstance(error, ParamValidationError | ValueError):
        return ConfigError(f"{place} cannot be used: {_line(error)}.", f"{_ENDPOINT}.")
    return SinkError(f"{place} failed: {_line(error)}.", f"Run it again; {_INTACT}.")


def _answered(place: Address, error: ClientError) -> LiveTrafficError:
    response: Any = error.response
    code = str(response.get("Error", {}).get("Code", ""))
    if code in _CODES:
        kind, text, remedy = _CODES[code]
        return kind(f"{text.format(place=place, bucket=place.bucket)}.", remedy)
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", "no status")
    return SinkError(
        f"{place} answered {code or 'nothing known'} ({status}).", f"Run it again; {_INTACT}."
    )


def _line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".") if str(error) else type(error).__name__
