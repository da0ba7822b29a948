"""Certificates and proxies, on real sockets: whom the client believes, and what reaches whom."""

import socket
import ssl
import threading
from contextlib import ExitStack, suppress

import pytest

from livetraffic.errors import Unreachable
from tests.certificates import LIVE, authority
from tests.extract.scripted import TOKEN, transport
from tests.faults.listening import listening


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """A certificate authority of our own, and what it has signed: paths by name."""
    return authority(tmp_path_factory.mktemp("tls"))


def secure(path, heard, first=()):
    """Serves one answer over TLS; what it could read of the request goes into ``heard``.

    The answers in ``first`` are given before the usual one.
    """
    before = list(first)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)

    def serve(connection):
        with (
            connection,
            suppress(OSError),
            context.wrap_socket(connection, server_side=True) as stream,
        ):
            heard.append(stream.recv(65536))
            usual = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
            stream.sendall(before.pop(0) if before else usual)
            if first:
                stream.recv(65536)  # until the client has done with it

    return serve


def ask(url):
    client = transport(url)
    try:
        return client.get("domains", "/v1/p/domain", quota=300, attempts=1)
    finally:
        client.close()


@pytest.mark.parametrize("shown", ["self-signed", "expired", "other"])
def test_a_certificate_that_is_not_right_ends_it(shelf, monkeypatch, figures, shown):
    """Whatever authority is trusted: and the token has not left this machine."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", shelf["ca"])
    heard = []
    with listening(secure(shelf[shown], heard)) as port, pytest.raises(Unreachable, match="TLS"):
        ask(f"https://127.0.0.1:{port}")
    assert TOKEN.encode() not in b"".join(heard)
    figures("security", "certificates", 1)


def test_an_authority_nobody_knows_is_not_believed(shelf, figures):
    """Without the bundle the same server is a stranger."""
    heard = []
    refused = pytest.raises(Unreachable, match="REQUESTS_CA_BUNDLE")
    with listening(secure(shelf["good"], heard)) as port, refused:
        ask(f"https://127.0.0.1:{port}")
    assert heard == []
    figures("security", "certificates", 1)


def test_an_authority_of_ones_own_is_believed(shelf, monkeypatch):
    """``REQUESTS_CA_BUNDLE``, as behind a company's proxy."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", shelf["ca"])
    heard = []
    with listening(secure(shelf["good"], heard)) as port:
        assert ask(f"https://127.0.0.1:{port}").body == b"{}"
    assert TOKEN.encode() in heard[0]


def test_without_the_check_the_token_would_go_out(shelf, monkeypatch, figures):
    """The twin of the guard."""
    heard = []
    with listening(secure(shelf["self-signed"], heard)) as port:
        client = transport(f"https://127.0.0.1:{port}")
        client._exchange._settings["verify"] = False
        with pytest.warns(match="Unverified"):
            # The warning is given in the thread that carries the request.
            client._exchange._sent(
                "GET", f"https://127.0.0.1:{port}/", {"X-Auth-Token": TOKEN}, b""
            )
    assert TOKEN.encode() in heard[0]
    figures("twins", "certificates", 1)


def test_a_proxy_is_used_and_reads_nothing(shelf, monkeypatch, figures):
    """CONNECT: the proxy learns the host's name, and no more."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", shelf["ca"])
    heard, passed = [], []

    def tunnel(connection, port):
        head = connection.recv(65536)
        passed.append(head)
        there = socket.create_connection(("127.0.0.1", port))
        with connection, there:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=pump, args=(there, connection, passed), daemon=True)
            back.start()
            pump(connection, there, passed)
            with suppress(OSError):
                there.shutdown(socket.SHUT_RDWR)
            back.join()

    with ExitStack() as stack:
        port = stack.enter_context(listening(secure(shelf["live"], heard)))
        proxy = stack.enter_context(listening(lambda connection: tunnel(connection, port)))
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy}")
        assert ask(f"https://{LIVE}:{port}").body == b"{}"
    assert passed[0].startswith(f"CONNECT {LIVE}:{port} ".encode())
    assert TOKEN.encode() in heard[0]
    assert TOKEN.encode() not in b"".join(passed)
    figures("security", "proxies", 1)


def test_behind_a_proxy_a_failure_costs_a_connection_and_no_more(shelf, monkeypatch):
    """It is not used again after a 503; the next request is tunnelled anew."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", shelf["ca"])
    heard, passed = [], []

    def tunnel(connection, port):
        passed.append(connection.recv(65536))
        there = socket.create_connection(("127.0.0.1", port))
        with connection, there:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=pump, args=(there, connection, []), daemon=True)
            back.start()
            pump(connection, there, [])
            back.join()

    answers = [b"HTTP/1.1 503 E\r\nContent-Length: 2\r\n\r\n{}"]
    with ExitStack() as stack:
        port = stack.enter_context(listening(secure(shelf["live"], heard, answers)))
        proxy = stack.enter_context(listening(lambda connection: tunnel(connection, port)))
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy}")
        client = transport(f"https://{LIVE}:{port}")
        assert client.get("domains", "/v1/p/domain", quota=300, attempts=2).body == b"{}"
        client.close()
    assert len(heard) == len(passed) == 2


def pump(source, target, copy):
    """Everything from one socket into the other, and a copy of it."""
    with suppress(OSError):
        while content := source.recv(65536):
            copy.append(content)
            target.sendall(content)
        target.shutdown(socket.SHUT_WR)
