"""The line to the source breaks, from the first request on or in the midst of a run.

Names that do not resolve, ports that nobody listens at, certificates that are not right, a token that is
revoked: one sentence, the exit code, nothing wrong kept, and the next run does exactly the rest.
"""

import contextlib
import socket
import ssl
import threading
from dataclasses import dataclass, field

import pytest

import extract.transport
from extract.standin.server import Standin
from terminal import commands
from test_history_into_warehouse import NIGHT, at, offered, stored
from tests.certificates import authority

BACKFILL = ("backfill", "--engine", "direct")
MIDST = 4
"""Traffic requests that are answered before the line breaks."""


@pytest.fixture
def standin():
    """Three domains, a clock that stands still, no quota."""
    with Standin(domains=3, now=at(NIGHT), requests_per_minute=0) as server:
        yield server


@dataclass
class Line:
    """TLS in front of the stand-in, one request a connection, so that each one shakes hands anew."""

    standin: Standin
    shelf: dict[str, str]
    port: int = 0
    certificate: str = "good"
    after: int = 0
    """How many requests for traffic are served before ``breaks`` is called."""
    breaks: object = None
    seen: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    listener: socket.socket | None = None

    def serve(self, raw: socket.socket) -> None:
        with raw, contextlib.suppress(OSError):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.shelf[self.certificate])
            with context.wrap_socket(raw, server_side=True) as stream:
                head = b""
                while b"\r\n\r\n" not in head:
                    head += stream.recv(65536) or b"\r\n\r\n"
                stream.sendall(self.answer(head))

    def answer(self, head: bytes) -> bytes:
        """The stand-in's, which closes the connection."""
        first, _, rest = head.partition(b"\r\n")
        place = self.standin.ready["endpoint"].removeprefix("http://")
        name, _, port = place.partition(":")
        lines = [one for one in rest.split(b"\r\n") if not one.lower().startswith(b"connection")]
        with socket.create_connection((name, int(port)), timeout=60) as there:
            there.sendall(b"\r\n".join([first, b"Connection: close", *lines]))
            got = b"".join(iter(lambda: there.recv(65536), b""))
        if b"/stream/traffic" in first:
            with self.lock:
                self.seen += 1
                if self.seen == self.after and self.breaks is not None:
                    self.breaks(self)
        return got


@contextlib.contextmanager
def line(standin, shelf, port=0):
    """It, while it listens."""
    with socket.create_server(("127.0.0.1", port), backlog=64) as listener:
        found = Line(standin, shelf, listener.getsockname()[1], listener=listener)

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    raw, _ = listener.accept()
                    threading.Thread(target=found.serve, args=(raw,), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield found
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def no_name(monkeypatch):
    """From now on no name resolves."""

    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    return lambda _: monkeypatch.setattr(socket, "getaddrinfo", unknown)


def nobody(found: Line) -> None:
    found.listener.shutdown(socket.SHUT_RDWR)
    found.listener.close()


def shows(certificate):
    def change(found: Line) -> None:
        found.certificate = certificate

    return change


def revoked(found: Line) -> None:
    found.standin.faults([{"kind": "revoke_tokens", "operation": "traffic", "times": 1}])


BREAKS = {
    "no such name": (no_name, 1, "cannot be resolved"),
    "connection refused": (lambda _: nobody, 1, "cannot be connected to"),
    "another host's certificate": (lambda _: shows("other"), 1, "No trusted TLS connection"),
    "an expired certificate": (lambda _: shows("expired"), 1, "No trusted TLS connection"),
    "a stranger's certificate": (lambda _: shows("self-signed"), 1, "No trusted TLS connection"),
    "a revoked token": (lambda _: revoked, 2, "token"),
}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """Certificates by name."""
    return authority(tmp_path_factory.mktemp("tls"))


@pytest.mark.parametrize("after", [0, MIDST], ids=["at once", "in the midst"])
@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_line(capsys, monkeypatch, tmp_path, standin, shelf, figures, name, after):
    """Then it is mended, and the warehouse becomes equal to the source."""
    make, code, words = BREAKS[name]
    live = commands(capsys, monkeypatch, standin, tmp_path / "w")
    monkeypatch.setattr(extract.transport.Retries, "first", lambda *_: 0.001)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", shelf["ca"])
    monkeypatch.setenv("LIVE_TRAFFIC_API", "v1")
    offer = offered(standin, NIGHT)
    with line(standin, shelf) as found, monkeypatch.context() as patch:
        monkeypatch.setenv("LIVE_TRAFFIC_ENDPOINT", f"https://127.0.0.1:{found.port}")
        breaks = make(patch)
        found.after, found.breaks = after, breaks
        if not after:
            breaks(found)
        outcome = live(*BACKFILL, as_of=NIGHT)
    # Whether a window that expires within 48 h is among those that were read is up to the threads.
    assert outcome.code in ({code} if code == 2 or not after else {4, 5}), outcome.err
    assert words in outcome.err + outcome.out, outcome
    assert "Traceback" not in outcome.err + outcome.out
    assert standin.ready["token"] not in outcome.err + outcome.out
    held = stored(live.warehouse) if after else {}
    assert held.items() <= offer.items()
    assert bool(held) is bool(after)
    standin.faults([])
    monkeypatch.setenv("LIVE_TRAFFIC_ENDPOINT", standin.ready["endpoint"])
    monkeypatch.delenv("LIVE_TRAFFIC_TOKEN")  # it may be the one that was revoked
    for key in ("ak", "sk"):
        monkeypatch.setenv(f"LIVE_TRAFFIC_{key.upper()}", standin.ready[key])
    again = live.json(*BACKFILL, as_of=NIGHT)
    assert again["exit_code"] == 0, again
    assert stored(live.warehouse) == offer
    figures("HTTP faults", f"{name}, {'in the midst' if after else 'at once'}", 1)
