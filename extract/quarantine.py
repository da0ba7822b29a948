"""Keeps the answers that could not be understood, for whoever has to find out why."""

import hashlib
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import orjson


class Quarantine:
    """A folder of rejected answers; each is a body and a small JSON file of facts beside it.

    Args:
        directory: made when the first answer is kept; readable by its owner only.
        clock: dates the names, UTC.
        body_bytes: how much of a body is kept.
        total_bytes: the size of the folder above which the oldest files go.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        clock: Callable[[], datetime],
        body_bytes: int = 1 << 20,
        total_bytes: int = 50 << 20,
    ) -> None:
        self._directory = Path(directory)
        self._clock = clock
        self._body_bytes = body_bytes
        self._total_bytes = total_bytes

    def __call__(self, body: bytes, facts: Mapping[str, str]) -> str | None:
        """Keep an answer; its path, or None where it could not be kept (never an error)."""
        digest = hashlib.sha256(body).hexdigest()
        stamp = self._clock().astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        path = self._directory / f"{stamp}-{digest[:16]}.body"
        sheet = {**facts, "kept_at": stamp, "body_bytes": len(body), "sha256": digest}
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._directory.chmod(0o700)
            _write(path, body[: self._body_bytes])
            _write(path.with_suffix(".json"), orjson.dumps(sheet, option=orjson.OPT_INDENT_2))
            self._make_room(path)
        except OSError:
            return None
        return str(path)

    def _make_room(self, newest: Path) -> None:
        bodies = sorted(self._directory.glob("*.body"))
        sizes = {path: path.stat().st_size + _size(path.with_suffix(".json")) for path in bodies}
        total = sum(sizes.values())
        for path in bodies:
            if total <= self._total_bytes:
                return
            if path != newest:
                path.unlink(missing_ok=True)
                path.with_suffix(".json").unlink(missing_ok=True)
                total -= sizes[path]


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _write(path: Path, content: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
