"""Who may do what with the files that this program makes."""

import os
from pathlib import Path

_WRITABLE_FOR_ALL = 0o002
_READABLE_FOR_ALL = 0o644


def keep_others_from_writing() -> None:
    """Let nothing that this process makes be writable for everybody, whatever its umask allows."""
    os.umask(os.umask(0o077) | _WRITABLE_FOR_ALL)


def let_others_read(path: Path) -> None:
    """Let another user (a monitor's) read the file, whatever the umask takes away."""
    path.chmod(_READABLE_FOR_ALL)
