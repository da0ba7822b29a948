"""The transport: what is retried, how often, how long; what stops; what is believed."""

import gzip
import logging
import socket
import threading
from datetime import timedelta
from email.utils import format_datetime

import pytest

from extract.auth import SignedKeys
from extract.credentials import KeyCredentials, Secret
from extract.exchange import Bounds
from extract.transport import Retries
from livetraffic.errors import (
    ClockError,
    ConfigError,
    ContractError,
    CredentialsError,
    LiveTrafficError,
    Refused,
    Stopped,
    Throttled,
    Unavailable,
    UnknownDomain,
    Unreachable,
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


@pytest.mark.parametrize(("jitter", "naps"), [(0.0, [0.0] * 3), (0.5, [0.5, 1.0, 2.0])])
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


def test_threads_with_wrong_credentials_send_one_request_together():
    """The first goes alone until one was accepted."""
    errors = []
    with serving((401, {}, error("APIGW.0301"))) as wire:
        client = transport(wire.url)

        def work():
            try:
                ask(client)
            except CredentialsError as exc:
                errors.append(exc)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(errors) == 8
    assert len(wire.requests) == 1


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


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(status):
    """The request carries credentials; the sentence names where it would have gone."""
    location = {"Location": "https://user:pw@portal.example/login?token=x"}
    with serving((status, location, b"")) as wire, pytest.raises(Refused) as caught:
        ask(transport(wire.url))
    assert "portal.example" in str(caught.value)
    assert "token=x" not in str(caught.value)
    assert "pw" not in str(caught.value)
    assert len(wire.requests) == 1


def cut_short(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}")
    handler.close_connection = True


def hang_up(handler):
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def cut_chunked(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{")
    handler.close_connection = True


def bad_gzip(handler):
    handler.wfile.write(
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd"
    )


@pytest.mark.parametrize("fault", [cut_short, hang_up, cut_chunked, bad_gzip])
def test_a_body_that_breaks_off_is_asked_for_again(fault):
    """Then it is unavailable, which is worth a split."""
    with serving(fault, OK) as wire:
        assert ask(transport(wire.url)).body == b"{}"
    with serving(fault) as wire, pytest.raises(Unavailable):
        ask(transport(wire.url))
    assert len(wire.requests) == 4


def test_silence_is_a_time_out():
    """And a time-out is unavailable, not unreachable."""
    released = threading.Event()
    with serving(lambda handler: released.wait(30)) as wire:
        client = transport(wire.url, bounds=Bounds(read_s=0.1))
        with pytest.raises(Unavailable, match="did not answer"):
            ask(client, attempts=1)
        released.set()


def test_a_dripping_body_meets_the_deadline():
    """Each byte would reset a mere read time-out."""
    ticks = iter(range(10_000))
    body = (200, {}, b"x" * 3_000_000)
    with serving(body) as wire:
        client = transport(
            wire.url, bounds=Bounds(answer_s=2), monotonic=lambda: float(next(ticks))
        )
        with pytest.raises(Unavailable, match="more than 2 s"):
            ask(client, attempts=1)


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_a_body_beyond_the_bound_is_refused(packed):
    """Packed ones are measured unpacked, and nothing is asked again."""
    body = b"x" * 3_000_000
    headers = {"Content-Encoding": "gzip"} if packed else {}
    answer = (200, headers, gzip.compress(body) if packed else body)
    with serving(answer) as wire, pytest.raises(ContractError, match="1 MiB"):
        ask(transport(wire.url, bounds=Bounds(body_bytes=1 << 20)))
    assert len(wire.requests) == 1


def test_a_packed_body_is_unpacked():
    """It is asked for packed: a tenth of the bytes."""
    with serving((200, {"Content-Encoding": "gzip"}, gzip.compress(b'{"x":1}'))) as wire:
        assert ask(transport(wire.url)).body == b'{"x":1}'
    assert wire.requests[0][2]["Accept-Encoding"] == "gzip"


def closed_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_a_refused_connection_is_unreachable():
    """Tried a few times quickly; the sentence names the host."""
    naps = Naps()
    port = closed_port()
    with pytest.raises(Unreachable, match=f"127.0.0.1:{port}"):
        ask(transport(f"http://127.0.0.1:{port}", sleep=naps))
    assert naps.taken == [0.5, 1.0, 2.0]


def test_a_name_that_does_not_resolve_is_unreachable(monkeypatch):
    """With a hint at the spelling."""

    def no_name(*args, **kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", no_name)
    with pytest.raises(Unreachable, match=r"live\.example.*resolved.*spelling"):
        ask(transport("https://live.example"), attempts=1)


def test_a_server_without_tls_is_unreachable():
    """An https address that speaks something else."""
    with serving(OK) as wire, pytest.raises(Unreachable, match="TLS"):
        ask(transport(wire.url.replace("http:", "https:")), attempts=1)


@pytest.mark.parametrize(
    "url",
    [
        "http://live.example",
        "http://10.0.0.1",
        "ftp://127.0.0.1",
        "live.example",
        "",
        "https://",
        "https://user:pw@live.example",
        "https://live.example?x=1",
        "https://live.example:x",
    ],
)
def test_an_address_that_credentials_must_not_go_to_is_refused(url):
    """Plain http goes to this machine only."""
    with pytest.raises(ConfigError) as caught:
        transport(url)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1", "https://live.example/"]
)
def test_this_machine_and_https_are_accepted(url):
    """Nothing is sent on construction."""
    assert transport(url).host


def test_a_netrc_file_adds_nothing(monkeypatch, tmp_path):
    """Its login would replace nothing here, but it would go out."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password leaked\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with serving(OK) as wire:
        ask(transport(wire.url))
    assert "Authorization" not in wire.requests[0][2]


def test_a_proxy_is_not_used_for_this_machine(monkeypatch):
    """The stand-in must work behind a company proxy."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port()}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    with serving(OK) as wire:
        assert ask(transport(wire.url)).status == 200


def test_a_proxy_that_fails_is_named(monkeypatch):
    """The endpoint is not to blame."""
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{closed_port()}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    with pytest.raises(Unreachable, match="proxy"):
        ask(transport("https://live.example"), attempts=1)


def test_cookies_are_not_kept():
    """A session must not change what the next request says."""
    with serving((200, {"Set-Cookie": "a=b; Path=/"}, b"{}")) as wire:
        client = transport(wire.url)
        ask(client)
        ask(client)
    assert "Cookie" not in wire.requests[1][2]


@pytest.mark.parametrize(
    "answer",
    [OK, BUSY, (401, {}, error("APIGW.0301", f"x-auth-token:{TOKEN}")), cut_short, hang_up],
    ids=["good", "busy", "echo", "cut", "hang-up"],
)
def test_the_token_appears_nowhere(answer, caplog):
    """Not in logs, not in errors, not in what caused them."""
    caplog.set_level(logging.DEBUG)
    said = []
    with serving(answer) as wire:
        try:
            ask(transport(wire.url))
        except LiveTrafficError as exc:
            cause = exc.__cause__
            said = [str(exc), repr(exc), str(cause), repr(cause), repr(vars(cause or exc))]
    assert TOKEN not in "".join([*said, caplog.text, repr([vars(r) for r in caplog.records])])


def test_a_retry_is_one_event_with_its_facts(caplog):
    """Constant text, facts beside it."""
    caplog.set_level(logging.INFO, logger="extract")
    with serving(BUSY, OK) as wire:
        ask(transport(wire.url))
    (record,) = [record for record in caplog.records if record.name.startswith("extract")]
    assert record.message == "request retried"
    assert (record.operation, record.attempt, record.wait_s) == ("traffic", 1, 1.0)
    assert (record.cause, record.status) == ("unavailable", 503)


def test_errors_carry_the_facts_for_a_ticket():
    """Status, code, request id, as values."""
    with serving((400, {}, error("LIVE.100011001"))) as wire, pytest.raises(Refused) as caught:
        ask(transport(wire.url))
    facts = (caught.value.status, caught.value.error_code, caught.value.request_id)
    assert facts == (400, "LIVE.100011001", "r-1")


def test_waits_are_bounded():
    """However many attempts are allowed."""
    naps = Naps()
    with serving(BUSY) as wire, pytest.raises(Unavailable):
        ask(transport(wire.url, sleep=naps, retries=Retries(attempts=9, total_s=1e9)))
    assert naps.taken == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
