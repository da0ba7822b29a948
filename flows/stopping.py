"""Signals that ask a command to stop: what is under way is finished or left out, never torn.

The interpreter runs its handlers in the main thread only, and not while that waits for a lock or for
the network. So the signals are read from a pipe by a thread of their own, which the kernel's own handler
writes to, whichever thread the signal has reached.
"""

import contextlib
import contextvars
import os
import select
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import FrameType
from typing import TypeVar

from livetraffic.errors import LiveTrafficError, Stopped

SIGNALS = (signal.SIGINT, signal.SIGTERM)
LONGEST_S = 9.0
"""How long a process goes on after it was asked to stop; then it ends itself, as a kill would."""
_SECOND_HAND = 0x80
_LOOK_S = 0.05

Outcome = TypeVar("Outcome")


@contextlib.contextmanager
def stopping() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set; the second signal ends the process at once."""
    stop = threading.Event()
    with heeding(stop, SIGNALS) as received:
        try:
            yield stop
        except LiveTrafficError as error:
            if received:
                error.exit_code = 128 + received[0]
            raise


class Interrupted(BaseException):
    """A signal, in a command that has nothing to finish; not ``KeyboardInterrupt``, which Typer takes."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Around any command: SIGINT and SIGTERM interrupt it where it does not see to them itself."""

    def interrupt(number: int) -> None:
        raise Interrupted(number)

    with heeding(threading.Event(), SIGNALS, then=interrupt):
        yield


@contextlib.contextmanager
def overseeing(longest_s: float) -> Iterator[None]:
    """Around a framework with handlers of its own: whatever it makes of a signal, this is a stop.

    Raises:
        Stopped: SIGINT or SIGTERM came, and the framework has come to its end.
    """
    with heeding(threading.Event(), SIGNALS, longest_s=longest_s) as received:
        ours = signal.getsignal(signal.SIGTERM)

        def interrupt(_number: int, frame: FrameType | None) -> None:
            # Prefect's runner kills its runs at a KeyboardInterrupt, but ends them at SIGTERM.
            theirs = signal.getsignal(signal.SIGTERM)
            if theirs is ours or not callable(theirs):
                raise KeyboardInterrupt
            theirs(signal.SIGTERM, frame)

        signal.signal(signal.SIGINT, interrupt)
        try:
            yield
        except (KeyboardInterrupt, SystemExit):
            if not received:
                raise
        if received:
            stopped = Stopped("Stopped on request.")
            stopped.exit_code = 128 + received[0]
            raise stopped


def to_its_end(
    work: Callable[[], Outcome], stop: threading.Event, *, longest_s: float = LONGEST_S
) -> Outcome:
    """What ``work`` gives back, where a framework's handler raises at a signal in the main thread.

    The work is done in another thread, so that what is raised can tear nothing: it only sets ``stop``,
    and is passed on when the work has come to its end. The framework's handler must stay in its place:
    Prefect calls a run *Cancelled*, not *Crashed*, only where it is.

    Args:
        work: done with the context variables of the caller.
        stop: what asks the work to stop.
        longest_s: how long it goes on after that; then the process ends, as by a kill.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()
    outcome: Future[Outcome] = Future()
    context = contextvars.copy_context()

    def carry_out() -> None:
        try:
            outcome.set_result(context.run(work))
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            outcome.set_exception(error)

    threading.Thread(target=carry_out, name="run", daemon=True).start()
    try:
        # No lock is waited for: an exception in its midst could leave it held.
        while not outcome.done():
            time.sleep(_LOOK_S)
    except BaseException:
        stop.set()
        _await_end(outcome, longest_s)
        raise
    return outcome.result()


def _await_end(outcome: "Future[Outcome]", longest_s: float) -> None:
    """Let the work end; a signal that comes again (a cancellation may be sent twice) changes nothing."""
    deadline = time.monotonic() + longest_s
    while not outcome.done():
        with contextlib.suppress(BaseException):
            while not outcome.done() and time.monotonic() < deadline:
                time.sleep(_LOOK_S)
        if not outcome.done() and time.monotonic() >= deadline:
            _end(signal.SIGTERM)


def end_children(*programs: str, longest_s: float = LONGEST_S + 1) -> None:
    """Ask the children of this process that run one of the programs to end, and wait until they have.

    They are found in /proc; where there is none, nothing is done.
    """
    lines = {pid: _said_of(pid, "cmdline") for pid in _children()}
    asked = {pid for pid, line in lines.items() if any(name in line for name in programs)}
    for pid in asked:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + longest_s
    while time.monotonic() < deadline and any(_lives(pid) for pid in asked):
        time.sleep(_LOOK_S)


def _children() -> list[int]:
    found = [path.read_text().split() for path in Path("/proc/self/task").glob("*/children")]
    return [int(pid) for pids in found for pid in pids]


def _said_of(pid: int, what: str) -> str:
    """What /proc says of a process; nothing where it is gone."""
    try:
        return Path(f"/proc/{pid}/{what}").read_text("utf-8", "replace")
    except OSError:
        return ""


def _lives(pid: int) -> bool:
    """Whether it has not ended, waited for or not."""
    state = _said_of(pid, "stat").rpartition(")")[2].split()
    return bool(state) and state[0] != "Z"


@contextlib.contextmanager
def heeding(
    stop: threading.Event,
    numbers: Sequence[int],
    *,
    then: Callable[[int], None] | None = None,
    longest_s: float = LONGEST_S,
) -> Iterator[list[int]]:
    """Set ``stop`` at the first of these signals; a list that then holds its number.

    The second one ends the process at once, and so does time: what a commit has not reached within
    ``longest_s`` is left out, which the next run makes good like after any kill.

    Args:
        stop: the event.
        numbers: the signals.
        then: called in the main thread as well, as soon as that can be.
        longest_s: how long the process goes on after the first signal.
    """
    ear, mouth = os.pipe()
    os.set_blocking(mouth, False)
    received: list[int] = []
    listener = threading.Thread(
        target=_listen, args=(ear, numbers, stop, received, longest_s), name="signals", daemon=True
    )
    listener.start()
    before_fd = signal.set_wakeup_fd(mouth, warn_on_full_buffer=False)
    before = {number: signal.signal(number, _relay(mouth, then)) for number in numbers}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(before_fd)
        os.close(mouth)
        listener.join()
        os.close(ear)


def _relay(
    mouth: int, then: Callable[[int], None] | None
) -> Callable[[int, FrameType | None], None]:
    """A handler for the case that somebody else has taken the wakeup descriptor.

    It only writes: the main thread may hold the very lock that setting an event needs.
    """

    def on_signal(number: int, _frame: FrameType | None) -> None:
        with contextlib.suppress(OSError):
            os.write(mouth, bytes([number | _SECOND_HAND]))
        if then is not None:
            then(number)

    return on_signal


def _listen(
    ear: int, numbers: Sequence[int], stop: threading.Event, received: list[int], longest_s: float
) -> None:
    """Count each signal once, whether it comes from the kernel's handler, from ours or from both."""
    heard: Counter[int] = Counter()
    deadline: float | None = None
    while True:
        left = None if deadline is None else max(deadline - time.monotonic(), 0)
        if not select.select([ear], [], [], left)[0]:
            _end(received[0])
        said = os.read(ear, 1)
        if not said:
            return
        if said[0] & ~_SECOND_HAND not in numbers:
            continue
        heard[said[0] & _SECOND_HAND] += 1
        if max(heard.values()) > 1:
            _end(received[0])
        if not received:
            received.append(said[0] & ~_SECOND_HAND)
            stop.set()
            deadline = time.monotonic() + longest_s


def _end(number: int) -> None:
    error = Stopped("Stopped on request; what was under way is left out.")
    os.write(2, f"live-traffic: {error}\n".encode())
    os._exit(128 + number)
