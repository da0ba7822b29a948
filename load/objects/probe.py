"""Whether a store enforces conditional writes: found out with writes that race, on scratch objects."""

import uuid
from concurrent.futures import ThreadPoolExecutor

from livetraffic.errors import SinkError
from load.objects.store import ObjectStore

FOLDER = "probe/"


def enforces_conditions(store: ObjectStore) -> bool:
    """Whether of two writers with the same condition exactly one succeeds.

    Asked is what a commit relies on: an object made only where there is none, and replaced only where
    it still is what was read. What it writes is removed again.

    Raises:
        ConfigError, SinkError: the store could not be written at all.
    """
    name = f"{FOLDER}{uuid.uuid4().hex}"
    try:
        store.put(f"{name}-plain", b"plain")  # what fails here is not for want of conditions
        first = _raced(store, name, None)
        if first is None:
            return False
        if store.put_if(name, b"late", '"00000000000000000000000000000000"') is not None:
            return False
        return _raced(store, name, first) is not None
    finally:
        for each in (name, f"{name}-plain"):
            store.delete(each)


def _raced(store: ObjectStore, name: str, etag: str | None) -> str | None:
    """The tag of the one write that succeeded; None where it was not exactly one."""

    def write(body: bytes) -> str | None:
        try:
            return store.put_if(name, body, etag)
        except SinkError:  # it does not know the condition
            return None

    bodies = (
        uuid.uuid4().bytes,
        uuid.uuid4().bytes,
    )  # a tag is a digest: equal ones would both fit
    with ThreadPoolExecutor(2) as pool:
        tags = [tag for tag in pool.map(write, bodies) if tag is not None]
    return tags[0] if len(tags) == 1 else None
