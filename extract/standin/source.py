"""What the source says at an instant: values by their life, their age and their corrections."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from extract.standin import rendering
from extract.standin.clock import Clock
from extract.standin.domains import Domain, Domains
from extract.standin.periods import Periods, origin
from extract.standin.restatements import Restatements, restate
from extract.standin.rhythm import STEP, day_values
from extract.standin.switches import Panel, Switches
from livetraffic.window import DAY, MINUTE, ceil, floor

Point = tuple[int, int]


@dataclass(frozen=True, slots=True)
class View:
    """One instant and the switches in force at it, so that one answer is of one piece."""

    now: int
    switches: Switches
    service: str = "v1"
    """The API that is asked."""

    @property
    def late(self) -> int:
        """How long after its end a value still grows, in seconds."""
        return self.switches.late_minutes * MINUTE

    @property
    def published(self) -> int:
        """A period is served once its end is not after this instant."""
        return self.now - self.switches.delay_minutes * MINUTE


class Source:
    """The statistics of the tenant's domains."""

    def __init__(self, seed: int, clock: Clock, panel: Panel, domains: Domains) -> None:
        self._seed, self._clock, self._panel, self._domains = seed, clock, panel, domains
        self.restatements = Restatements()

    def view(self, service: str = "v1") -> View:
        """The present, as one API shows it."""
        return View(self._clock.now(), self._panel.current, service)

    def body(self, domain: Domain | None, periods: Periods, view: View) -> bytes:
        """The answer's JSON; None for the domain means the total of the tenant."""
        ascending = view.switches.order == "ascending"
        if domain is None or periods.step != STEP or periods.label or not ascending:
            return rendering.document(rendering.points(self.points(domain, periods, view)))
        first, stop = _served(domain, periods, view)
        return rendering.document(self._pieces(domain, first, stop, view))

    def points(self, domain: Domain | None, periods: Periods, view: View) -> list[Point]:
        """The points in the order of the ``order`` switch."""
        return self.ordered(self._ascending(domain, periods, view), periods, view)

    def ordered(self, points: list[Point], periods: Periods, view: View) -> list[Point]:
        """Ascending points in the order of the ``order`` switch."""
        if view.switches.order == "descending":
            points.reverse()
        elif view.switches.order == "shuffled":
            dice = random.Random(f"{self._seed}/{periods}")  # noqa: S311 (repeatable on purpose)
            dice.shuffle(points)
        return points

    def tenant(self, view: View) -> list[Domain]:
        """The domains that the total of the tenant is of."""
        omit_deleted = view.switches.total_deleted == "omit"
        return [
            domain
            for domain in self._domains.all()
            if domain.domain_type == "pull" and not (omit_deleted and domain.deleted(view.now))
        ]

    def truth(
        self, domain: Domain | None, start: int, end: int, step: int, service: str = "v1"
    ) -> list[Point]:
        """All published periods that start in ``[start, end)`` and within the API's look-back."""
        view = self.view(service)
        shift = origin(step, view.switches)
        edge = view.switches.edge if service == "v1" else view.switches.edge_v2
        first = ceil(max(start, edge(view.now)) + shift, step) - shift
        return self._ascending(domain, Periods(first, ceil(end + shift, step) - shift, step), view)

    def warm_up(self, days: int) -> None:
        """Compute and render the last days of every domain beforehand."""
        view = self.view()
        for domain in self._domains.all():
            last = ceil(view.now, DAY)
            for _ in self._pieces(domain, last - days * DAY, last, view):
                pass

    def _ascending(self, domain: Domain | None, periods: Periods, view: View) -> list[Point]:
        first, stop = _served(domain, periods, view)
        values = self._values(domain, first, stop, view) if first < stop else []
        size = periods.step // STEP
        sums = (
            values
            if size == 1
            else [sum(values[i : i + size]) for i in range(0, len(values), size)]
        )
        starts = range(first + periods.label, stop + periods.label, periods.step)
        omit = view.switches.idle == "omit"
        return [(start, v) for start, v in zip(starts, sums, strict=True) if v or not omit]

    def _pieces(
        self, domain: Domain, first: int, stop: int, view: View
    ) -> Iterator[rendering.Piece]:
        omit = view.switches.idle == "omit"
        for day in range(floor(first, DAY), stop, DAY):
            start, end = max(first, day), min(stop, day + DAY)
            if end - start == DAY and self._untouched(domain, start, end, view):
                yield rendering.whole_day(
                    self._seed, domain.name, domain.kind, day // DAY, omit=omit
                )
            else:
                values = self._values_of(domain, start, end, view)
                starts = range(start, end, STEP)
                yield rendering.points(
                    [(t, v) for t, v in zip(starts, values, strict=True) if v or not omit]
                )

    def _values(self, domain: Domain | None, first: int, stop: int, view: View) -> list[int]:
        if domain is not None:
            return self._values_of(domain, first, stop, view)
        columns = [self._values_of(each, first, stop, view) for each in self.tenant(view)]
        return [sum(row) for row in zip(*columns, strict=True)] or [0] * ((stop - first) // STEP)

    def _values_of(self, domain: Domain, first: int, stop: int, view: View) -> list[int]:
        if domain.domain_type != "pull":
            return [0] * ((stop - first) // STEP)
        values: list[int] = []
        for day in range(floor(first, DAY), stop, DAY):
            a, b = max(first - day, 0) // STEP, min(stop - day, DAY) // STEP
            values += day_values(self._seed, domain.name, domain.kind, day // DAY)[a:b]
        if not self._untouched(domain, first, stop, view):
            self._adjust(values, domain, first, stop, view)
        return values

    def _untouched(self, domain: Domain, start: int, end: int, view: View) -> bool:
        return (
            domain.domain_type == "pull"
            and start >= domain.create_time
            and (domain.deleted_at is None or end <= domain.deleted_at)
            and end + view.late <= view.now
            and not domain.off_within(start, end)
            and _within(domain.served(view.service), start, end)
            and not self.restatements.touching(domain.name, start, end, view.now)
        )

    def _adjust(self, values: list[int], domain: Domain, first: int, stop: int, view: View) -> None:
        _blank(values, first, lambda t: t + STEP <= domain.create_time)
        if domain.deleted_at is not None:
            deleted_at = domain.deleted_at
            _blank(values, first, lambda t: t >= deleted_at)
        if domain.off_within(first, stop):
            _blank(values, first, domain.is_off)
        if view.late:
            _shrink_young(values, first, view)
        restate(values, first, self.restatements.touching(domain.name, first, stop, view.now))
        served = domain.served(view.service) or (0, 0)
        if not _within(served, first, stop):
            _blank(values, first, lambda t: not served[0] < t + STEP <= served[1])


def _served(domain: Domain | None, periods: Periods, view: View) -> tuple[int, int]:
    """The periods asked for less those unpublished and those outside the domain's life."""
    first, stop, step = periods.first, periods.stop, periods.step
    stop = min(stop, first + floor(view.published - first, step))
    if domain is None:
        return first, max(first, stop)
    served = domain.served(view.service)
    created = domain.create_time
    if view.service == "v2" and domain.moved_at is not None:
        created = domain.moved_at
    if view.switches.before_creation == "omit" and created >= first + step:
        first += floor(created - first, step)
    if served is not None and served[1] < stop:
        stop = first + ceil(max(served[1] - first, 0), step)
    if domain.deleted_at is not None and domain.deleted(view.now):
        stop = min(stop, first + ceil(domain.deleted_at - first, step))
    return first, max(first, stop)


def _within(served: tuple[int, int] | None, start: int, end: int) -> bool:
    return served is not None and served[0] <= start and end <= served[1]


def _blank(values: list[int], first: int, hit: Callable[[int], bool]) -> None:
    for index in range(len(values)):
        if hit(first + index * STEP):
            values[index] = 0


def _shrink_young(values: list[int], first: int, view: View) -> None:
    """A value starts at half and grows until it is ``late`` old."""
    for index in range(len(values) - 1, -1, -1):
        age = view.now - (first + (index + 1) * STEP)
        if age >= view.late:
            return
        values[index] -= values[index] * (view.late - max(age, 0)) // (2 * view.late)
