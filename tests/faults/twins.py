"""The guards of the Parquet sink, each as a context in which it is missing.

A test of a guard is worth something only when it fails without the guard.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from unittest import mock

from load import batch
from load.parquet import journal
from load.parquet import ledger as ledger_file


def _nothing(*_: Any, **__: Any) -> None:
    """What a guard does that is not there."""


def _close_only(stream: Any) -> None:
    stream.close()


def _publish_without_journal(commit: Any) -> None:
    while commit._open:
        journal._sealed(commit._open.pop())
    journal._make_directories(commit._root, commit._targets.values())
    for temporary, target in commit._targets.items():
        journal._put(commit._root, commit._root / temporary, commit._root / target)


GUARDS: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "": nullcontext,
    "new files are synced before the journal speaks of them": lambda: mock.patch.object(
        journal, "_sealed", _close_only
    ),
    "directories are synced": lambda: mock.patch.object(journal, "fsync_directory", _nothing),
    "a commit has a journal": lambda: mock.patch.object(
        journal.Commit, "publish", _publish_without_journal
    ),
    "a journal is rolled forward": lambda: mock.patch.object(journal, "recover", _nothing),
    "later reads are looked for": lambda: mock.patch.object(
        ledger_file, "reads_after", return_value=[]
    ),
    "keys that stand twice are refused": lambda: mock.patch.object(
        batch, "_sorted_once", lambda rows: rows
    ),
}
