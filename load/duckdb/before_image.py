"""What DuckDB writes over in place, kept beside it until it is closed: a torn write loses nothing.

A checkpoint writes data only where the file's header does not point. But a block of metadata holds pieces
of the old state and of the new one under one checksum, and is written over where it stands. Is that write
cut in the middle (by a kill, a full or failing disk, a power cut), nobody can open the file any more,
though its log is whole. So a writer keeps these blocks, and the header that speaks of them; whoever opens
the file next and finds that header in it still puts them back, and DuckDB goes on from its log.
"""

import fcntl
import os
import struct
from pathlib import Path

import duckdb

from load.directory import fsync_directory
from load.failure import writing

HEADER = 3 * 4096
"""Bytes of DuckDB's own header and of its two that take turns; block 0 begins behind them."""
_BLOCKS = (
    "SELECT block_id, (SELECT block_size FROM pragma_database_size()) FROM pragma_metadata_info()"
)
_PIECE = struct.Struct("<QQ")


def path_of(path: Path) -> Path:
    """Where the image of a database is kept."""
    return path.with_name(f".{path.name}.before")


def header_of(file: int) -> bytes:
    """What changes with every checkpoint, of the database behind a descriptor."""
    return os.pread(file, HEADER, 0)


class BeforeImage:
    """The image of the database at ``path``, which a connection of this process has open for writing.

    Args:
        file: a descriptor of it. Closing one gives up DuckDB's own lock on the file: so it stays open as
            long as the connection.
    """

    def __init__(self, path: Path, file: int) -> None:
        self._path = path
        self._kept = b""
        self._file = file

    def keep(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Keep what the next checkpoint may write over, durably; nothing where that is kept already.

        Raises:
            SinkError: it cannot be written.
        """
        header = header_of(self._file)
        if header == self._kept:
            return
        image, temporary = path_of(self._path), path_of(self._path).with_suffix(".tmp")
        with writing(self._path), temporary.open("wb") as stream:
            stream.write(header)
            for block, size in sorted(connection.execute(_BLOCKS).fetchall()):
                at = HEADER + block * size
                stream.write(_PIECE.pack(at, size) + os.pread(self._file, size, at))
            stream.flush()
            os.fsync(stream.fileno())
            temporary.replace(image)
            fsync_directory(image.parent)
        self._kept = header

    def close(self) -> None:
        """Let go of a database that is closed; where it has no log left, the image is not needed."""
        if not self._path.with_name(f"{self._path.name}.wal").exists():
            _dropped(self._path)


def put_back(path: Path) -> None:
    """Undo what a checkpoint that was cut has written over; the database must not be open here.

    Raises:
        SinkError: it cannot be written.
    """
    image = path_of(path)
    if not image.exists() or not os.access(path, os.W_OK):
        return
    with writing(path), path.open("r+b") as file:
        if not _locked(file.fileno()) or not image.exists():
            return  # its holder takes care of it, or has just done so
        content = image.read_bytes()
        if file.read(HEADER) == content[:HEADER]:
            _written_back(file.fileno(), content)
        image.unlink()
        fsync_directory(image.parent)


def _written_back(file: int, content: bytes) -> None:
    at = HEADER
    while at < len(content):
        place, size = _PIECE.unpack_from(content, at)
        at += _PIECE.size + size
        os.pwrite(file, content[at - size : at], place)
    os.fsync(file)


def _dropped(path: Path) -> None:
    """Remove the image, unless somebody else has the database now: then it is theirs."""
    with writing(path), path.open("r+b") as file:
        if _locked(file.fileno()):
            path_of(path).unlink(missing_ok=True)


def _locked(file: int) -> bool:
    """Whether the lock that DuckDB takes is free; it is held until the file is closed."""
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
