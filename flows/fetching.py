"""Slices read side by side, in threads that never keep the process alive.

An executor's threads are waited for when the interpreter ends; a read that hangs in a silent source
would hold up a stopped run for as long as its time-out.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from queue import Empty, SimpleQueue
from typing import TypeVar

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

POLL_SECONDS = 0.25


def side_by_side(
    read: Callable[[Item], Outcome],
    items: Sequence[Item],
    *,
    workers: int,
    stop: threading.Event,
    grace: float,
) -> Iterator[Outcome | None]:
    """The outcomes as they come; None now and then, so that the caller can look at the clock.

    Args:
        read: never raises, and returns at once when ``stop`` is set before it has begun.
        items: started in order.
        workers: at most so many at a time.
        stop: when it is set, what is under way is waited for ``grace`` seconds and then left.
        grace: seconds.
    """
    todo: SimpleQueue[Item] = SimpleQueue()
    done: SimpleQueue[Outcome] = SimpleQueue()
    for item in items:
        todo.put(item)
    for number in range(min(workers, len(items))):
        worker = threading.Thread(
            target=_work, args=(read, todo, done), name=f"fetch-{number}", daemon=True
        )
        worker.start()
    waiting, deadline = len(items), float("inf")
    while waiting and time.monotonic() < deadline:
        if stop.is_set():
            deadline = min(deadline, time.monotonic() + grace)
        try:
            outcome = done.get(timeout=POLL_SECONDS)
        except Empty:
            yield None
        else:
            waiting -= 1
            yield outcome


def _work(
    read: Callable[[Item], Outcome], todo: "SimpleQueue[Item]", done: "SimpleQueue[Outcome]"
) -> None:
    while True:
        try:
            item = todo.get_nowait()
        except Empty:
            return
        done.put(read(item))
