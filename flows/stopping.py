"""Signals that ask a command to stop: what is under way is finished or left out, never torn."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator

from livetraffic.errors import LiveTrafficError

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def stopping() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set; the second signal ends the process at once."""
    stop = threading.Event()
    stop_signals: list[int] = []

    def on_signal(number: int, _frame: object) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop_signals.append(number)
        stop.set()

    before = {number: signal.signal(number, on_signal) for number in _SIGNALS}
    try:
        yield stop
    except LiveTrafficError as error:
        if stop_signals:
            error.exit_code = 128 + stop_signals[0]
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
