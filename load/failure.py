"""What the file system and Parquet can do to a warehouse, as sentences with a remedy."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from livetraffic.errors import ConfigError, LiveTrafficError, SinkError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
_NOT_A_DIRECTORY = {errno.ENOTDIR, errno.EEXIST}

_MEND = (
    "`live-traffic fsck --repair` sets it aside and makes its time due again; what the source has"
    " forgotten meanwhile is only in a copy of yours."
)


def damaged(path: object, why: object) -> SinkError:
    """The error for a file that is not what the warehouse put there."""
    line = str(why).strip().splitlines()[0].rstrip(".") if str(why).strip() else "unreadable"
    reason = "".join(sign if sign.isprintable() else "?" for sign in line)
    return SinkError(f"{path} is damaged or does not belong to this warehouse: {reason}.", _MEND)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what goes wrong while ``path`` is read into a ``SinkError``; absence passes through."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno is None:
            raise damaged(path, error) from error
        raise _refused(path, error, "read") from error
    except (pa.ArrowException, KeyError, UnicodeDecodeError) as error:
        raise damaged(path, error) from error


@contextmanager
def writing(root: Path) -> Iterator[None]:
    """Turn what goes wrong while the warehouse is written into a ``SinkError``."""
    try:
        yield
    except OSError as error:
        raise _refused(Path(error.filename or root), error, "written") from error
    except pa.ArrowException as error:
        raise SinkError(
            f"{root} could not be written: {error}.", "Nothing was changed; run it again."
        ) from error


def _refused(path: Path, error: OSError, what: str) -> LiveTrafficError:
    if error.errno in _FULL:
        return SinkError(
            f"{path} could not be {what}: no space is left on its device.",
            "Free some space and run it again; what was stored before is intact.",
        )
    if error.errno in _FORBIDDEN:
        return SinkError(
            f"{path} cannot be {what}: {error.strerror}.",
            "Give this user the right to it, or name another warehouse in LIVE_TRAFFIC_WAREHOUSE.",
        )
    if error.errno in _NOT_A_DIRECTORY:
        return ConfigError(
            f"{path} is not a directory.", "Name a directory in LIVE_TRAFFIC_WAREHOUSE."
        )
    return SinkError(
        f"{path} could not be {what}: {error.strerror or error}.",
        "Check the disk and run it again; what was stored before is intact.",
    )
