"""Servers that vanish without a word, or that take a connection and say nothing."""

import socket
import threading
from pathlib import Path

import pytest

from livetraffic.errors import LiveTrafficError
from load.database import keepalive
from load.database.sink import DatabaseSink
from tests.contract.stores import STORES, prepared
from tests.faults.listening import listening

URLS = {
    "postgres": "postgresql://nobody@127.0.0.1:{}/test",
    "mariadb": "mysql://x@127.0.0.1:{}/test",
}
SERVERS = pytest.mark.parametrize("name", list(URLS))


@SERVERS
def test_the_system_asks_whether_the_server_is_there(name: str, tmp_path: Path) -> None:
    """What the kernel says of the socket that a statement goes through."""
    STORES[name].find()
    sink = prepared(STORES[name], tmp_path / "place")
    assert isinstance(sink, DatabaseSink)
    try:
        with sink._dialect.writer.connect() as connection:
            driver = connection.connection.driver_connection
            number = driver.fileno() if name == "postgres" else driver._sock.fileno()
            with socket.socket(fileno=socket.dup(number)) as same:
                asked = {
                    option: same.getsockopt(socket.IPPROTO_TCP, option)
                    for option in keepalive.SOCKET_OPTIONS
                }
                assert asked == keepalive.SOCKET_OPTIONS
                assert same.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    finally:
        STORES[name].drop(tmp_path / "place")


@pytest.mark.timeout(20)
@SERVERS
def test_a_server_that_says_nothing_is_left(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that takes connections whose database hangs: one sentence that names the place."""
    monkeypatch.setattr(keepalive, "CONNECT_S", 1)
    over = threading.Event()

    def say_nothing(connection: socket.socket) -> None:
        with connection:
            over.wait()

    with listening(say_nothing) as port:
        try:
            place = URLS[name].format(port)
            with pytest.raises(LiveTrafficError) as caught:
                DatabaseSink(place, sleeper=lambda _: None).made()
        finally:
            over.set()
    assert f"127.0.0.1:{port}" in caught.value.message
    assert caught.value.remedy
