"""The warehouse at ``s3://bucket/prefix``, wired: access keys are boto3's own business."""

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from flows.given import PREFIX
from flows.settings import Settings, cache_home
from livetraffic.errors import ConfigError
from load.sink import Sink

if TYPE_CHECKING:
    from load.objects.guards import Guard

QUIET_S = 61
"""After a run of another machine that shares no rate budget with this one."""
_SERVERS = ("postgresql", "postgres", "mysql", "mariadb")


def is_server(location: str) -> bool:
    """Whether this is the URL of a database server, which several machines can reach."""
    scheme, mark, _ = location.partition("://")
    return bool(mark) and scheme.partition("+")[0] in _SERVERS


def object_sink(location: str, settings: Settings) -> Sink:
    """The sink over an object store; nothing is asked of it yet.

    Raises:
        ConfigError: the URL cannot be used, or boto3 is not installed.
    """
    try:
        from load.objects.sink import ObjectSink
    except ImportError as error:
        raise ConfigError(
            f"Object stores need boto3, which is not installed ({error.name or error}).",
            "Install it: pip install 'live-traffic[s3]'.",
        ) from error
    shared = settings.state is not None and is_server(settings.state)
    return ObjectSink(
        location,
        cache=_copies(location, settings.s3_endpoint),
        endpoint=settings.s3_endpoint,
        guard=_guard(settings.state),
        quiet=0 if shared else QUIET_S,
    )


def _copies(location: str, endpoint: str | None) -> Path:
    name = sha256(f"{location} {endpoint or ''}".encode()).hexdigest()[:16]
    return cache_home() / "live-traffic" / name


def _guard(state: str | None) -> "Guard | None":
    if state is None:
        return None
    if is_server(state):
        from load.database.named_lock import ServerGuard

        return ServerGuard(state, setting=f"{PREFIX}STATE")
    from load.objects.guards import FileGuard

    return FileGuard(Path(state.removeprefix("sqlite:///")).expanduser())
