"""What a database can do to a load, as sentences with a remedy."""

from enum import Enum, auto

from sqlalchemy.exc import DBAPIError

from livetraffic.errors import ConfigError, LiveTrafficError, SinkError
from load.database.address import WAREHOUSE

_INTACT = "what was stored before is intact"


class Trouble(Enum):
    """What a driver's error means for us."""

    CONFLICT = auto()
    """Another transaction was in the way; the same once more may succeed."""
    LOST = auto()
    """The connection broke, or the server is just starting or stopping."""
    COLLISION = auto()
    """A key is there already."""
    ABSENT = auto()
    """A table, or the whole schema, is not there."""
    PASSWORD = auto()
    HOST = auto()
    REFUSED = auto()
    NO_DATABASE = auto()
    FORBIDDEN = auto()
    READ_ONLY = auto()
    FULL = auto()
    DISK = auto()
    NO_FILE = auto()
    DAMAGED = auto()
    OPTION = auto()
    OTHER = auto()


class KeyTakenError(SinkError):
    """A row met one of its key that the ledger did not speak of."""


RETRIED = frozenset({Trouble.CONFLICT, Trouble.LOST})

_SENTENCES: dict[Trouble, tuple[type[LiveTrafficError], str, str]] = {
    Trouble.CONFLICT: (
        SinkError,
        "{place} was kept busy by other transactions",
        f"Run it again when they are through; {_INTACT}.",
    ),
    Trouble.LOST: (
        SinkError,
        "The connection to {place} broke",
        f"Run it again when the server is up; {_INTACT}.",
    ),
    Trouble.COLLISION: (
        KeyTakenError,
        "{place} holds a row that another program wrote meanwhile",
        f"Let only live-traffic write these tables and run it again; {_INTACT}.",
    ),
    Trouble.ABSENT: (
        SinkError,
        "There is no warehouse in {place}",
        "Make one with `live-traffic backfill`.",
    ),
    Trouble.PASSWORD: (
        ConfigError,
        "{place} does not accept the user or its password",
        "Correct them in LIVE_TRAFFIC_WAREHOUSE; special characters are percent-encoded there.",
    ),
    Trouble.HOST: (
        ConfigError,
        "The host of {place} is not known",
        "Correct it in LIVE_TRAFFIC_WAREHOUSE, or check the name service.",
    ),
    Trouble.REFUSED: (
        SinkError,
        "{place} cannot be reached",
        "Check that the server runs and that host and port in LIVE_TRAFFIC_WAREHOUSE are its own.",
    ),
    Trouble.NO_DATABASE: (
        ConfigError,
        "The server has no such database as {place}",
        "Create it (CREATE DATABASE), or correct LIVE_TRAFFIC_WAREHOUSE.",
    ),
    Trouble.FORBIDDEN: (
        SinkError,
        "The user of {place} lacks a right",
        "Grant it; a loader creates tables, views and temporary tables and writes its own tables.",
    ),
    Trouble.READ_ONLY: (
        SinkError,
        "{place} can only be read",
        "Name the primary server or a writable file in LIVE_TRAFFIC_WAREHOUSE.",
    ),
    Trouble.FULL: (
        SinkError,
        "{place} could not be written: no space is left for it",
        f"Free some space and run it again; {_INTACT}.",
    ),
    Trouble.DISK: (
        SinkError,
        "{place} could not be read or written",
        f"Check its disk, and whether there is space left on it, and run it again; {_INTACT}.",
    ),
    Trouble.NO_FILE: (
        SinkError,
        "{place} cannot be opened",
        "Check that its directory exists and that this user may write there.",
    ),
    Trouble.DAMAGED: (
        SinkError,
        "{place} is damaged or not a SQLite database",
        "Restore it from a copy, or name another file in LIVE_TRAFFIC_WAREHOUSE.",
    ),
    Trouble.OPTION: (
        ConfigError,
        "{place} has an option that its driver does not take",
        "Correct what stands after the ? in LIVE_TRAFFIC_WAREHOUSE.",
    ),
    Trouble.OTHER: (
        SinkError,
        "{place} failed",
        f"Check the server and run it again; {_INTACT}.",
    ),
}
_TOLD = {
    Trouble.REFUSED,
    Trouble.DISK,
    Trouble.FORBIDDEN,
    Trouble.NO_FILE,
    Trouble.OPTION,
    Trouble.OTHER,
}


def cause_of(error: BaseException) -> BaseException:
    """The driver's own error."""
    orig = error.orig if isinstance(error, DBAPIError) else None
    return error if orig is None else orig


def sentence(
    trouble: Trouble, place: object, error: BaseException, secret: str
) -> LiveTrafficError:
    """The error for the user; ``secret`` is the password, which no sentence may hold."""
    kind, text, remedy = _SENTENCES[trouble]
    message = text.format(place=place)
    told = first_line(error, secret) if trouble in _TOLD else ""
    remedy = remedy.replace(WAREHOUSE, getattr(place, "setting", WAREHOUSE))
    return kind(f"{message}: {told}." if told else f"{message}.", remedy)


def first_line(error: BaseException, secret: str = "") -> str:
    """The first line of what a driver says, without the password and the final stop."""
    given = cause_of(error)
    words = str(given.args[1] if len(given.args) > 1 else given).strip()
    line = words.splitlines()[0].strip().rstrip(".!") if words else type(given).__name__
    return line.replace(secret, "***") if secret else line
