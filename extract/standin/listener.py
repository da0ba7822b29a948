"""The listening socket, and the connections that were accepted on it."""

import socket
import sys
import threading
from http.server import ThreadingHTTPServer
from socketserver import TCPServer

from extract.standin.handler import Handler

Address = tuple[str, int]


class Listener(ThreadingHTTPServer):
    """Knows its connections, so that stopping it also ends those that are kept alive."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, address: Address, handler: type[Handler]) -> None:
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(address, handler)

    def server_bind(self) -> None:
        """Bind without the look-up of our own name that the base class makes."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "local-stand-in", self.server_address[1]

    def get_request(self) -> tuple[socket.socket, Address]:
        """Accept a connection and remember it."""
        connection, address = super().get_request()
        with self._open_lock:
            self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        """Forget a connection and close it."""
        if isinstance(request, socket.socket):
            with self._open_lock:
                self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        """A client that went away is none of our business; anything else is a bug here."""
        if not isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)

    def hang_up(self) -> None:
        """End all connections."""
        with self._open_lock:
            connections = list(self._open)
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
