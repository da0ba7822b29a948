"""The run lock of a warehouse, waited for in a way that can be stopped."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from livetraffic.errors import Locked, Stopped
from load.sink import Sink

_LOOK_S = 0.5


@contextmanager
def run_lock(sink: Sink, *, wait: float, holder: str, stop: threading.Event) -> Iterator[None]:
    """Hold the warehouse's run lock; see ``Sink.run_lock``.

    Raises:
        Locked: another run held it for all that time.
        Stopped: the run was asked to stop while it waited; nothing was changed.
        SinkError: the warehouse cannot be written.
    """
    deadline = time.monotonic() + wait
    with ExitStack() as stack:
        while True:
            left = deadline - time.monotonic()
            try:
                stack.enter_context(sink.run_lock(wait=max(0.0, min(left, _LOOK_S)), holder=holder))
                break
            except Locked:
                if stop.is_set():
                    raise Stopped("Stopped on request while another run was at work.") from None
                if left <= _LOOK_S:
                    raise
        yield
