"""The rate budget: never more than the quota in any window, whatever thread, process or clock."""

import os
import sqlite3
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extract.budget import Unmetered
from extract.budget_file import SqliteBudget
from livetraffic.errors import SinkError, Stopped


class Time:
    """A clock that only moves when somebody sleeps or a test says so."""

    def __init__(self):
        self.now = 1_780_000_000.0
        self.naps = []
        self.stop_after = None

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        if seconds:
            self.naps.append(seconds)
            self.now += seconds
        return self.stop_after is not None and len(self.naps) >= self.stop_after


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def budget(tmp_path, time):
    return SqliteBudget(tmp_path / "rate.sqlite", clock=time, sleep=time.sleep)


def send(budget, quota, *, account="a", endpoint="traffic"):
    with budget.acquire(account, endpoint, quota):
        pass


def sends(budget, time, count, quota):
    """The instants of so many sends, one after the other."""
    found = []
    for _ in range(count):
        send(budget, quota)
        found.append(time.now)
    return found


def most_in_a_window(instants, window=61.0):
    return max(sum(at <= other < at + window for other in instants) for at in instants)


def test_a_burst_up_to_the_quota_does_not_wait(budget, time):
    """The source allows bursts, so we do."""
    sends(budget, time, 300, 300)
    assert time.naps == []


def test_the_send_after_the_quota_waits_for_the_window(budget, time):
    """Until the first of the burst is 61 seconds old."""
    first = time.now
    instants = sends(budget, time, 301, 300)
    assert instants[-1] - first == pytest.approx(61.0, abs=1e-3)


@settings(max_examples=60, deadline=None)
@given(
    quota=st.integers(1, 5),
    pauses=st.lists(st.floats(0, 40), min_size=1, max_size=40),
)
def test_no_window_ever_holds_more_than_the_quota(tmp_path_factory, quota, pauses):
    """However the sends fall, and never later than need be."""
    time = Time()
    path = tmp_path_factory.mktemp("rate") / "rate.sqlite"
    budget = SqliteBudget(path, clock=time, sleep=time.sleep)
    instants, wanted = [], []
    for pause in pauses:
        time.now += pause
        wanted.append(time.now)
        send(budget, quota)
        instants.append(time.now)
    assert most_in_a_window([round(at, 5) for at in instants], 61.0 - 1e-4) <= quota
    for number, (at, want) in enumerate(zip(instants, wanted, strict=True)):
        free = instants[number - quota] + 61.0 if number >= quota else want
        assert at == pytest.approx(max(want, free), abs=1e-3)
    budget.close()


def test_a_send_counts_until_a_window_after_its_answer(budget, time):
    """It reached the source at some instant in between; only this is safe."""
    with budget.acquire("a", "traffic", 1):
        time.now += 20
    answered = time.now
    send(budget, 1)
    assert time.now - answered == pytest.approx(61.0, abs=1e-3)


@pytest.mark.parametrize(
    "other", [{"account": "b"}, {"endpoint": "domains"}], ids=["account", "endpoint"]
)
def test_another_account_or_endpoint_has_its_own_window(budget, time, other):
    """The source counts them apart."""
    sends(budget, time, 2, 2)
    send(budget, 2, **other)
    assert time.naps == []


def test_a_throttle_answer_empties_the_window_for_a_minute(budget, time):
    """Then the whole quota is there again."""
    send(budget, 2)
    throttled_at = time.now
    budget.throttled("a", "traffic")
    after = [at - throttled_at for at in sends(budget, time, 2, 2)]
    assert after == [pytest.approx(61.0, abs=1e-3)] * 2


def test_another_process_sees_the_pause_and_the_sends(tmp_path, time):
    """They share the file, not memory."""
    one, other = (
        SqliteBudget(tmp_path / "rate.sqlite", clock=time, sleep=time.sleep) for _ in range(2)
    )
    send(one, 1)
    start = time.now
    send(other, 1)
    assert time.now - start == pytest.approx(61.0, abs=1e-3)
    one.throttled("a", "traffic")
    send(other, 99)
    assert time.now - start == pytest.approx(122.0, abs=1e-3)


def test_a_clock_that_was_moved_back_blocks_for_one_window_at_most(budget, time):
    """The file then holds sends and pauses of the future."""
    sends(budget, time, 2, 2)
    budget.throttled("a", "traffic")
    time.now -= 30 * 86_400
    before = time.now
    send(budget, 2)
    assert time.now - before <= 61.001


def test_a_smaller_quota_counts_what_was_sent_before(budget, time):
    """The setting may change between runs."""
    sends(budget, time, 5, 5)
    before = time.now
    send(budget, 2)
    assert time.now - before == pytest.approx(61.0, abs=1e-3)


def test_a_larger_quota_counts_what_was_sent_before(budget, time):
    """And leaves room for the difference."""
    sends(budget, time, 2, 2)
    sends(budget, time, 3, 5)
    assert time.naps == []
    send(budget, 5)
    assert time.naps != []


def test_a_stop_ends_the_wait(budget, time):
    """Ctrl-C must not wait for a minute."""
    send(budget, 1)
    time.stop_after = 1
    with pytest.raises(Stopped):
        send(budget, 1)
    time.stop_after = None
    time.now += 61
    send(budget, 1)


def overtaken(path, time, quota):
    """One who waits, and when (seconds) a newcomer is served who comes as soon as there is a place."""
    served = []
    newcomer = SqliteBudget(path, clock=time, sleep=time.sleep)

    def held_up(seconds):
        time.now += seconds
        if not served:
            time.now += 0.1
            send(newcomer, quota)
            served.append(time.now)
        return False

    return SqliteBudget(path, clock=time, sleep=held_up), served


def test_who_waits_longer_is_served_first(tmp_path, time):
    """A newcomer may not take the place that somebody has been waiting for."""
    waiter, served = overtaken(tmp_path / "rate.sqlite", time, 1)
    send(waiter, 1)
    start = time.now
    send(waiter, 1)
    # At 61.1 s there was a free place, but it was the waiter's until its ticket lapsed.
    assert served == [pytest.approx(start + 61 + 61 / 30, abs=61 / 30)]
    assert served[0] - start >= 61 + 61 / 30


def test_the_first_place_that_gets_free_is_of_who_waits(tmp_path, time):
    """Of two places that get free one after the other a newcomer has the second."""
    waiter, served = overtaken(tmp_path / "rate.sqlite", time, 2)
    start = time.now
    send(waiter, 2)
    time.now += 10
    send(waiter, 2)
    send(waiter, 2)
    assert served == [pytest.approx(start + 71.0, abs=1e-3)]


@pytest.mark.parametrize("back", [0, 30 * 86_400], ids=["clock runs on", "clock moved back"])
def test_the_ticket_of_a_killed_waiter_lapses(tmp_path, time, back):
    """It holds up one place for one window at most."""

    def killed(seconds):
        raise KeyboardInterrupt

    dying = SqliteBudget(tmp_path / "rate.sqlite", clock=time, sleep=killed)
    send(dying, 1)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            send(dying, 1)
    time.now -= back
    time.stop_after = 99
    start = time.now
    send(SqliteBudget(tmp_path / "rate.sqlite", clock=time, sleep=time.sleep), 1)
    assert time.now - start <= 61 + 2 * 61 / 30


def test_a_send_that_was_stopped_is_not_counted(budget, time):
    """Only what is sent uses the quota."""
    send(budget, 1)
    time.stop_after = 1
    with pytest.raises(Stopped):
        send(budget, 1)
    time.stop_after, time.naps = None, []
    send(budget, 1)
    assert time.naps == []


@pytest.mark.parametrize("kind", ["sqlite", "unmetered"])
def test_a_bounded_number_is_in_flight(tmp_path, time, kind):
    """One more waits until an answer is here; a stop ends that wait too."""
    if kind == "sqlite":
        budget = SqliteBudget(tmp_path / "r", clock=time, sleep=lambda _: True, in_flight=2)
    else:
        budget = Unmetered(sleep=lambda _: True, in_flight=2)
    with budget.acquire("a", "traffic", 99), budget.acquire("a", "traffic", 99):
        extra = budget.acquire("a", "traffic", 99)
        with pytest.raises(Stopped):
            extra.__enter__()
    with budget.acquire("a", "traffic", 99), budget.acquire("a", "traffic", 99):
        pass


def test_a_failed_request_gives_its_place_back(budget):
    """Or eight failures would end the run."""
    for _ in range(20):
        with pytest.raises(KeyError), budget.acquire("a", "traffic", 99):
            raise KeyError


def test_a_quota_below_one_is_a_mistake(budget):
    """It would wait for ever."""
    with pytest.raises(ValueError, match="quota"):
        send(budget, 0)


def test_the_file_does_not_grow_with_the_history(tmp_path, budget, time):
    """Only the window is kept."""
    for _ in range(50):
        sends(budget, time, 10, 10)
        time.now += 100
    with sqlite3.connect(tmp_path / "rate.sqlite") as connection:
        count = connection.execute("SELECT count(*) FROM sends").fetchone()[0]
    connection.close()
    assert count <= 20


@pytest.mark.parametrize("damage", ["folder", "garbage", "read-only"])
def test_a_file_that_cannot_be_used_is_one_sentence(tmp_path, time, damage):
    """Which names the file and the remedy."""
    path = tmp_path / "rate.sqlite"
    if damage == "folder":
        path.mkdir()
    elif damage == "garbage":
        path.write_bytes(b"not a database, not a database, not a database" * 100)
    else:
        (tmp_path / "file").write_text("x")
        path = tmp_path / "file" / "rate.sqlite"
    with pytest.raises(SinkError, match=str(path)) as caught:
        SqliteBudget(path, clock=time, sleep=time.sleep)
    assert caught.value.remedy


def test_threads_share_the_window(tmp_path, time):
    """One window for all of them, and no send is entered twice or lost."""
    budget = SqliteBudget(tmp_path / "rate.sqlite", clock=time, sleep=lambda _: True)
    entered = []

    def work():
        try:
            for _ in range(50):
                send(budget, 60)
                entered.append(1)
        except Stopped:
            return

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(entered) == 60


def test_a_forked_process_opens_its_own_connection(tmp_path, time):
    """SQLite connections must not cross a fork."""
    budget = SqliteBudget(tmp_path / "rate.sqlite", clock=time, sleep=time.sleep)
    send(budget, 3)
    before = budget._windows._connection
    child = os.fork()
    if child == 0:
        send(budget, 3)
        os._exit(0 if time.naps == [] and budget._windows._connection is not before else 1)
    assert os.waitpid(child, 0)[1] == 0
    sends(budget, time, 1, 3)
    assert time.naps == []
    send(budget, 3)
    assert time.naps != []
