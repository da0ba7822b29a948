"""HTTP/1.1 on the socket: reads a request, writes an answer, disturbs the delivery if told to."""

import gzip
import socket
import struct
from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler

from extract.standin.control import PREFIX
from extract.standin.wire import Answer, Request

SERVER = "local-stand-in (not Huawei Cloud)"


class Handler(BaseHTTPRequestHandler):
    """One connection; the class attributes are set by the server that uses it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 300

    desk: Callable[[Request], Answer]
    control: Callable[[Request], Answer]
    date: Callable[[], int]
    may_gzip: Callable[[], bool]
    wait: Callable[[float], object]

    def version_string(self) -> str:
        """The ``Server`` header of answers that the base class writes itself."""
        return SERVER

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's)
        """Nothing: the journal is the log."""

    def _serve(self) -> None:
        length = self.headers.get("Content-Length", "0")
        body = self.rfile.read(int(length)) if length.isdigit() else b""
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request.of(self.command, self.path, headers, body)
        answerer = type(self).control if request.path.startswith(PREFIX) else type(self).desk
        self._deliver(request, answerer(request))

    # The base class looks for these names.
    do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815
    do_PATCH = do_HEAD = do_OPTIONS = _serve  # noqa: N815

    def _deliver(self, request: Request, answer: Answer) -> None:
        if answer.reset:
            self._reset()
            return
        accepted = "gzip" in request.headers.get("accept-encoding", "")
        if accepted and answer.body and type(self).may_gzip():
            answer.body = gzip.compress(answer.body, 1)
            answer.headers["Content-Encoding"] = "gzip"
        head = self._head(answer)
        body = b"" if request.method == "HEAD" else answer.body
        if answer.cut or answer.pause:
            self._in_parts(head, body, answer)
        else:
            self.wfile.write(head + body)

    def _head(self, answer: Answer) -> bytes:
        lines = [
            f"HTTP/1.1 {answer.status} {_phrase(answer.status)}",
            f"Server: {SERVER}",
            f"Date: {formatdate(type(self).date() + answer.date_skew, usegmt=True)}",
            f"Content-Type: {answer.content_type}",
            f"Content-Length: {len(answer.body)}",
            *(f"{name}: {value}" for name, value in answer.headers.items()),
        ]
        if self.close_connection:
            lines.append("Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def _in_parts(self, head: bytes, body: bytes, answer: Answer) -> None:
        half = len(body) // 2
        self.wfile.write(head + body[:half])
        if answer.pause:
            type(self).wait(answer.pause)
        if answer.cut:
            self.close_connection = True
        else:
            self.wfile.write(body[half:])

    def _reset(self) -> None:
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True
        self.rfile.close()
        self.connection.close()


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
