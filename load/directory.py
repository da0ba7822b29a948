"""Directories made and changed durably."""

import os
from pathlib import Path

from load.failure import writing


def make_root(root: Path) -> None:
    """Make the directory of a warehouse, and those above it, durably.

    Raises:
        SinkError: it cannot be made.
        ConfigError: something else is in its place.
    """
    with writing(root):
        missing = [path for path in (root, *root.parents) if not path.exists()]
        root.mkdir(parents=True, exist_ok=True)
        for path in missing:
            fsync_directory(path.parent)


def fsync_directory(path: Path) -> None:
    """Make what was renamed, made or removed in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
