"""What was asked, in order; never a secret, never a header."""

import threading
from collections import deque
from dataclasses import asdict, dataclass

CAPACITY = 200_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One request and its outcome; ``status`` is None where no answer was sent.

    ``domain`` is the one asked for, or the first parameter that names any; ``play_domains`` are all
    that a v2 request names.
    """

    at: str
    method: str
    path: str
    operation: str | None
    domain: str | None
    play_domains: tuple[str, ...]
    start_time: str | None
    end_time: str | None
    step: str | None
    status: int | None
    error_code: str | None
    request_id: str
    real_s: float
    """The real instant in seconds since the epoch, when the answer was ready."""


class Journal:
    """The latest requests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: deque[Entry] = deque(maxlen=CAPACITY)

    def note(self, entry: Entry) -> None:
        """Append an entry."""
        with self._lock:
            self._entries.append(entry)

    def entries(self, operation: str | None = None) -> list[dict[str, object]]:
        """All entries, or those of one operation."""
        with self._lock:
            kept = list(self._entries)
        return [asdict(e) for e in kept if operation is None or e.operation == operation]

    def clear(self) -> None:
        """Forget all entries."""
        with self._lock:
            self._entries.clear()
