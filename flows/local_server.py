"""A Prefect server of our own on the loopback, for a schedule where no API is configured."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import requests

from flows.settings import calm_prefect, of_prefect_server, prefect_api
from livetraffic.errors import LiveTrafficError

HOST = "127.0.0.1"
LONGEST_START_S = 120.0


@contextmanager
def local_server() -> Iterator[str]:
    """Start a server, make it this process's Prefect API, and end it at the end; its address.

    Prefect must not have been imported yet: it reads its settings once.

    Raises:
        LiveTrafficError: it does not come up within two minutes.
    """
    calm_prefect()
    port = _free_port()
    url = f"http://{HOST}:{port}/api"
    command = ["server", "start", "--host", HOST, "--port", str(port)]
    child = subprocess.Popen(
        [sys.executable, "-m", "prefect", *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=of_prefect_server(url),
        start_new_session=True,  # Ctrl-C is for us; the server ends when we are done with it
    )
    try:
        _wait_until_healthy(child, url)
        with prefect_api(url):
            yield url
    finally:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _wait_until_healthy(child: "subprocess.Popen[bytes]", url: str) -> None:
    deadline = time.monotonic() + LONGEST_START_S
    with requests.Session() as session:
        session.trust_env = False
        while time.monotonic() < deadline and child.poll() is None:
            try:
                if session.get(f"{url}/health", timeout=2).ok:
                    return
            except requests.RequestException:
                time.sleep(0.2)
    raise LiveTrafficError(
        "Prefect's server did not start within two minutes.",
        "Try `prefect server start` by hand and set PREFECT_API_URL.",
    )
