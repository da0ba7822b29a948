"""The front desk: finds the operation, lets nobody in unchecked, and writes everything down."""

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from extract.standin import refusals
from extract.standin.damage import spoil
from extract.standin.faults import BODY_KINDS, GATE_KINDS, HEADER_KINDS, POINT_KINDS, Fault
from extract.standin.journal import Entry
from extract.standin.outages import outage
from extract.standin.refusals import Refusal, Shape
from extract.standin.statistics_v2 import play_domains
from extract.standin.wire import Answer, Request
from extract.standin.world import World
from livetraffic.window import instant_text

Wait = Callable[[float], object]


@dataclass(frozen=True, slots=True)
class Route:
    """An operation: where it is, who answers, and which switch holds its quota, if any."""

    method: str
    path: re.Pattern[str]
    operation: str
    answer: Callable[[Request], Answer]
    rows: str
    quota: str | None = None
    iam: bool = False
    open: bool = False


def routes(world: World) -> tuple[Route, ...]:
    """All operations that are served; a further API is a further line."""
    v1, iam, live = r"/v1/([^/]+)", world.iam, world.live
    v2, stats, most = r"/v2/([^/]+)/stats", world.live_v2, "quota_bandwidth"
    traffic, domain = re.compile(f"{v1}/stream/traffic"), re.compile(f"{v1}/domain")
    tokens, projects = re.compile("/v3/auth/tokens"), re.compile("/v3/projects")
    return (
        Route("GET", traffic, "traffic", live.show_traffic, "traffic_info", "traffic_per_minute"),
        Route("GET", domain, "domains", live.show_domain, "domain_info", "domains_per_minute"),
        *(
            Route("GET", re.compile(f"{v2}/{path}"), name, answer, rows, quota)
            for path, name, answer, rows, quota in (
                ("traffic/detail", "traffic_v2", stats.traffic_detail, "data_list", "quota_v2"),
                (
                    "traffic/summary",
                    "summary_v2",
                    stats.traffic_summary,
                    "traffic_list",
                    "quota_v2",
                ),
                ("bandwidth/detail", "bandwidth_v2", stats.bandwidth_detail, "data_list", most),
                ("bandwidth/peak", "peak_v2", stats.bandwidth_peak, "bandwidth_list", "quota_v2"),
            )
        ),
        Route("POST", tokens, "tokens", iam.create_token, "token", iam=True, open=True),
        Route("GET", projects, "projects", iam.list_projects, "projects", iam=True),
    )


POINTED = frozenset({"traffic", "traffic_v2", "bandwidth_v2"})
"""The operations whose answers hold points."""


def _subject(request: Request) -> str | None:
    """The domain that is asked for; several as they were given, the first of repeated ones."""
    return request.param("domain") or request.param("play_domains")


class Desk:
    """Answers every request that is not for the control."""

    def __init__(self, world: World, wait: Wait) -> None:
        self._world, self._wait = world, wait
        self._routes = routes(world)

    def answer(self, request: Request) -> Answer:
        """The answer, with faults applied, noted in the journal."""
        request_id = uuid.uuid4().hex
        route = self._route(request)
        operation = route.operation if route else None
        domain = _subject(request)
        answer = self._outage(operation, domain, request_id)
        if answer is None:
            answer = self._served(route, request, request_id)
            if route is not None and answer.status < 300:
                spoil(answer, self._spoilers(operation, domain, answer), route.rows)
        for fault in self._world.faults.striking(HEADER_KINDS, operation, domain):
            answer.date_skew += int(fault.number("seconds", 3600))
        answer.headers["X-Request-Id"] = request_id
        self._note(request, operation, answer)
        return answer

    def _route(self, request: Request) -> Route | None:
        return next(
            (
                route
                for route in self._routes
                if route.method == request.method and route.path.fullmatch(request.path)
            ),
            None,
        )

    def _served(self, route: Route | None, request: Request, request_id: str) -> Answer:
        try:
            if route is None:
                raise refusals.no_such_api()
            self._admit(route, request)
            return route.answer(request)
        except Refusal as refusal:
            said = refusal
            if route is not None and route.iam and refusal.shape is Shape.GATEWAY:
                said = refusals.iam_refusal(refusal.status, refusal.message)
            return said.answer(self._world.panel.current, request_id)

    def _admit(self, route: Route, request: Request) -> None:
        if route.open:
            return
        caller = self._world.access.caller(request)
        switches = self._world.panel.current
        if route.quota is not None:
            self._count(route, caller.user_id, getattr(switches, route.quota))
        if not route.iam:
            given = {request.segments[2], request.headers.get("x-project-id", caller.project_id)}
            if given != {caller.project_id}:
                raise refusals.wrong_project()

    def _count(self, route: Route, user_id: str, limit: int) -> None:
        switches = self._world.panel.current
        seconds = self._world.quota.admit(
            user_id, route.operation, limit, rejected_count=switches.rejected_count
        )
        if seconds is not None:
            refusal = refusals.throttled(limit)
            if switches.retry_after:
                refusal.headers["Retry-After"] = str(int(seconds) + 1)
            raise refusal

    def _outage(self, operation: str | None, domain: str | None, request_id: str) -> Answer | None:
        for fault in self._world.faults.striking(GATE_KINDS, operation, domain):
            if fault.kind == "slow":
                self._wait(fault.number("seconds", 1.0))
            elif fault.kind == "revoke_tokens":
                self._world.tokens.revoke_all()
            answer = outage(fault, self._world.panel.current, request_id)
            if answer is not None:
                return answer
        return None

    def _spoilers(self, operation: str | None, domain: str | None, answer: Answer) -> list[Fault]:
        faults = self._world.faults
        has_points = operation in POINTED and not answer.body.endswith(b"[]}")
        points = faults.striking(POINT_KINDS, operation, domain) if has_points else []
        return points + faults.striking(BODY_KINDS, operation, domain)

    def _note(self, request: Request, operation: str | None, answer: Answer) -> None:
        clock = self._world.clock
        self._world.journal.note(
            Entry(
                at=instant_text(clock.now()),
                method=request.method,
                path=request.path,
                operation=operation,
                domain=_subject(request),
                play_domains=play_domains(request),
                start_time=request.param("start_time"),
                end_time=request.param("end_time"),
                step=request.param("step") or request.param("interval"),
                status=answer.status or None,
                error_code=answer.error_code,
                request_id=answer.headers["X-Request-Id"],
                real_s=clock.real(),
            )
        )
