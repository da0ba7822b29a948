"""The place in an object store that a URL names."""

import re
from dataclasses import dataclass

from livetraffic.errors import ConfigError

SCHEME = "s3://"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9]")
_SETTING = "LIVE_TRAFFIC_WAREHOUSE"


@dataclass(frozen=True, slots=True)
class Address:
    """A bucket and the prefix of the warehouse in it, without slashes at its ends."""

    bucket: str
    prefix: str

    def __str__(self) -> str:
        return f"{SCHEME}{self.bucket}/{self.prefix}".rstrip("/")

    def key(self, name: str) -> str:
        """The key of an object of the warehouse."""
        return f"{self.prefix}/{name}" if self.prefix else name


def parse(text: str) -> Address:
    """The address of ``s3://bucket/prefix``; the prefix may be empty.

    Raises:
        ConfigError: it is no such URL.
    """
    bucket, _, prefix = text.removeprefix(SCHEME).partition("/")
    prefix = prefix.strip("/")
    if "@" in bucket or ":" in bucket:
        raise ConfigError(
            f"{_SETTING} holds more than a bucket and a prefix.",
            "Write s3://bucket/prefix; keys and the endpoint are given by AWS_ACCESS_KEY_ID,"
            " AWS_SECRET_ACCESS_KEY and AWS_ENDPOINT_URL_S3.",
        )
    if not _BUCKET.fullmatch(bucket):
        raise ConfigError(
            f"{_SETTING} names the bucket {bucket!r}, which is not a bucket's name.",
            "Write s3://bucket/prefix.",
        )
    if any(part in {"", ".", ".."} for part in prefix.split("/")) and prefix:
        raise ConfigError(
            f"{_SETTING} has a prefix that cannot be used: {prefix!r}.", "Write s3://bucket/prefix."
        )
    return Address(bucket, prefix)
