"""An object store that speaks HTTP on this machine, and a bucket of its own in it for every test.

It is started once for a test process and inherited by its children (``tests.object_server``).
"""

import atexit
import os
import subprocess
import sys
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

_KEYS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing-secret",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@cache
def endpoint(kind: str = "") -> str:
    """Where the store is, of a kind of ``tests.object_server``. The environment has keys for it."""
    os.environ.update(_KEYS)
    given = f"TEST_SERVER_S3{kind.upper()}"
    if given not in os.environ:
        os.environ[given] = _started(kind)
    return os.environ[given]


def _started(kind: str) -> str:
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.object_server", kind],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    atexit.register(_ended, server)
    assert server.stdout is not None
    return server.stdout.readline().strip()


def _ended(server: "subprocess.Popen[str]") -> None:
    server.kill()
    server.communicate()


def client() -> Any:
    """A client that is not the sink's, and not one of a process that this was forked from."""
    return _client_of(os.getpid())


@cache
def _client_of(_process: int) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=endpoint(),
        region_name="us-east-1",
        config=Config(request_checksum_calculation="when_required"),
    )


def url_of(place: Path) -> str:
    """The warehouse of a path: a prefix in a bucket that is created."""
    client().create_bucket(Bucket=_bucket(place))
    return f"s3://{_bucket(place)}/some/prefix"


def objects(place: Path) -> dict[str, Any]:
    """What the listing says of every object of the path's bucket, by name below the prefix."""
    pages = client().get_paginator("list_objects_v2").paginate(Bucket=_bucket(place))
    with suppress(client().exceptions.NoSuchBucket):
        found = [item for page in pages for item in page.get("Contents", ())]
        return {item["Key"].removeprefix("some/prefix/"): item for item in found}
    return {}


def read(place: Path, name: str) -> bytes:
    """An object's content."""
    answer = client().get_object(Bucket=_bucket(place), Key=f"some/prefix/{name}")
    return bytes(answer["Body"].read())


def drop(place: Path) -> None:
    """Remove the path's bucket."""
    for name in objects(place):
        client().delete_object(Bucket=_bucket(place), Key=f"some/prefix/{name}")
    with suppress(client().exceptions.NoSuchBucket):
        client().delete_bucket(Bucket=_bucket(place))


def _bucket(place: Path) -> str:
    return f"lt-{sha256(str(place).encode()).hexdigest()[:20]}"
