"""What keeps the quota, each guard with its twin: without it the promise does not hold.

The same promises for the file of one machine and for the tables that all machines share, on a clock that
only moves when somebody sleeps.
"""

from contextlib import contextmanager
from threading import Thread

import pytest
from sqlalchemy import BigInteger, literal_column, select

from extract import budget as budgets
from extract.budget import Metered
from extract.budget_file import FileWindows
from livetraffic.errors import Stopped
from load.database.rate_windows import WINDOWS, DatabaseWindows, _of
from tests import servers
from tests.contract.stores import STORES
from tests.extract.test_rate_budget import Time, most_in_a_window, send, sends

WINDOW_S = 61.0
GRACE_S = WINDOW_S / 30
SETTING = "LIVE_TRAFFIC_STATE"
URLS = {"postgres": servers.postgres_place, "mariadb": servers.mariadb_place}


@pytest.fixture
def time():
    return Time()


@pytest.fixture(params=["file", *URLS])
def kind(request):
    return request.param


@pytest.fixture
def make(kind, time, tmp_path, monkeypatch):
    """Makes budgets that share one place."""
    place, made = tmp_path / "rate", []
    if kind in URLS:
        STORES[kind].find()
        now = property(lambda _: literal_column(str(round(time.now * 1_000_000)), BigInteger))
        monkeypatch.setattr(DatabaseWindows, "_now", now)
        url = URLS[kind](place)

    def budget(sleep=time.sleep, in_flight=8):
        windows = (
            FileWindows(place, clock=time, window_s=WINDOW_S)
            if kind == "file"
            else DatabaseWindows(url, window_s=WINDOW_S, setting=SETTING)
        )
        made.append(Metered(windows, sleep=sleep, in_flight=in_flight))
        return made[-1]

    yield budget
    for each in made:
        each.close()
    if kind in URLS:
        STORES[kind].drop(place)


def a_full_window_is_waited_for(make, time):
    instants = sends(make(), time, 5, 2)
    return most_in_a_window([round(at, 4) for at in instants], WINDOW_S - 1e-3) <= 2


def a_send_counts_from_its_answer(make, time):
    budget = make()
    with budget.acquire("a", "traffic", 1):
        time.now += 20
    answered = time.now
    send(budget, 1)
    return time.now - answered >= WINDOW_S - 1e-3


def a_throttle_answer_stops_all(make, time):
    one, other = make(), make()
    send(other, 5)
    before = time.now
    one.throttled("a", "traffic")
    send(other, 5)
    return time.now - before >= WINDOW_S - 1e-3


def who_waits_longer_is_served_first(make, time):
    newcomer, served = make(), []

    def held_up(seconds):
        time.now += seconds
        if not served:
            time.now += 0.1
            send(newcomer, 1)
            served.append(time.now - start)
        return False

    waiter = make(held_up)
    send(waiter, 1)
    start = time.now
    send(waiter, 1)
    return served[0] >= WINDOW_S + GRACE_S - 1e-3


def the_ticket_of_a_killed_waiter_lapses(make, time):
    def killed(_seconds):
        raise KeyboardInterrupt

    dying = make(killed)
    send(dying, 1)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            send(dying, 1)
    start = time.now
    send(make(), 1)
    return time.now - start <= WINDOW_S + 2 * GRACE_S


def a_clock_that_was_moved_back_holds_nobody_up(make, time):
    budget = make()
    sends(budget, time, 2, 2)
    time.now -= 30 * 86_400
    before = time.now
    send(budget, 2)
    return time.now - before <= WINDOW_S + 1e-3


def one_looks_and_enters_at_a_time(make, time):
    """The other one asks between the look and the entry; there is one place."""
    first, other = make(), make()
    send(first, 9)
    send(other, 9)
    time.now += 2 * WINDOW_S
    windows, key, found = first._windows, ("a", "traffic"), []
    asking = Thread(target=lambda: found.append(other._windows.take(key, 1, None)))
    look = windows._wait

    def disturbed(*given):
        wait = look(*given)
        asking.start()
        asking.join(0.5)
        return wait

    windows._wait = disturbed
    found.append(windows.take(key, 1, None))
    asking.join(60)
    return len(found) == 2 and sum(place.wait == 0 for place in found) == 1


def a_bounded_number_is_in_flight(make, time):
    budget = make(lambda _: True, in_flight=1)
    with budget.acquire("a", "traffic", 99):
        try:
            with budget.acquire("a", "traffic", 99):
                return False
        except Stopped:
            return True


@contextmanager
def _unlocked(self):
    yield self._open()


def _unqueued_in_file(whole):
    return lambda self, connection, key, quota, _, now: whole(self, connection, key, quota, 0, now)


def _unqueued_in_tables(whole):
    return lambda *given: whole(*given)._replace(before=0)


def _read_only(self, connection, key):
    row = connection.execute(select(WINDOWS.c.paused_until).where(*_of(WINDOWS, key))).first()
    return self._whole_locked(connection, key) if row is None else int(row[0])


def _ever(_):
    return property(lambda _: 10**12, lambda *_: None)


def _constant(value):
    return lambda _: lambda *_: value


BOTH = (FileWindows, DatabaseWindows)
GUARDS = {
    a_full_window_is_waited_for: [(each, "_wait", _constant(0)) for each in BOTH],
    a_send_counts_from_its_answer: [(each, "answered", _constant(None)) for each in BOTH],
    a_throttle_answer_stops_all: [(each, "throttled", _constant(None)) for each in BOTH],
    who_waits_longer_is_served_first: [
        (FileWindows, "_wait", _unqueued_in_file),
        (DatabaseWindows, "_look", _unqueued_in_tables),
    ],
    the_ticket_of_a_killed_waiter_lapses: [(each, "_grace", _ever) for each in BOTH],
    a_clock_that_was_moved_back_holds_nobody_up: [
        (FileWindows, "_forgive_future", _constant(None)),
        (DatabaseWindows, "_ahead", _constant(False)),
    ],
    one_looks_and_enters_at_a_time: [
        (FileWindows, "_transaction", lambda _: _unlocked),
        (DatabaseWindows, "_locked", lambda _: _read_only),
    ],
    a_bounded_number_is_in_flight: [],
}


def without(promise, monkeypatch):
    """Take the guard away."""
    if promise is a_bounded_number_is_in_flight:
        monkeypatch.setattr(budgets, "held", lambda *_: _anything())
    monkeypatch.setattr(DatabaseWindows, "_whole_locked", DatabaseWindows._locked, raising=False)
    for place, name, other in GUARDS[promise]:
        monkeypatch.setattr(place, name, other(getattr(place, name, None)), raising=False)


@contextmanager
def _anything():
    yield


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "twin"])
@pytest.mark.parametrize("promise", GUARDS, ids=lambda promise: promise.__name__)
def test_the_quota_is_kept_by_its_guards(make, time, promise, guarded, monkeypatch):
    """Each promise holds with its guard and fails without it."""
    if not guarded:
        without(promise, monkeypatch)
    assert promise(make, time) is guarded
