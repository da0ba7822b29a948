"""The stand-in as a server: in a thread for tests, or as a command's main loop."""

import ipaddress
import signal
import sys
import threading
import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Self

import orjson

from extract.standin.banner import banner
from extract.standin.control import Control
from extract.standin.desk import Desk
from extract.standin.handler import Handler
from extract.standin.listener import Listener
from extract.standin.switches import QUOTAS
from extract.standin.wire import Answer, Request
from extract.standin.world import World
from livetraffic.window import from_seconds, to_seconds


class Standin:
    """A running stand-in; use it in a ``with`` statement.

    Args:
        domains: how many domains the tenant has; the first six include the special ones.
        seed: makes the account and the traffic; the same seed gives the same.
        requests_per_minute: quota of each statistics API and of the domain list; 0 = none.
        now: where the clock stands still; None = the real clock.
        switches: see ``switches.Switches``.
        plain: only ordinary domains.
        services: two more domains, one on the new service and one that moved to it forty days ago.
        host: an IPv4 loopback address.
        port: 0 = any free one.
    """

    def __init__(
        self,
        *,
        domains: int = 6,
        seed: int = 1,
        requests_per_minute: int | None = None,
        now: datetime | None = None,
        switches: Mapping[str, object] | None = None,
        plain: bool = False,
        services: bool = False,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        if not ipaddress.IPv4Address(host).is_loopback:
            msg = f"the stand-in listens on loopback only, not on {host}"
            raise ValueError(msg)
        settings = dict(switches or {})
        if requests_per_minute is not None:
            settings = dict.fromkeys(QUOTAS, requests_per_minute) | settings
        instant = None if now is None else to_seconds(now)
        self.world = World(
            domains=domains,
            seed=seed,
            now=instant,
            switches=settings,
            plain=plain,
            services=services,
        )
        self._stopping = threading.Event()
        self._control = Control(self.world)
        self._server = Listener((host, port), self._handler())
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )
        self.url = f"http://{host}:{self._server.server_address[1]}"

    @property
    def ready(self) -> dict[str, str]:
        """Endpoint, project and credentials."""
        return self.world.ready(self.url)

    def start(self) -> Self:
        """Serve from a thread of its own."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """End the server and every connection."""
        self._stopping.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
        self._server.hang_up()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def set_clock(self, now: datetime | None, *, running: bool = False) -> None:
        """Stand still at an instant, run on from it, or follow the real clock (None)."""
        self.world.clock.set(None if now is None else to_seconds(now), running=running)

    def now(self) -> datetime:
        """What the stand-in's clock shows."""
        return from_seconds(self.world.clock.now())

    def requests(self, operation: str | None = None) -> list[dict[str, object]]:
        """The journal, or one operation's part of it."""
        return self.world.journal.entries(operation)

    def clear_requests(self) -> None:
        """Empty the journal."""
        self.world.journal.clear()

    def faults(self, faults: Iterable[Mapping[str, object]]) -> None:
        """Order these faults instead of the earlier ones."""
        self.world.faults.replace(faults)

    def ordered(self) -> list[dict[str, object]]:
        """The faults that are ordered, with the counts that are left."""
        return self.world.faults.describe()

    def switches(self, **settings: object) -> None:
        """Throw switches."""
        self.world.panel.throw(settings)

    def truth(
        self,
        domain: str | None,
        start: datetime | None = None,
        end: datetime | None = None,
        step_minutes: int = 5,
        service: str | None = None,
    ) -> dict[datetime, int]:
        """What the source would say now: period start (UTC) to bytes; None = the tenant total.

        ``service``: what one API (``v1``, ``v2``) says; None: each for the time that it serves.
        """
        first = 0 if start is None else to_seconds(start)
        last = self.world.clock.now() if end is None else to_seconds(end)
        points = self._control.truth(domain, first, last, step_minutes * 60, service)
        return {from_seconds(instant): value for instant, value in points}

    def restate(self, domain: str, **order: object) -> None:
        """Correct values: ``timestamp``, ``traffic``, or ``start``, ``end``, ``factor``; ``at``."""
        self._control.restate({"domain": domain} | {k: _plain(v) for k, v in order.items()})

    def change_domain(self, action: str, domain: str, **details: object) -> None:
        """``create``, ``delete``, ``move``, ``off`` or ``on``; now or ``at``.

        ``create`` takes kind, domain_type, service and region; ``move`` is from the old service to
        the new.
        """
        change = {"action": action, "domain": domain}
        self._control.change_domain(change | {k: _plain(v) for k, v in details.items()})

    def domains(self, domain_type: str | None = None) -> list[str]:
        """Names of the domains that are listed now."""
        now = self.world.clock.now()
        return [
            domain.name
            for domain in self.world.domains.all()
            if domain.listed(now) and domain_type in (None, domain.domain_type)
        ]

    def warm_up(self, days: int = 91) -> None:
        """Compute and render the last days beforehand, so that answers cost next to nothing."""
        self.world.source.warm_up(days)

    def _handler(self) -> type[Handler]:
        panel, control = self.world.panel, self._control
        desk = Desk(self.world, self._stopping.wait)

        def controlled(request: Request) -> Answer:
            answer = control.answer(request)
            answer.headers["X-Request-Id"] = uuid.uuid4().hex
            return answer

        members = {
            "desk": staticmethod(desk.answer),
            "control": staticmethod(controlled),
            "date": staticmethod(self.world.clock.now),
            "may_gzip": staticmethod(lambda: panel.current.gzip),
            "wait": staticmethod(self._stopping.wait),
        }
        return type("StandinHandler", (Handler,), members)


def main_loop(
    *,
    port: int = 0,
    as_json: bool = False,
    domains: int = 6,
    seed: int = 1,
    requests_per_minute: int | None = None,
    now: datetime | None = None,
    switches: Mapping[str, object] | None = None,
    plain: bool = False,
    services: bool = False,
    warm_up_days: int = 0,
    host: str = "127.0.0.1",
) -> int:
    """Serve until SIGINT or SIGTERM; announce readiness on standard output; returns 0.

    With ``as_json`` exactly one line of JSON is printed (``Standin.ready``), else a banner. Must be
    called from the main thread; the signals' handlers are put back at the end.

    Raises:
        SwitchError: an unknown switch or value.
        OSError: the port is taken.
    """
    standin = Standin(
        domains=domains,
        seed=seed,
        requests_per_minute=requests_per_minute,
        now=now,
        switches=switches,
        plain=plain,
        services=services,
        host=host,
        port=port,
    )
    standin.warm_up(warm_up_days)
    over = threading.Event()
    stops = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: over.set()) for number in stops}
    try:
        with standin:
            ready = standin.ready
            text = orjson.dumps(ready).decode() if as_json else banner(ready, standin.world.panel)
            sys.stdout.write(text + "\n")
            sys.stdout.flush()
            over.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value
