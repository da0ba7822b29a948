"""How each account stands: what the source still offers, how much of it was read, what is next to go."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from flows.outlook import Outlook
from livetraffic.ledger import complete_until
from livetraffic.plan import Leg, answered, expected_window
from livetraffic.window import Window, intersect, subtract


@dataclass(frozen=True, slots=True)
class Standing:
    """One domain, or one account, seen through the ledger; instants in seconds, UTC."""

    domains: int
    expected_points: int
    """Points that the source still offers and that should exist."""
    read_points: int
    """Of these read."""
    settled_points: int
    """Of these read long enough after their end."""
    complete_until: int
    """Everything before it is settled; the retention edge where nothing is."""
    expires_at: int
    """When the source forgets the earliest point that was not read, if no run reads it before.

    Where nothing is missing that is the next point that a run would read.
    """

    def __add__(self, other: "Standing") -> "Standing":
        return Standing(
            self.domains + other.domains,
            self.expected_points + other.expected_points,
            self.read_points + other.read_points,
            self.settled_points + other.settled_points,
            min(self.complete_until, other.complete_until),
            min(self.expires_at, other.expires_at),
        )


def by_domain(outlook: Outlook) -> dict[tuple[str, str], Standing]:
    """The standing of each (account, domain) of which the source still offers something."""
    legs: dict[tuple[str, str], list[Leg]] = defaultdict(list)
    for leg in outlook.legs:
        legs[leg.service.account, leg.domain].append(leg)
    marks = complete_until(outlook.wanted, outlook.coverage)
    return {who: _standing(outlook, theirs, marks[who[1]]) for who, theirs in sorted(legs.items())}


def by_account(standings: dict[tuple[str, str], Standing]) -> dict[str, Standing]:
    """The same added up: the earliest of its domains speaks for an account."""
    found: dict[str, Standing] = {}
    for (account, _), standing in standings.items():
        found[account] = found[account] + standing if account in found else standing
    return found


def _standing(outlook: Outlook, legs: list[Leg], mark: int | None) -> Standing:
    domain, known = outlook.domains[legs[0].domain], outlook.of(legs[0].domain)
    step = outlook.rules.step
    owed = [expected_window(domain, leg.window, step) for leg in legs]
    expected = [window for window in owed if window is not None]
    edge = min(leg.window.start for leg in legs)
    return Standing(
        domains=1,
        expected_points=_points(expected, step),
        read_points=_points(intersect(expected, known.read), step),
        settled_points=_points(intersect(expected, known.settled), step),
        complete_until=edge if mark is None else mark,
        expires_at=min(_expires_at(outlook, leg) for leg in legs),
    )


def _points(windows: Iterable[Window], step: int) -> int:
    return sum(window.points(step) for window in windows)


def _expires_at(outlook: Outlook, leg: Leg) -> int:
    known, source = outlook.of(leg.domain), leg.service.source
    done = answered(known, may_omit=outlook.may_omit[source])
    gaps = subtract((leg.window,), (*done, *known.gone) if leg.service.past else done)
    first = gaps[0].start if gaps else leg.window.end
    return outlook.rules.apis[source].expires_at(first)
