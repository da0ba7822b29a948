"""What a framework's handler raises in the main thread tears no run: it asks it to stop."""

import signal
import threading
import time

import pytest

from flows.stopping import to_its_end


class Raised(BaseException):
    """As Prefect's ``TerminationSignal``."""


@pytest.fixture
def alarms():
    """A signal after a tenth of a second and every tenth from then on, whose handler raises."""

    def handler(number, _frame):
        raise Raised

    before = signal.signal(signal.SIGALRM, handler)
    yield lambda: signal.setitimer(signal.ITIMER_REAL, 0.1, 0.1)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "twin"])
def test_the_work_comes_to_its_end_first(alarms, figures, guarded):
    """However often the signal comes; then what was raised goes on its way."""
    stop, done = threading.Event(), []

    def work():
        stop.wait(2)
        time.sleep(0.3)
        done.append("committed")

    def run():
        alarms()
        return to_its_end(work, stop) if guarded else work()

    with pytest.raises(Raised):
        run()
    signal.setitimer(signal.ITIMER_REAL, 0)
    assert bool(done) is guarded
    assert stop.is_set() is guarded
    figures("twins", "signals", int(not guarded))


def test_what_the_work_gives_or_raises_comes_back():
    """As if it had been called."""
    assert to_its_end(lambda: 7, threading.Event()) == 7
    with pytest.raises(KeyError):
        to_its_end(lambda: {}["x"], threading.Event())
