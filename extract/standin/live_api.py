"""Live's two operations: ShowTraffic (v1) and ShowDomain (v1)."""

from extract.standin import periods
from extract.standin.clock import Clock
from extract.standin.domains import Domain, Domains
from extract.standin.fixtures import ENTERPRISE_PROJECT, PUBLISH, REGION
from extract.standin.refusals import illegal, not_found
from extract.standin.source import Source, View
from extract.standin.switches import Panel
from extract.standin.wire import Answer, Request, json_answer
from livetraffic.window import instant_text

EMPTY = b'{"total":0,"traffic_info":[]}'


class Live:
    """The statistics and the domain list of the tenant."""

    def __init__(self, clock: Clock, panel: Panel, domains: Domains, source: Source) -> None:
        self._clock, self._panel = clock, panel
        self._domains, self._source = domains, source

    def show_traffic(self, request: Request) -> Answer:
        """``GET /v1/{project_id}/stream/traffic``."""
        view = self._source.view()
        name = request.param("domain")
        if name == "" and view.switches.empty_domain == "400":
            raise illegal("Invalid request parameter: domain", "参数domain无效")
        asked = periods.asked(
            request.param("start_time"),
            request.param("end_time"),
            request.param("step"),
            view.now,
            view.switches,
        )
        if not name:
            return Answer(200, self._source.body(None, asked, view))
        domain = self._known(name, view)
        return Answer(200, self._source.body(domain, asked, view) if domain else EMPTY)

    def show_domain(self, request: Request) -> Answer:
        """``GET /v1/{project_id}/domain``."""
        now = self._clock.now()
        listed = [domain for domain in self._domains.all() if domain.listed(now)]
        name = request.param("domain")
        if name is not None and not 1 <= len(name) <= 255:
            raise illegal("Invalid request parameter: domain", "参数domain无效")
        if name is not None:
            listed = [domain for domain in listed if domain.name == name.lower()]
            if not listed:
                raise not_found()
        if not listed and self._panel.current.empty_tenant == "404":
            raise not_found()
        if request.param("enterprise_project_id") not in (None, ENTERPRISE_PROJECT):
            listed = []
        rows = [_described(domain, now) for domain in listed]
        return json_answer({"total": len(rows), "domain_info": rows})

    def _known(self, name: str, view: View) -> Domain | None:
        """The domain; None where the switches say that the answer is an empty list."""
        domain = self._domains.get(name)
        policy = view.switches.unknown_domain
        if domain is not None and domain.served("v1") is None:
            policy = view.switches.foreign_domain_v1
            if policy == "zero" and domain.create_time <= view.now:
                return domain
        elif domain is not None and domain.create_time <= view.now:
            forgotten = view.switches.deleted_domain == "unknown"
            if not domain.deleted(view.now) or not forgotten:
                if domain.domain_type == "pull" or view.switches.push_domain == "zero":
                    return domain
                policy = view.switches.push_domain
        if policy == "400":
            raise illegal("Invalid request parameter: domain", "参数domain无效")
        if policy == "404":
            raise not_found()
        return None


def _described(domain: Domain, now: int) -> dict[str, object]:
    return {
        "domain": domain.name,
        "domain_type": domain.domain_type,
        "vendor": "uCDN",
        "domain_cname": f"{domain.name}.c.cdnhwc3.com",
        "region": domain.region or REGION,
        "status": "off" if domain.is_off(now) else "on",
        "related_domain": PUBLISH if domain.domain_type == "pull" else "",
        "create_time": instant_text(domain.listed_create_time(now)),
        "status_describe": "",
        "service_area": "mainland_china",
        "enterprise_project_id": ENTERPRISE_PROJECT,
        "is_ipv6": False,
    }
