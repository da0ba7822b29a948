"""A server that answers as it is told, and the surroundings of a client that never really waits."""

import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from extract.auth import FixedToken
from extract.budget import Unmetered
from extract.credentials import Secret, TokenCredentials
from extract.transport import Transport

TOKEN = "planted-token-0123456789"
NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


class Wire:
    """Answers in order, the last one for ever; each is ``(status, headers, body)`` or a function of
    the handler that writes by itself."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []
        self.lock = threading.Lock()
        self.date = NOW

    def next_answer(self, request):
        with self.lock:
            self.requests.append(request)
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def serving(*answers):
    """A ``Wire`` with its ``url`` while it is served on loopback."""
    wire = Wire(*answers)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self):
            length = int(self.headers.get("Content-Length", 0))
            sent = self.rfile.read(length)
            found = wire.next_answer((self.command, self.path, dict(self.headers), sent))
            if callable(found):
                found(self)
                return
            status, headers, body = found
            self.send_response_only(status)
            if wire.date is not None:
                self.send_header("Date", format_datetime(wire.date, usegmt=True))
            self.send_header("Content-Length", str(len(body)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = answer  # noqa: N815 (the library's names)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    wire.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield wire
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Naps:
    """A sleeper that only notes; ``stop_at`` is the nap at which the run is asked to stop.

    To sleep for no time is the question whether to stop."""

    def __init__(self, stop_at=None):
        self.taken = []
        self.stop_at = stop_at

    def __call__(self, seconds):
        if seconds:
            self.taken.append(seconds)
        return self.stop_at is not None and len(self.taken) >= self.stop_at


class CountingBudget(Unmetered):
    """Counts passes and throttle answers."""

    def __init__(self):
        super().__init__(sleep=lambda _: False)
        self.passed = []
        self.throttles = []

    def acquire(self, account, endpoint, quota):
        self.passed.append((account, endpoint, quota))
        return super().acquire(account, endpoint, quota)

    def throttled(self, account, endpoint):
        self.throttles.append((account, endpoint))


def transport(url, authenticator=None, **changes):
    """A transport whose clock stands at ``NOW`` and whose waits cost nothing."""
    settings = {
        "account": "acme",
        "clock": lambda: NOW,
        "sleep": Naps(),
        "monotonic": lambda: 0.0,
        "jitter": lambda: 1.0,
    }
    settings |= changes
    budget = settings.pop("budget", None) or CountingBudget()
    token = authenticator or FixedToken(TokenCredentials(Secret(TOKEN)))
    return Transport(url, token, budget, **settings)


def error(code, message="m"):
    """A body as Live and its gateway write it."""
    return f'{{"error_code": "{code}", "error_msg": "{message}", "request_id": "r-1"}}'.encode()
