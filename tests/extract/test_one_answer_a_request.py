"""An answer that nobody asked for, behind another on a kept connection, is never taken for one's own."""

import json
import socket
import ssl
import threading
from contextlib import contextmanager, suppress

import pytest
from urllib3.connection import HTTPSConnection

import extract.connection
import extract.exchange
from livetraffic.errors import LiveTrafficError
from tests.certificates import authority
from tests.extract.scripted import transport

STALE = {"stale": True}


def answer(document, status="200 OK", pad=0):
    """An answer; with ``pad`` its body is filled up with blanks."""
    body = json.dumps(document).encode() + b" " * pad
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status.encode(), len(body), body)


@contextmanager
def on_wire(speak, context=None):
    """A listener; ``speak(heard)`` answers the last of the streams on which requests came."""
    heard = []

    def serve(connection):
        with suppress(OSError), connection:
            stream = context.wrap_socket(connection, server_side=True) if context else connection
            with stream:
                while stream.recv(65536):
                    heard.append(stream)
                    speak(heard)

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept():
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}", heard
        listener.shutdown(socket.SHUT_RDWR)


def asked(client):
    """What one request is answered; None where it failed."""
    try:
        return json.loads(client.get("traffic", "/v1", quota=300, attempts=1).body)
    except (LiveTrafficError, ValueError):
        return None


BEHIND = 8192
"""How much the reader of an answer takes at once: a seam there leaves all of the second answer behind."""


def at_once(status, seam):
    """Both in one piece."""

    def speak(heard):
        if len(heard) > 1:
            heard[-1].sendall(answer({"mine": len(heard)}))
            return
        pad = 0
        while seam and len(answer({"mine": 1}, status, pad)) < seam:
            pad += 1
        heard[0].sendall(answer({"mine": 1}, status, pad) + answer(STALE))

    return speak


def late(status):
    """The second one on the same connection, when the next request has been sent."""

    def speak(heard):
        if len(heard) == 1:
            heard[0].sendall(answer({"mine": 1}, status))
            return
        with suppress(OSError):
            heard[0].sendall(answer(STALE))
        heard[-1].sendall(answer({"mine": len(heard)}))

    return speak


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """Certificates."""
    return authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def second_answer(shelf, monkeypatch):
    """What the second request is answered, after the first was answered like that."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", shelf["ca"])

    def found(speak, *, secure):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if secure else None
        if context is not None:
            context.load_cert_chain(shelf["good"])
        with on_wire(speak, context) as (place, _):
            client = transport(f"{'https' if secure else 'http'}://{place}")
            try:
                asked(client)
                return asked(client)
            finally:
                client.close()

    return found


SECURE = pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
STATUSES = ["503 E", "404 N", "302 F"]


@SECURE
@pytest.mark.parametrize("seam", [0, BEHIND])
@pytest.mark.parametrize("status", ["200 OK", *STATUSES])
def test_what_is_left_over_is_nobodys(second_answer, figures, status, seam, secure):
    """Bytes behind any answer: the connection is given up."""
    assert second_answer(at_once(status, seam), secure=secure) == {"mine": 2}
    figures("security", "answers that nobody asked for", 1)


@SECURE
@pytest.mark.parametrize("status", STATUSES)
def test_what_comes_late_behind_a_failure_is_nobodys(second_answer, figures, status, secure):
    """After an answer that is no success its connection is not used again."""
    assert second_answer(late(status), secure=secure) == {"mine": 2}
    figures("security", "answers that nobody asked for", 1)


def test_without_the_guards_it_would_be_taken(second_answer, monkeypatch, figures):
    """The twins, and what no guard can tell: a late one behind a success."""
    assert second_answer(late("200 OK"), secure=False) == STALE
    monkeypatch.setattr(extract.exchange, "use_no_more", lambda _: None)
    assert second_answer(late("503 E"), secure=False) == STALE
    assert second_answer(late("503 E"), secure=True) == STALE
    assert second_answer(at_once("503 E", BEHIND), secure=True) == {"mine": 2}
    monkeypatch.setattr(extract.connection._Secure, "is_connected", HTTPSConnection.is_connected)
    assert second_answer(at_once("503 E", BEHIND), secure=True) == STALE
    assert second_answer(at_once("200 OK", BEHIND), secure=True) == STALE
    figures("twins", "answers that nobody asked for", 2)


@SECURE
def test_a_connection_is_used_again_after_a_success(shelf, monkeypatch, secure):
    """The guards cost the usual way nothing: one connection for all requests."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", shelf["ca"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if secure else None
    if context is not None:
        context.load_cert_chain(shelf["good"])
    speak = lambda heard: heard[-1].sendall(answer({"mine": len(heard)}))  # noqa: E731
    with on_wire(speak, context) as (place, heard):
        client = transport(f"{'https' if secure else 'http'}://{place}")
        assert [asked(client) for _ in range(9)] == [{"mine": n} for n in range(1, 10)]
        client.close()
    assert len({id(stream) for stream in heard}) == 1
