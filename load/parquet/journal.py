"""The journalled commit: files of one directory tree that appear together or not at all.

Every new file is written as a temporary in the root and fsynced; one journal that lists them is
published by a rename, which is the commit point; then the temporaries replace their targets and
the journal is deleted. Whoever writes next rolls a journal that it finds forward, and removes
temporaries without one. Nobody may be here without the commit lock.
"""

import json
import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import IO

from livetraffic.errors import SinkError
from load.directory import fsync_directory
from load.failure import damaged, writing
from load.lock import commit_lock

JOURNAL = ".journal"
COMMIT_LOCK = ".commit.lock"
DRAFT = ".commit-"
TEMPORARY = ".tmp"
_VERSION = 1


class Commit:
    """The files of one commit; nothing is visible before ``publish``."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._name = uuid.uuid4().hex
        self._targets: dict[str, str] = {}
        self._open: list[IO[bytes]] = []

    def create(self, target: str) -> IO[bytes]:
        """Open the temporary that will become ``target`` (a relative path with ``/``)."""
        temporary = f"{DRAFT}{self._name}-{len(self._targets)}{TEMPORARY}"
        self._targets[temporary] = target
        with writing(self._root):
            stream = (self._root / temporary).open("xb")
        self._open.append(stream)
        return stream

    def write(self, target: str, content: bytes) -> None:
        """Give ``target`` this content."""
        self.create(target).write(content)

    def publish(self) -> None:
        """Make all files durable, then visible. Without files it does nothing."""
        if not self._targets:
            return
        while self._open:
            _sealed(self._open.pop())
        _publish(self._root, self._targets)
        roll_forward(self._root)

    def discard(self) -> None:
        """Forget the files."""
        for stream in self._open:
            _closed(stream)
        for temporary in self._targets:
            _removed(self._root / temporary)


@contextmanager
def committing(root: Path) -> Iterator[Commit]:
    """Hold the commit lock, mend what a killed commit left, and publish at the end of the block.

    When the block fails nothing is published and its temporaries are removed.

    Raises:
        SinkError: the files could not be written.
    """
    with writing(root), commit_lock(root / COMMIT_LOCK):
        recover(root)
        commit = Commit(root)
        try:
            yield commit
            commit.publish()
        except BaseException:
            if not (root / JOURNAL).exists():
                commit.discard()
            raise


def leftovers(root: Path) -> bool:
    """Whether a commit is under way or was killed."""
    return (root / JOURNAL).exists() or any(True for _ in temporaries(root))


def check(root: Path) -> None:
    """Look at the published journal, and at what it speaks of.

    Raises:
        SinkError: it cannot be rolled forward.
    """
    for temporary, target in _journal(root).items():
        if not (root / temporary).exists() and not (root / target).exists():
            raise damaged(root / JOURNAL, f"neither {temporary} nor {target} is there")


def recover(root: Path) -> None:
    """Finish the commit that was published, and remove the files of one that was not."""
    roll_forward(root)
    for temporary in temporaries(root):
        temporary.unlink()


def roll_forward(root: Path) -> None:
    """Put the files of a published journal in their places and delete it; without one, nothing."""
    moves = _journal(root)
    if not moves:
        return
    _make_directories(root, moves.values())
    for temporary, target in moves.items():
        _put(root, root / temporary, root / target)
    for directory in sorted({(root / target).parent for target in moves.values()}):
        fsync_directory(directory)
    fsync_directory(root)
    (root / JOURNAL).unlink()
    fsync_directory(root)


def _put(root: Path, temporary: Path, target: Path) -> None:
    try:
        temporary.replace(target)
    except FileNotFoundError:
        if not target.exists():  # else it was replaced before the kill
            raise damaged(
                root / JOURNAL, f"neither {temporary.name} nor {target} is there"
            ) from None


def _publish(root: Path, moves: dict[str, str]) -> None:
    draft = root / f"{JOURNAL}{TEMPORARY}"
    with draft.open("wb") as stream:
        stream.write(json.dumps({"version": _VERSION, "moves": moves}).encode())
        stream.flush()
        os.fsync(stream.fileno())
    fsync_directory(root)  # the names of the temporaries, before the journal speaks of them
    draft.replace(root / JOURNAL)
    fsync_directory(root)


def _journal(root: Path) -> dict[str, str]:
    path = root / JOURNAL
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise damaged(path, "it is not JSON") from error
    if not isinstance(content, dict) or not isinstance(content.get("moves"), dict):
        raise damaged(path, "it is not a journal")
    if content.get("version") != _VERSION:
        raise SinkError(
            f"{path} was left by another version of live-traffic.",
            "Finish that run with the version that started it.",
        )
    for name in (name for move in content["moves"].items() for name in move):
        if not _stays_inside(name):
            raise damaged(path, f"it names {name!r}, outside the warehouse")
    return dict(content["moves"])


def _stays_inside(name: object) -> bool:
    if not isinstance(name, str) or not name or "\\" in name or "\0" in name:
        return False
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and str(path) == name


def temporaries(root: Path) -> Iterator[Path]:
    """The files of commits that are under way or were killed, but for a published journal."""
    for path in list(root.iterdir()):
        if path.name.startswith((DRAFT, JOURNAL)) and path.name.endswith(TEMPORARY):
            yield path


def _make_directories(root: Path, targets: Iterable[str]) -> None:
    """Make them durable before anything is moved in: a file must not be lost with its directory."""
    parents = {root / parent for target in targets for parent in PurePosixPath(target).parents}
    for directory in sorted(parents):
        directory.mkdir(exist_ok=True)
    for directory in sorted(parents):
        fsync_directory(directory)


def _sealed(stream: IO[bytes]) -> None:
    try:
        stream.flush()
        os.fsync(stream.fileno())
    finally:
        stream.close()


def _closed(stream: IO[bytes]) -> None:
    with suppress(OSError):  # its buffer may no longer fit the disk; the file goes away anyway
        stream.close()


def _removed(path: Path) -> None:
    with suppress(OSError):  # whoever writes next removes it
        path.unlink()
