"""The objects of one warehouse, through boto3; what goes wrong becomes a sentence."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from livetraffic.errors import SinkError
from load.objects.address import Address
from load.objects.failure import sentence

_AMAZON = (".amazonaws.com", ".amazonaws.com.cn")
_REGION = "us-east-1"
"""What a foreign store is signed for where no region is given."""
_PIECES = TransferConfig(multipart_threshold=64 << 20, multipart_chunksize=64 << 20)
_OPTIONS: dict[str, Any] = {
    "connect_timeout": 10,
    "read_timeout": 60,
    "retries": {"mode": "standard", "max_attempts": 5},
    "max_pool_connections": 16,
}
_PLAIN: dict[str, Any] = {
    "request_checksum_calculation": "when_required",
    "response_checksum_validation": "when_required",
}
"""Stores that do not know Amazon's trailing checksums keep them as part of the object."""
_ABSENT = {"NoSuchKey", "404", "NotFound"}
_CAME_TOO_LATE = {409, 412}


class Stored(NamedTuple):
    """An object as it was read."""

    body: bytes
    etag: str
    at: int
    """By the store's clock, in seconds."""


class Listed(NamedTuple):
    """An object in a listing."""

    name: str
    modified_at: int


class ObjectStore:
    """Objects by their names under the address. Safe for threads and after a fork.

    Args:
        address: bucket and prefix.
        endpoint: of the store; None: what the environment says (``AWS_ENDPOINT_URL_S3``), or Amazon's.
    """

    def __init__(self, address: Address, endpoint: str | None = None) -> None:
        self.address = address
        self._endpoint = endpoint

    def get(self, name: str) -> Stored | None:
        """The object, or None where there is none."""
        with self._told():
            try:
                answer = self._client.get_object(**self._named(name))
                return Stored(answer["Body"].read(), answer["ETag"], _date(answer))
            except ClientError as error:
                if _code(error) in _ABSENT:
                    return None
                raise

    def fetch(self, name: str, path: Path, size: int) -> None:
        """Write the object into a file of this machine.

        Raises:
            SinkError: it is not there, or not of that size.
        """
        with self._told():
            try:
                self._client.download_file(
                    self.address.bucket, self.address.key(name), str(path), Config=_PIECES
                )
            except ClientError as error:
                if _code(error) in _ABSENT:
                    raise self.gone(name) from error
                raise
        found = path.stat().st_size
        if found != size:
            raise self._differs(name, found, size)

    def put_file(self, name: str, path: Path) -> None:
        """Store a file, and see that it arrived whole.

        Raises:
            SinkError: the store holds another number of bytes than it was given.
        """
        with self._told():
            self._client.upload_file(
                str(path), self.address.bucket, self.address.key(name), Config=_PIECES
            )
            found = int(self._client.head_object(**self._named(name))["ContentLength"])
        size = path.stat().st_size
        if found != size:
            raise self._differs(name, found, size)

    def put(self, name: str, body: bytes) -> str:
        """Store the object, whatever is there; its tag."""
        with self._told():
            return str(self._client.put_object(**self._named(name), Body=body)["ETag"])

    def put_if(self, name: str, body: bytes, etag: str | None) -> str | None:
        """Store the object where it still has that tag (None: where there is none yet).

        Returns:
            Its new tag, or None where somebody came first.
        """
        condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        with self._told():
            try:
                answer = self._client.put_object(**self._named(name), Body=body, **condition)
                return str(answer["ETag"])
            except ClientError as error:
                late = _status(error) in _CAME_TOO_LATE
                if late or (etag is not None and _code(error) in _ABSENT):
                    return None
                raise

    def delete(self, name: str) -> None:
        """Remove the object; one that is not there is no failure."""
        with self._told():
            self._client.delete_object(**self._named(name))

    def listed(self, folder: str) -> tuple[int, list[Listed]]:
        """The store's clock, in seconds, and every object whose name begins with ``folder``."""
        start = len(self.address.key(""))
        found: list[Listed] = []
        now = 0
        with self._told():
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.address.bucket, Prefix=self.address.key(folder)
            )
            for page in pages:
                now = now or _date(page)
                for item in page.get("Contents", ()):
                    at = int(item["LastModified"].timestamp())
                    found.append(Listed(str(item["Key"])[start:], at))
        return now, found

    def now(self) -> int:
        """The store's clock, in seconds."""
        with self._told():
            return _date(self._client.head_bucket(Bucket=self.address.bucket))

    @property
    def endpoint(self) -> str:
        """Where requests go."""
        return str(self._client.meta.endpoint_url)

    def gone(self, name: str) -> SinkError:
        """The error for an object that the manifest named when it was read."""
        return SinkError(
            f"{self.address.key(name)} in {self.address} is no longer there.",
            "Another run replaced it while it was read: run it again. If it stays so, the object was"
            " removed by hand: restore it, or read its time again into a new warehouse.",
        )

    @property
    def _client(self) -> Any:
        return client(self._endpoint, os.getpid())

    def _named(self, name: str) -> dict[str, str]:
        return {"Bucket": self.address.bucket, "Key": self.address.key(name)}

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (BotoCoreError, ClientError, ValueError) as error:
            raise sentence(self.address, error) from error

    def _differs(self, name: str, found: int, size: int) -> SinkError:
        return SinkError(
            f"{self.address.key(name)} in {self.address} has {found} bytes, not {size}.",
            "The store changes what it is given, or lost a part; nothing was published."
            " Check the endpoint and what is between it and here.",
        )


@cache
def client(endpoint: str | None, process: int) -> Any:  # noqa: ARG001 - a forked child makes its own
    """boto3's client for an endpoint; it takes a second to make."""
    session = boto3.session.Session()
    given: dict[str, Any] = {"endpoint_url": endpoint} if endpoint else {}
    if session.region_name is None:
        given["region_name"] = _REGION
    made = session.client("s3", config=Config(**_OPTIONS), **given)
    if not is_foreign(made.meta.endpoint_url):
        return made
    return session.client("s3", config=Config(**_OPTIONS, **_PLAIN), **given)


def is_foreign(endpoint: str) -> bool:
    """Whether a store is another's than Amazon's."""
    return not (urlsplit(endpoint).hostname or "").endswith(_AMAZON)


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _date(answer: Any) -> int:
    """The store's clock as the answer's ``Date`` tells it."""
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    return int(parsedate_to_datetime(headers["date"]).timestamp())
