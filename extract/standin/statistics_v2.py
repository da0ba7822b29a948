"""Live's v2 statistics: traffic and bandwidth, detail and summary, of domains on the new service."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from extract.standin.domains import Domain, Domains
from extract.standin.periods import Periods, origin
from extract.standin.refusals import Refusal, illegal, not_found
from extract.standin.rhythm import STEP
from extract.standin.source import Source, View
from extract.standin.switches import Switches
from extract.standin.wire import Answer, Request, json_answer
from livetraffic.window import DAY, floor, instant_text

SPAN = 31 * DAY
DEFAULT_SPAN = 7 * DAY
INTERVALS = (300, 3_600, 86_400)
PROVINCES = frozenset(
    {
        *("OT", "BJ", "TJ", "CQ", "SH", "GD", "HI", "GX", "YN", "SX", "HE", "NM", "NX", "LN", "JL"),
        *("HL", "JS", "ZJ", "JX", "SD", "FJ", "AH", "SC", "XZ", "SN", "QH", "XJ", "GS", "GZ", "HB"),
        *("HN", "HA", "HK", "MO", "TW"),
    }
)
FILTERS = {
    "isp": frozenset({"CMCC", "CTCC", "CUCC", "OTHER"}),
    "region": PROVINCES,
    "service_type": frozenset({"Live", "LLL", "ALL"}),
    "protocol": frozenset({"flv", "hls", "rtmp"}),
}
Fold = Callable[[Sequence[int]], int]
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


class StatisticsV2:
    """Answers the four operations of v2."""

    def __init__(self, domains: Domains, source: Source) -> None:
        self._domains, self._source = domains, source

    def traffic_detail(self, request: Request) -> Answer:
        """``GET /v2/{project_id}/stats/traffic/detail``: one series, several domains merged."""
        points = self._merged(request)
        return json_answer(
            {"data_list": [{"value": v, "time": instant_text(t)} for t, v in points]}
        )

    def traffic_summary(self, request: Request) -> Answer:
        """``GET /v2/{project_id}/stats/traffic/summary``: the bytes of each domain."""
        rows = self._each(request, sum)
        return json_answer({"traffic_list": [{"value": v, "domain": name} for name, v in rows]})

    def bandwidth_detail(self, request: Request) -> Answer:
        """``GET /v2/{project_id}/stats/bandwidth/detail``: the largest 5-minute mean of a period."""
        view, asked = self._asked(request)
        fine = Periods(asked.first, asked.stop, STEP)
        values: dict[int, int] = {}
        for at, value in self._sums(self._named(request, view), fine, view).items():
            start = asked.first + floor(at - asked.first, asked.step)
            values[start] = max(values.get(start, 0), value * 8 // STEP)
        points = self._source.ordered(sorted(values.items()), asked, view)
        return json_answer(
            {"data_list": [{"value": v, "time": instant_text(t)} for t, v in points]}
        )

    def bandwidth_peak(self, request: Request) -> Answer:
        """``GET /v2/{project_id}/stats/bandwidth/peak``: the largest 5-minute mean of each domain."""
        rows = self._each(request, lambda values: max(values, default=0) * 8 // STEP)
        return json_answer({"bandwidth_list": [{"value": v, "domain": name} for name, v in rows]})

    def _merged(self, request: Request) -> list[tuple[int, int]]:
        view, asked = self._asked(request)
        domains = self._named(request, view)
        if len(domains) == 1:
            return self._source.points(domains[0], asked, view)
        return self._source.ordered(sorted(self._sums(domains, asked, view).items()), asked, view)

    def _each(self, request: Request, fold: Fold) -> list[tuple[str, int]]:
        view, asked = self._asked(request)
        fine = Periods(asked.first, asked.stop, STEP)
        return [
            (domain.name, fold([value for _, value in self._source.points(domain, fine, view)]))
            for domain in self._named(request, view)
        ]

    def _sums(self, domains: Sequence[Domain], asked: Periods, view: View) -> dict[int, int]:
        """The domains' points together, by start."""
        sums: Counter[int] = Counter()
        for domain in domains:
            sums.update(dict(self._source.points(domain, asked, view)))
        return sums

    def _named(self, request: Request, view: View) -> list[Domain]:
        """The domains that are answered for; none named is the tenant on the new service."""
        names = play_domains(request)
        if view.switches.empty_domain == "total":
            names = tuple(filter(None, names))
        most = 10 if view.switches.profile == "2021" else 100
        if (not names and view.switches.profile == "2021") or len(names) > most or "" in names:
            raise _bad("play_domains")
        if not names:
            tenant = self._source.tenant(view)
            return [d for d in tenant if d.served("v2") is not None and d.create_time <= view.now]
        found = (self._answered(name, view) for name in dict.fromkeys(names))
        return [domain for domain in found if domain is not None]

    def _answered(self, name: str, view: View) -> Domain | None:
        """The domain; None where the switches say that nothing is said of it."""
        domain, switches = self._domains.get(name), view.switches
        policy = switches.foreign_domain_v2
        forgotten = switches.deleted_domain == "unknown"
        if (
            domain is None
            or domain.create_time > view.now
            or (domain.deleted(view.now) and forgotten)
        ):
            domain, policy = None, "400" if policy == "400" else "empty"
        elif domain.domain_type != "pull":
            policy = switches.push_domain
        elif domain.served("v2") is not None:
            return domain
        if policy == "400":
            raise _bad("play_domains")
        if policy == "404":
            raise not_found()
        return domain if policy == "zero" else None

    def _asked(self, request: Request) -> tuple[View, Periods]:
        view = self._source.view("v2")
        for name, values in FILTERS.items():
            given = [v for key, value in request.pairs if key == name for v in value.split(",")]
            if not set(given) <= values:
                raise _bad(name)
        interval = request.param("interval") or "300"
        if interval not in map(str, INTERVALS):
            raise _bad("interval")
        end = _instant(request.param("end_time"), view.now, "end_time")
        start = _instant(request.param("start_time"), end - DEFAULT_SPAN, "start_time")
        _check(start, end, view.now, view.switches)
        step = int(interval)
        shift = origin(step, view.switches)
        first, last = floor(start + shift, step), floor(end + shift, step)
        return view, Periods(first - shift, last - shift + step, step)


def play_domains(request: Request) -> tuple[str, ...]:
    """The names that a request lists, in both forms: repeated, and with commas between them."""
    given = (value for key, value in request.pairs if key == "play_domains")
    return tuple(name.strip().lower() for value in given for name in value.split(","))


def _check(start: int, end: int, now: int, switches: Switches) -> None:
    if start >= end or end - start > SPAN:
        raise illegal(
            "The span of start_time and end_time is invalid", "起始时间和停止时间跨度无效"
        )
    if start < switches.edge_v2(now):
        raise illegal("start_time is too early", "起始时间过早")


def _instant(text: str | None, default: int, name: str) -> int:
    if not text:
        return default
    if not _INSTANT.fullmatch(text):
        raise _bad(name)
    try:
        return int(datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp())
    except ValueError:
        raise _bad(name) from None


def _bad(name: str) -> Refusal:
    return illegal(f"Invalid request parameter: {name}", f"参数{name}无效")
