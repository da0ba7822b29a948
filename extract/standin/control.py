"""``/_standin/``: clock, journal, faults, switches, truth, restatements and domains' lives.

Not authenticated; the server listens on loopback only.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime

import orjson

from extract.standin.domains import Domain, DomainError, Kind
from extract.standin.faults import FaultError
from extract.standin.restatements import Restatement
from extract.standin.switches import SwitchError
from extract.standin.wire import Answer, Request, json_answer
from extract.standin.world import World
from livetraffic.window import DAY, MINUTE, instant_text, to_seconds

PREFIX = "/_standin/"


class ControlError(ValueError):
    """A control call that is not understood."""


class Control:
    """Answers the control calls."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._calls: Mapping[tuple[str, str], Callable[[Request], object]] = {
            ("GET", "clock"): self._clock,
            ("PUT", "clock"): self._set_clock,
            ("GET", "requests"): self._requests,
            ("DELETE", "requests"): self._clear_requests,
            ("GET", "faults"): self._faults,
            ("PUT", "faults"): self._set_faults,
            ("DELETE", "faults"): self._clear_faults,
            ("GET", "switches"): self._switches,
            ("PUT", "switches"): self._set_switches,
            ("GET", "truth"): self._truth,
            ("PUT", "restate"): self._restate,
            ("DELETE", "restate"): self._clear_restatements,
            ("GET", "domains"): self._domains,
            ("PUT", "domains"): self._change_domains,
            ("GET", "ready"): self._ready,
        }

    def answer(self, request: Request) -> Answer:
        """The answer: 200, 400 with the reason, or 404."""
        call = self._calls.get((request.method, request.path.removeprefix(PREFIX)))
        if call is None:
            names = sorted(f"{method} {PREFIX}{name}" for method, name in self._calls)
            return json_answer({"error": "no such control", "controls": names}, 404)
        try:
            return json_answer(call(request))
        except (
            ControlError,
            DomainError,
            FaultError,
            SwitchError,
            orjson.JSONDecodeError,
        ) as error:
            return json_answer({"error": str(error)}, 400)

    def restate(self, order: Mapping[str, object]) -> None:
        """Take one correction: of a point, or of a range by a factor."""
        now = self._world.clock.now()
        at = instant(order["at"]) if order.get("at") is not None else now
        domain = str(order.get("domain", "")).lower()
        if self._world.domains.get(domain) is None:
            raise ControlError(f"there is no domain {domain!r}")
        if "timestamp" in order:
            start, traffic = instant(order["timestamp"]), _whole(order.get("traffic"))
            self._world.source.restatements.add(
                Restatement(domain, start, start + 5 * MINUTE, at, traffic)
            )
            return
        factor = order.get("factor")
        if not isinstance(factor, (int, float)) or factor < 0:
            raise ControlError("give timestamp and traffic, or start, end and factor")
        start, end = instant(order.get("start")), instant(order.get("end"))
        self._world.source.restatements.add(
            Restatement(domain, start, end, at, factor=float(factor))
        )

    def change_domain(self, change: Mapping[str, object]) -> None:
        """Take one change of a domain's life, from now on or from ``at``."""
        now = self._world.clock.now()
        at = instant(change["at"]) if change.get("at") is not None else now
        name, domains = str(change.get("domain", "")).lower(), self._world.domains
        match change.get("action"):
            case "create":
                kind = str(change.get("kind", "plain"))
                domain_type = str(change.get("domain_type", "pull"))
                if kind not in {k.value for k in Kind} or domain_type not in {"pull", "push"}:
                    raise ControlError("kind is plain, heavy or idle; domain_type pull or push")
                service = str(change.get("service", "old"))
                if service not in {"old", "new"}:
                    raise ControlError("service is old or new")
                region = str(change["region"]) if change.get("region") is not None else None
                domains.create(
                    Domain(name, at, domain_type, Kind(kind), service=service, region=region)
                )
            case "move":
                domains.move(name, at)
            case "delete":
                domains.delete(name, at)
            case "off":
                domains.switch_off(name, at)
            case "on":
                domains.switch_on(name, at)
            case _:
                raise ControlError("action is create, delete, move, off or on")

    def truth(
        self, name: str | None, start: int, end: int, step: int, service: str | None = None
    ) -> list[tuple[int, int]]:
        """What the source would say now, for a domain that ever was or for the tenant (None).

        ``service`` is the API that is asked, ``v1`` or ``v2``; None: each that serves the domain, for
        its time (for the tenant: v1).
        For a deleted domain: what it would say if the switch ``deleted_domain`` were ``history``.
        """
        domain = self._world.domains.get(name) if name is not None else None
        if name is not None and domain is None:
            raise ControlError(f"there is no domain {name!r}")
        if service not in {None, "v1", "v2"}:
            raise ControlError("service is v1 or v2")
        served = self._world.panel.current.push_domain == "zero"
        if domain is not None and domain.domain_type == "push" and not served:
            return []
        source = self._world.source
        if service is not None:
            return source.truth(domain, start, end, step, service)
        if domain is None:
            return source.truth(None, start, end, step)
        sums: Counter[int] = Counter()
        # A period in which a domain moved is in both, a part in each.
        for api in ("v1", "v2"):
            if domain.served(api) is not None:
                sums.update(dict(source.truth(domain, start, end, step, api)))
        return sorted(sums.items())

    def _clock(self, _request: Request) -> object:
        clock = self._world.clock
        return {"now": instant_text(clock.now()), "running": clock.running}

    def _set_clock(self, request: Request) -> object:
        body = _object(request)
        if "now" not in body:
            raise ControlError('give {"now": instant or null, "running": true or false}')
        now = None if body["now"] is None else instant(body["now"])
        self._world.clock.set(now, running=body.get("running") is True)
        return self._clock(request)

    def _requests(self, request: Request) -> object:
        return {"requests": self._world.journal.entries(request.param("operation"))}

    def _clear_requests(self, request: Request) -> object:
        self._world.journal.clear()
        return self._requests(request)

    def _faults(self, _request: Request) -> object:
        return {"faults": self._world.faults.describe()}

    def _set_faults(self, request: Request) -> object:
        self._world.faults.replace(_list(_object(request), "faults"))
        return self._faults(request)

    def _clear_faults(self, request: Request) -> object:
        self._world.faults.replace(())
        return self._faults(request)

    def _switches(self, _request: Request) -> object:
        return {"switches": self._world.panel.describe()}

    def _set_switches(self, request: Request) -> object:
        self._world.panel.throw(_object(request))
        return self._switches(request)

    def _truth(self, request: Request) -> object:
        start, end, step = (request.param(name) for name in ("start", "end", "step"))
        minutes = _whole(step or "5")
        if minutes == 0 or minutes % 5 or DAY % (minutes * MINUTE):
            raise ControlError("step is in minutes: 5, 60, 1440")
        points = self.truth(
            request.param("domain"),
            instant(start) if start else 0,
            instant(end) if end else self._world.clock.now(),
            minutes * MINUTE,
            request.param("service"),
        )
        said = [{"timestamp": instant_text(t), "traffic": value} for t, value in points]
        return {"domain": request.param("domain"), "points": said}

    def _restate(self, request: Request) -> object:
        body = _object(request)
        points = _list(body, "points") if "points" in body else [body]
        for point in points:
            if not isinstance(point, dict):
                raise ControlError("points is a list of objects")
            self.restate({"at": body.get("at")} | point)
        return {"restated": len(points)}

    def _clear_restatements(self, _request: Request) -> object:
        self._world.source.restatements.clear()
        return {"restated": 0}

    def _domains(self, _request: Request) -> object:
        now = self._world.clock.now()
        return {"domains": [_life(domain, now) for domain in self._world.domains.all()]}

    def _change_domains(self, request: Request) -> object:
        body = _object(request)
        for change in _list(body, "changes") if "changes" in body else [body]:
            if not isinstance(change, dict):
                raise ControlError("changes is a list of objects")
            self.change_domain(change)
        return self._domains(request)

    def _ready(self, request: Request) -> object:
        ready = self._world.ready(f"http://{request.headers.get('host', '')}")
        return ready | {"security_token": self._world.account.security_token}


def instant(value: object) -> int:
    """An instant with a zone, in seconds since the epoch.

    Raises:
        ControlError: it is none.
    """
    try:
        return to_seconds(datetime.fromisoformat(str(value)))
    except ValueError:
        raise ControlError(f"{value!r} is not an instant such as 2026-03-01T00:00:00Z") from None


def _whole(value: object) -> int:
    if isinstance(value, bool) or not re.fullmatch(r"\d{1,19}", str(value)):
        raise ControlError(f"{value!r} is not a whole number of bytes or minutes")
    return int(str(value))


def _object(request: Request) -> Mapping[str, object]:
    body = orjson.loads(request.body)
    if not isinstance(body, dict):
        raise ControlError("the body must be a JSON object")
    return body


def _list(body: Mapping[str, object], name: str) -> list[object]:
    value = body.get(name)
    if not isinstance(value, list):
        raise ControlError(f"the body must hold a list {name!r}")
    return value


def _life(domain: Domain, now: int) -> dict[str, object]:
    deleted_at = domain.deleted_at
    return {
        "domain": domain.name,
        "domain_type": domain.domain_type,
        "kind": domain.kind.value,
        "create_time": instant_text(domain.create_time),
        "deleted_at": instant_text(deleted_at) if deleted_at is not None else None,
        "service": domain.service if domain.moved_at is None else "moved",
        "status": "off" if domain.is_off(now) else "on",
        "listed": domain.listed(now),
    }
