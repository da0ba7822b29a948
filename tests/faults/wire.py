"""A proxy in front of the stand-in that spoils what it is asked for, byte by byte if need be."""

import contextlib
import gzip
import http.client
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO
from urllib.parse import urlsplit

from tests.faults.listening import listening

Fault = Callable[["Spoilt"], None]
GIBIBYTE = 1 << 30


@dataclass
class Spoilt:
    """One request of which a fault has the answering: the socket, and the answer that is right."""

    socket: socket.socket
    body: bytes
    date: str
    let_go: threading.Event

    def send(self, *parts: bytes) -> None:
        self.socket.sendall(b"".join(parts))

    def head(self, status: str = "200 OK", *lines: str, length: int | None = -1) -> bytes:
        """A head with a date; ``length`` -1 is that of the right answer, None says none."""
        told = [f"Date: {self.date}"] if self.date else []
        if length is not None:
            told.append(f"Content-Length: {len(self.body) if length < 0 else length}")
        return "\r\n".join([f"HTTP/1.1 {status}", *told, *lines, "", ""]).encode("latin-1")

    def answer(self, status: str = "200 OK", body: bytes | None = None, *lines: str) -> None:
        """A well-formed answer."""
        content = self.body if body is None else body
        self.send(self.head(status, *lines, length=len(content)), content)

    def reset(self) -> None:
        """An RST in place of a farewell."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # Its ``close`` would wait for the file over it.
        os.close(self.socket.detach())

    def stall(self) -> None:
        """Silence, until the test is over."""
        self.let_go.wait(60)

    def drip(self, content: bytes, pause: float = 0.05) -> None:
        """A byte at a time."""
        for byte in content:
            if self.let_go.wait(pause):
                return
            self.send(bytes([byte]))

    def pour(self, piece: bytes, count: int) -> None:
        """The same piece again and again."""
        for _ in range(count):
            self.socket.sendall(piece)


@dataclass
class FaultProxy:
    """Answers traffic requests by ``fault``, and all others as the stand-in does."""

    target: str
    url: str = ""
    fault: Fault | None = None
    at_once: bool = False
    """The fault strikes before the request is read."""
    requests: list[bytes] = field(default_factory=list)
    let_go: threading.Event = field(default_factory=threading.Event)

    def serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(60)
            stream = connection.makefile("rb")
            while True:
                if self.fault is not None and self.at_once:
                    self.requests.append(b"")
                    self.fault(Spoilt(connection, b"", "", self.let_go))
                    return
                head = b"".join(_lines(stream))
                if not head:
                    return
                status, date, body = self._asked(head)
                spoilt = Spoilt(connection, body, date, self.let_go)
                if b"/stream/traffic" not in head.partition(b"\r\n")[0]:
                    spoilt.answer(status)
                    continue
                self.requests.append(head)
                if self.fault is None:
                    spoilt.answer(status)
                else:
                    self.fault(spoilt)
                if connection.fileno() < 0:
                    stream.close()
                    return

    def _asked(self, head: bytes) -> tuple[str, str, bytes]:
        """What the stand-in says."""
        first, _, rest = head.partition(b"\r\n")
        headers = dict(line.split(": ", 1) for line in rest.decode().splitlines() if ": " in line)
        headers.pop("Accept-Encoding", None)
        there = http.client.HTTPConnection(urlsplit(self.target).netloc, timeout=60)
        method, path, _ = first.decode().split(" ")
        there.request(method, path, headers=headers)
        got = there.getresponse()
        body = got.read()
        there.close()
        return f"{got.status} {got.reason}", got.headers.get("Date", ""), body


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """The lines of a head, up to the empty one or to the end of the connection."""
    while (line := stream.readline()) not in {b"", b"\r\n"}:
        yield line


@contextlib.contextmanager
def in_front_of(target: str) -> Iterator[FaultProxy]:
    """The proxy, while it runs."""
    proxy = FaultProxy(target)
    with listening(proxy.serve) as port:
        proxy.url = f"http://127.0.0.1:{port}"
        try:
            yield proxy
        finally:
            proxy.let_go.set()


def chunked(*chunks: bytes) -> bytes:
    """A body in chunks, with its end."""
    return b"".join(b"%x\r\n%b\r\n" % (len(c), c) for c in (*chunks, b""))


def bomb(size: int = 10 * GIBIBYTE) -> bytes:
    """Ten gigabytes in ten megabytes: members of one packed mebibyte each."""
    return gzip.compress(bytes(1 << 20)) * (size >> 20)
