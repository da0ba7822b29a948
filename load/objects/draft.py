"""The files of one commit before they are uploaded, in a temporary directory."""

import tempfile
from pathlib import Path
from typing import IO

from load.failure import writing

PREFIX = ".draft-"


class Draft:
    """``load.parquet.files.Draft`` in a directory in ``beside`` that goes away with ``discard``."""

    def __init__(self, beside: Path) -> None:
        with writing(beside):
            beside.mkdir(parents=True, exist_ok=True)
            self._directory = tempfile.TemporaryDirectory(prefix=PREFIX, dir=beside)
        self._root = Path(self._directory.name)
        self._open: list[IO[bytes]] = []
        self.files: dict[str, Path] = {}

    def create(self, target: str) -> IO[bytes]:
        """As ``Draft.create``."""
        path = self._root / str(len(self.files))
        with writing(self._root):
            stream = path.open("xb")
        self.files[target] = path
        self._open.append(stream)
        return stream

    def write(self, target: str, content: bytes) -> None:
        """As ``Draft.write``."""
        self.create(target).write(content)

    def seal(self) -> None:
        """Close the files: they are whole."""
        with writing(self._root):
            while self._open:
                self._open.pop().close()

    def discard(self) -> None:
        """Remove them."""
        while self._open:
            self._open.pop().close()
        self._directory.cleanup()
