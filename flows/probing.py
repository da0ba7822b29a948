"""``doctor --probe``: what the source really allows, found with a dozen requests at most.

How far back it answers, how long a request may be, and whether idle periods are zeros or left out.
Days are the unit: the vendor's pages know no finer one.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from extract.answers import Action, decide
from extract.statistics import Statistics
from flows.bootstrap import Deps, Tenant
from flows.checks import Check, failed
from flows.clock import seconds
from livetraffic.errors import LiveTrafficError, Refused
from livetraffic.limits import Limits
from livetraffic.window import DAY, Window, floor

MOST_REQUESTS = 12
FARTHEST_DAYS = 800
Asks = Callable[[int], bool]
_FEWEST_FOR_SPAN = 2


@dataclass(slots=True)
class Found:
    """A number of days between what was answered and what was refused; None: nothing was."""

    answered: int
    refused: int | None

    def __str__(self) -> str:
        if self.refused is None:
            return f"at least {self.answered} days"
        if self.refused == self.answered + 1:
            return f"{self.answered} days"
        return f"{self.answered} to {self.refused - 1} days"


def probe(deps: Deps, tenant: Tenant) -> Iterator[Check]:
    """What each API in use allows one of the account's domains, and where the settings differ.

    Statistics requests: at most 12 an API.
    """
    known = {d.domain: d.api for d in deps.sink.domains() if d.account == tenant.name}
    names = tenant.configured or tuple(
        item.domain for item in tenant.api.list_domains() if item.domain_type in ("pull", "")
    )
    for source, limits in deps.rules.apis.items():
        likely = [n for n in names if known.get(n) == source]
        likely += [n for n in names if not known.get(n)]
        if likely:
            yield _checked(deps, tenant, limits, likely)


def _checked(deps: Deps, tenant: Tenant, limits: Limits, names: list[str]) -> Check:
    title = f"probe {limits.source}"
    prober = _Prober(tenant.api.statistics(limits.source), deps, limits)
    try:
        if not prober.finds_one_of(names):
            message = f"no domain was found that {limits.source} serves; nothing was measured"
            return Check(title, ok=True, message=message)
        retention = prober.retention()
        span = prober.span()
    except LiveTrafficError as error:
        return failed(title, error)
    differs = _differences(limits, retention, span)
    told = f"answers {retention} back, {span} a request, idle periods {prober.idle}"
    message = f"{told} ({prober.requests} requests)"
    if differs:
        return Check(title, ok=False, message=f"{message}. {' '.join(differs)}", exit_code=3)
    return Check(title, ok=True, message=message)


def _differences(limits: Limits, retention: Found, span: Found) -> list[str]:
    prefix = "LIVE_TRAFFIC_" if limits.source == "v1" else "LIVE_TRAFFIC_V2_"
    found: list[str] = []
    for name, set_to, seen in (
        ("RETENTION", limits.retention // DAY, retention),
        ("SPAN", limits.span // DAY, span),
    ):
        if seen.refused is not None and set_to >= seen.refused:
            found.append(f"Set {prefix}{name} to {seen.answered}d: {set_to}d is refused.")
        elif seen.answered > set_to:
            found.append(f"{prefix}{name} may be {seen.answered}d, it is {set_to}d.")
    return found


class _Prober:
    """Asks one API about one domain and counts."""

    def __init__(self, statistics: Statistics, deps: Deps, limits: Limits) -> None:
        self._statistics, self._limits = statistics, limits
        self._step = deps.rules.step
        self._now = seconds(deps.clock)
        self._domain = ""
        self._zeros = self._holes = False
        self._points = 0
        self.requests = 0

    @property
    def idle(self) -> str:
        """What was seen of idle periods."""
        if self._zeros:
            return "are zeros"
        return "are left out" if self._holes else "were not met"

    def finds_one_of(self, names: list[str]) -> bool:
        """Whether one of the first few domains has points in the last day."""
        end = self._limits.horizon(self._now, self._step)
        for name in names[:3]:
            self._domain = name
            if self._answers(Window(end - DAY, end)) and (self._zeros or self._points):
                return True
        return False

    def retention(self) -> Found:
        """How many days back the source answers."""
        most = MOST_REQUESTS - _FEWEST_FOR_SPAN
        return self._bisected(self._limits.retention // DAY, self._is_offered, most)

    def span(self) -> Found:
        """How many days one request may hold."""
        return self._bisected(self._limits.span // DAY, self._is_short_enough, MOST_REQUESTS)

    def _is_offered(self, days: int) -> bool:
        # A little inside the day, so that the request is not older when it arrives.
        start = floor(self._now - days * DAY, self._step) + 2 * self._step
        return self._answers(Window(start, start + self._step))

    def _is_short_enough(self, days: int) -> bool:
        end = self._limits.horizon(self._now, self._step)
        return self._answers(Window(end - days * DAY, end))

    def _bisected(self, expected: int, holds: Asks, most: int) -> Found:
        """The days that are answered, looked for around what is expected."""
        low, high = 1, None
        if holds(expected):
            low = expected
            guess = expected + 1
        else:
            high, guess = expected, max(expected // 2, 1)
        while self.requests < most and (high is None or high > low + 1):
            if holds(guess):
                low = guess
            else:
                high = guess
            if low >= FARTHEST_DAYS:
                break
            guess = min(low * 2, FARTHEST_DAYS) if high is None else (low + high) // 2
        return Found(low, high)

    def _answers(self, window: Window) -> bool:
        """Whether the source answers for the window; what it says of idle periods is kept."""
        self.requests += 1
        try:
            answer = self._statistics.probed(self._domain, window)
        except Refused as error:
            if decide(error.status or 0, error.error_code).action is not Action.WINDOW:
                raise
            return False
        self._points = len(answer.parsed.points)
        self._zeros = self._zeros or answer.parsed.has_zero
        self._holes = self._holes or 0 < self._points < window.points(self._step)
        return True
