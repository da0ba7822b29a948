"""The transport: what is retried, how often, how long; what stops; what is believed."""

import threading
from datetime import timedelta
from email.utils import format_datetime

import pytest

from extract.auth import SignedKeys
from extract.credentials import KeyCredentials, Secret
from livetraffic.errors import (
    ClockError,
    CredentialsError,
    LiveTrafficError,
    Refused,
    Stopped,
    Throttled,
    Unavailable,
    UnknownDomain,
)
from tests.extract.scripted import NOW, TOKEN, CountingBudget, Naps, error, serving, transport

OK = (200, {}, b"{}")
BUSY = (503, {}, error("APIGW.0613"))


def ask(client, **changes):
    return client.get("traffic", "/v1/p/stream/traffic", [("a", "b c:,é")], quota=300, **changes)


def test_an_answer_comes_back_with_what_is_needed_of_it():
    """Body, request id, and the instant it was sent."""
    with serving((200, {"X-Request-Id": "r-9"}, b'{"x":1}')) as wire:
        client = transport(wire.url)
        reply = ask(client)
        assert (reply.body, reply.request_id, reply.sent_at) == (b'{"x":1}', "r-9", NOW)
        method, path, headers, _ = wire.requests[0]
        assert (method, path) == ("GET", "/v1/p/stream/traffic?a=b%20c%3A%2C%C3%A9")
        assert headers["X-Auth-Token"] == TOKEN
        assert headers["Content-Type"] == "application/json"
        assert client.sent == {"traffic": 1}


def test_an_answer_is_dated_by_its_sending():
    """What changes at the source while it is under way is newer than the answer."""
    clock = [NOW]

    def slowly(handler):
        clock[0] += timedelta(minutes=2)
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    with serving(slowly) as wire:
        assert ask(transport(wire.url, clock=lambda: clock[0])).sent_at == NOW


@pytest.mark.parametrize(
    ("answer", "kind", "attempts"),
    [
        (BUSY, Unavailable, 4),
        ((504, {}, b"<html>"), Unavailable, 4),
        ((400, {}, error("LIVE.103011021")), Unavailable, 4),
        ((400, {}, error("LIVE.100011008")), Refused, 4),
        ((429, {}, error("APIGW.0308")), Throttled, 4),
        ((500, {}, error("LIVE.100011007")), Throttled, 4),
        ((400, {}, error("LIVE.100011001")), Refused, 1),
        ((404, {}, error("LIVE.103011019")), UnknownDomain, 1),
        ((404, {}, error("APIGW.0101")), Refused, 1),
        ((403, {}, b"<html>"), Refused, 1),
        ((401, {}, error("APIGW.0301")), CredentialsError, 1),
        ((403, {}, error("APIGW.0302")), CredentialsError, 1),
        ((418, {}, b""), Refused, 1),
    ],
    ids=str,
)
def test_an_answer_ends_as_its_error_after_its_attempts(answer, kind, attempts):
    """Only what passes is asked again; every attempt passes the budget anew and is counted."""
    budget = CountingBudget()
    with serving(answer) as wire:
        client = transport(wire.url, budget=budget)
        with pytest.raises(LiveTrafficError) as caught:
            ask(client)
    assert type(caught.value) is kind
    assert caught.value.remedy
    assert len(wire.requests) == attempts
    assert client.sent == {"traffic": attempts}
    assert budget.passed == [("acme", "traffic", 300)] * attempts


def test_a_fault_that_passes_costs_only_time():
    """Two 503, then the answer."""
    naps = Naps()
    with serving(BUSY, BUSY, OK) as wire:
        assert ask(transport(wire.url, sleep=naps)).status == 200
    assert naps.taken == [1.0, 2.0]


@pytest.mark.parametrize(("jitter", "naps"), [(1e-6, [1e-6, 2e-6, 4e-6]), (0.5, [0.5, 1.0, 2.0])])
def test_waits_have_full_jitter(jitter, naps):
    """Anything between nothing and the doubling bound."""
    taken = Naps()
    with serving(BUSY) as wire, pytest.raises(Unavailable):
        ask(transport(wire.url, sleep=taken, jitter=lambda: jitter))
    assert taken.taken == naps


def test_maintenance_is_waited_for_longer():
    """Seconds would not do."""
    naps = Naps()
    with serving((400, {}, error("LIVE.100011008"))) as wire, pytest.raises(Refused):
        ask(transport(wire.url, sleep=naps))
    assert naps.taken == [15.0, 30.0, 60.0]


@pytest.mark.parametrize(
    "text", ["7", format_datetime(NOW + timedelta(seconds=7), usegmt=True)], ids=["seconds", "date"]
)
def test_retry_after_is_obeyed(text):
    """Never earlier than asked."""
    naps = Naps()
    with serving((503, {"Retry-After": text}, b""), OK) as wire:
        ask(transport(wire.url, sleep=naps))
    assert naps.taken == [7.0]


def test_a_longer_wait_than_the_time_budget_ends_it_at_once():
    """Waiting half of it and asking too early would help nobody."""
    naps = Naps()
    with serving((503, {"Retry-After": "3600"}, b"")) as wire, pytest.raises(Unavailable):
        ask(transport(wire.url, sleep=naps))
    assert naps.taken == []
    assert len(wire.requests) == 1


def test_the_time_budget_counts_slow_attempts():
    """A source that fails after 50 seconds each is not asked four times."""
    with serving(BUSY) as wire, pytest.raises(Unavailable):
        ask(transport(wire.url, monotonic=lambda: 50.0 * len(wire.requests)))
    assert len(wire.requests) == 3


@pytest.mark.parametrize("attempts", [1, 2])
def test_a_call_may_be_given_fewer_attempts(attempts):
    """A split request is tried once."""
    with serving(BUSY) as wire, pytest.raises(Unavailable):
        ask(transport(wire.url), attempts=attempts)
    assert len(wire.requests) == attempts


def test_throttling_empties_the_window_each_time():
    """Of this account and operation."""
    budget = CountingBudget()
    with serving((429, {}, b""), (429, {}, b""), OK) as wire:
        ask(transport(wire.url, budget=budget))
    assert budget.throttles == [("acme", "traffic")] * 2


def test_a_stop_ends_the_wait_for_a_retry():
    """And nothing more is sent."""
    with serving(BUSY) as wire, pytest.raises(Stopped):
        ask(transport(wire.url, sleep=Naps(stop_at=2)))
    assert len(wire.requests) == 2


def test_a_stopped_run_sends_nothing_more():
    """Not even the first attempt of a call."""
    with serving(OK) as wire, pytest.raises(Stopped):
        ask(transport(wire.url, sleep=lambda _: True))
    assert wire.requests == []


def test_every_attempt_is_signed_anew():
    """The date is part of the signature: a re-sent one would be refused."""
    clock = iter(NOW + timedelta(seconds=n) for n in range(9))
    keys = SignedKeys(
        KeyCredentials("AK", Secret("SK")), project_id="p", real_clock=lambda: next(clock)
    )
    with serving(BUSY, BUSY, OK) as wire:
        ask(transport(wire.url, keys))
    signatures = [headers["Authorization"] for _, _, headers, _ in wire.requests]
    assert len(set(signatures)) == 3


def test_after_wrong_credentials_nothing_more_is_sent():
    """Five wrong ones lock the key."""
    with serving((401, {}, error("APIGW.0301")), OK) as wire:
        client = transport(wire.url)
        for _ in range(5):
            with pytest.raises(CredentialsError):
                ask(client)
    assert len(wire.requests) == 1


def test_what_is_forbidden_stops_only_itself():
    """No permission for one operation says nothing of the others, and is not asked for twice."""
    with serving((403, {}, error("APIGW.0302")), OK) as wire:
        client = transport(wire.url)
        for _ in range(2):
            with pytest.raises(CredentialsError):
                client.get("summary_v2", "/v2/p/stats", quota=20)
        assert client.get("traffic", "/v1/p/traffic", quota=300).status == 200
        assert len(wire.requests) == 2


def refused_together(client, count):
    """How many of so many threads that ask at once are told that the credentials are wrong."""
    errors = []

    def work():
        try:
            ask(client)
        except CredentialsError as exc:
            errors.append(exc)

    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(errors)


def test_threads_with_wrong_credentials_send_one_request_together():
    """The first goes alone until one was accepted."""
    with serving((401, {}, error("APIGW.0301"))) as wire:
        assert refused_together(transport(wire.url), 8) == 8
    assert len(wire.requests) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_that_is_down_has_accepted_nobody(status):
    """It need not have looked at who we are; the caution stays."""
    with serving((status, {}, b""), (401, {}, error("APIGW.0301"))) as wire:
        client = transport(wire.url)
        with pytest.raises(LiveTrafficError):
            ask(client, attempts=1)
        assert refused_together(client, 8) == 8
    assert len(wire.requests) == 2


def test_once_accepted_requests_go_side_by_side():
    """The caution is for the first one only."""
    together = threading.Barrier(3)

    def meet(handler):
        together.wait(10)
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    with serving(OK, meet) as wire:
        client = transport(wire.url)
        ask(client)
        threads = [threading.Thread(target=ask, args=(client,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert client.sent == {"traffic": 4}


class Renewable:
    """A token that can be renewed once more than it is refused."""

    prove_first = False

    def __init__(self):
        self.serial = 0

    def prepare(self):
        pass

    def headers(self, request):
        return {**request.headers, "X-Auth-Token": f"token-{self.serial}"}

    def renew(self, sent):
        assert sent["X-Auth-Token"] == f"token-{self.serial}"
        assert self.serial < 9, "renewed for ever"
        self.serial += 1
        return True

    def secrets(self):
        return ()


@pytest.mark.parametrize("code", ["APIGW.0301", "APIGW.0307", "APIG.0307"])
def test_a_refused_token_is_renewed_once(code):
    """And the renewal is no attempt."""
    with serving((401, {}, error(code)), OK) as wire:
        assert ask(transport(wire.url, Renewable()), attempts=1).status == 200
    assert [h["X-Auth-Token"] for _, _, h, _ in wire.requests] == ["token-0", "token-1"]


def test_a_token_refused_twice_is_the_end():
    """Then it is the region or the account, and a third token would not help."""
    with serving((401, {}, error("APIGW.0307"))) as wire, pytest.raises(CredentialsError):
        ask(transport(wire.url, Renewable()))
    assert len(wire.requests) == 2


@pytest.mark.parametrize(
    ("status", "skew", "words"),
    [
        (200, timedelta(days=-3), "3 days ahead of"),
        (200, timedelta(hours=1), "1 hour behind"),
        (401, timedelta(minutes=20), "20 minutes behind"),
        (503, timedelta(seconds=-301), "5 minutes ahead of"),
    ],
)
def test_a_clock_that_disagrees_is_the_first_thing_said(status, skew, words):
    """Before the answer is believed, and instead of blaming the key."""
    with serving((status, {}, error("APIGW.0301"))) as wire:
        wire.date = NOW + skew
        client = transport(wire.url)
        with pytest.raises(ClockError, match=words):
            ask(client)
    assert len(wire.requests) == 1
    assert client.clock_skew_s == skew.total_seconds()


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_five_minutes_of_skew_are_borne(seconds):
    """The figure is kept for whoever decides by it."""
    with serving(OK) as wire:
        wire.date = NOW + timedelta(seconds=seconds)
        client = transport(wire.url)
        ask(client)
    assert client.clock_skew_s == seconds


@pytest.mark.parametrize("date", [None, "yesterday"])
def test_an_answer_without_a_date_says_nothing_of_the_clock(date):
    """A proxy may drop it."""
    with serving((200, {} if date is None else {"Date": date}, b"{}")) as wire:
        wire.date = None
        client = transport(wire.url)
        ask(client)
    assert client.clock_skew_s is None
