"""Stands between a sink and its database server, and cuts the connection at a request of a number.

It knows where a request of PostgreSQL or of MariaDB begins and ends, and nothing else of them.
"""

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from tests.faults.listening import listening

LONGEST_ANSWER_S = 0.3
"""Pieces of a bulk load are not answered one by one."""


@dataclass
class DatabaseProxy:
    """Counts the requests of all connections; ``cut_at`` and, if ``lasting``, all later ones are cut.

    ``answered``: the request reaches the server, and its answer is what nobody gets.
    """

    kind: str
    target: tuple[str, int]
    port: int = 0
    cut_at: int = 0
    lasting: bool = False
    answered: bool = False
    seen: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def arm(self, cut_at: int, *, lasting: bool, answered: bool) -> None:
        """Count from here."""
        with self._lock:
            self.seen, self.cut_at, self.lasting, self.answered = 0, cut_at, lasting, answered

    def serve(self, client: socket.socket) -> None:
        """One connection, until either side or the fault ends it."""
        with client, contextlib.suppress(OSError), socket.create_connection(self.target) as server:
            cut, done = threading.Event(), threading.Event()
            back = threading.Thread(target=_answers, args=(server, client, cut, done), daemon=True)
            back.start()
            stream = client.makefile("rb")
            packets = _postgres(stream) if self.kind == "postgres" else _mariadb(stream)
            for packet in packets:
                if self._befalls():
                    cut.set()
                    if self.answered:
                        server.sendall(packet)
                        done.wait(LONGEST_ANSWER_S)
                    break
                server.sendall(packet)
            for each in (server, client):
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
            back.join(5)

    def _befalls(self) -> bool:
        with self._lock:
            self.seen += 1
            return self.seen == self.cut_at or (self.lasting and self.seen > self.cut_at > 0)


def _answers(
    server: socket.socket, client: socket.socket, cut: threading.Event, done: threading.Event
) -> None:
    with contextlib.suppress(OSError):
        while piece := server.recv(65536):
            if cut.is_set():
                break
            client.sendall(piece)
    done.set()
    with contextlib.suppress(OSError):  # the server has hung up: so does this
        client.shutdown(socket.SHUT_RDWR)


def _postgres(stream: BinaryIO) -> Iterator[bytes]:
    """Start-up messages have no kind: a request for TLS is one too, and is answered by a byte."""
    named = False
    while True:
        head = stream.read(5 if named else 4)
        if len(head) < (5 if named else 4):
            return
        (size,) = struct.unpack(">I", head[-4:])
        body = stream.read(size - 4)
        yield head + body
        if not named:
            named = struct.unpack(">I", body[:4])[0] >> 16 == 3


def _mariadb(stream: BinaryIO) -> Iterator[bytes]:
    while True:
        head = stream.read(4)
        if len(head) < 4:
            return
        yield head + stream.read(int.from_bytes(head[:3], "little"))


@contextlib.contextmanager
def in_front_of(kind: str, target: tuple[str, int]) -> Iterator[DatabaseProxy]:
    """The proxy, while it runs."""
    proxy = DatabaseProxy(kind, target)
    with listening(proxy.serve) as proxy.port:
        yield proxy
