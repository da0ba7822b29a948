"""Reading a file that may be damaged in a process of its own: ``python -m load.inspection.trying``.

A flipped bit at the end of a Parquet file, which no checksum covers, can make the library that reads it
crash. The process is told a path and a table a line and answers with what is wrong; where it dies
instead, that is the answer.
"""

import json
import subprocess
import sys
from pathlib import Path

from livetraffic.table import TABLES, Table

CRASHED = "whoever reads it crashes"


class Tryer:
    """A process that reads files for this one; started with the first, and anew after a crash."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def fault(self, path: Path, table: Table) -> str | None:
        """What is wrong with a file; None where nothing is."""
        process = self._running()
        try:
            assert process.stdin is not None  # noqa: S101 - what PIPE promises
            assert process.stdout is not None  # noqa: S101 - what PIPE promises
            process.stdin.write(json.dumps([str(path), table.name]) + "\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            self.close()
            return CRASHED
        told: str | None = json.loads(answer)
        return told

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _running(self) -> "subprocess.Popen[str]":
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        return self._process


def main() -> None:
    """Answer until there are no more questions."""
    from load.inspection.parquet_file import fault_of

    tables = {table.name: table for table in TABLES}
    for line in sys.stdin:
        path, name = json.loads(line)
        sys.stdout.write(json.dumps(fault_of(Path(path), tables[name])) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
