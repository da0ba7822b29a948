"""What the network does to an answer, and what must not get out: addresses, secrets, cookies."""

import gzip
import itertools
import logging
import pickle
import socket
import threading

import pytest

from extract.auth import SignedKeys
from extract.credentials import KeyCredentials, Secret
from extract.exchange import Bounds
from extract.transport import Retries
from livetraffic.errors import (
    ConfigError,
    ContractError,
    LiveTrafficError,
    Refused,
    Stopped,
    Unavailable,
    Unreachable,
)
from tests.extract.scripted import NOW, TOKEN, Naps, error, serving, transport

OK = (200, {}, b"{}")
BUSY = (503, {}, error("APIGW.0613"))


def ask(client, **changes):
    return client.get("traffic", "/v1/p/stream/traffic", [("a", "b c:,é")], quota=300, **changes)


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


def test_an_answer_that_does_not_begin_meets_the_deadline():
    """Headers that drip have no other one: nobody waits for them any longer."""
    ticks, released = itertools.count(), threading.Event()
    with serving(lambda _: released.wait(30)) as wire:
        bounds = Bounds(read_s=5, answer_s=2)
        client = transport(wire.url, bounds=bounds, monotonic=lambda: float(next(ticks)))
        with pytest.raises(Unavailable, match="more than 2 s"):
            ask(client, attempts=1)
        released.set()


def test_a_stop_leaves_a_request_that_hangs_behind():
    """After a grace; a socket cannot be interrupted."""
    ticks, released = itertools.count(), threading.Event()
    with serving(lambda _: released.wait(30)) as wire:
        client = transport(
            wire.url,
            bounds=Bounds(read_s=5),
            monotonic=lambda: float(next(ticks)),
            sleep=lambda _: bool(wire.requests),
        )
        with pytest.raises(Stopped):
            ask(client, attempts=1)
        released.set()


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
    said, held = [], b""
    with serving(answer) as wire:
        try:
            ask(transport(wire.url))
        except LiveTrafficError as exc:
            cause = exc.__cause__
            said = [str(exc), repr(exc), str(cause), repr(cause), repr(vars(cause or exc))]
            # As a worker sends it home: with all that hangs on it.
            held = pickle.dumps(vars(cause or exc))
    assert TOKEN not in "".join([*said, caplog.text, repr([vars(r) for r in caplog.records])])
    assert TOKEN.encode() not in held


@pytest.mark.parametrize("planted", ["planted-access-key", "planted-security-token"])
def test_an_echo_of_what_was_signed_is_masked(planted):
    """The gateway quotes the signed headers where it does not agree with the signature."""
    pair = KeyCredentials(
        "planted-access-key", Secret("planted-secret-key"), Secret("planted-security-token")
    )
    keys = SignedKeys(pair, project_id="p", real_clock=lambda: NOW)
    echo = (401, {}, error("APIGW.0301", f"canonicalRequest: {planted}"))
    with serving(echo) as wire, pytest.raises(LiveTrafficError) as caught:
        ask(transport(wire.url, keys))
    assert planted in "".join(wire.requests[0][2].values())
    assert "canonicalRequest: ***" in str(caught.value)


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
