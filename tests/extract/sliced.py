"""A source that answers as it is told, and what its slices tell in short."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import numpy as np

from extract.frames import Parsed, Points
from extract.live_api import Answer
from extract.slices import Stamp, read_slice
from livetraffic.window import DAY, Window

STEP = 300
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
END = int(NOW.timestamp()) - 2 * DAY
"""Everything before it is older than a day."""
WINDOW = Window(END - 12 * STEP, END)
STAMP = Stamp("v1", "acme", "p-1", "cn-north-4", "run-1")
DOMAIN = "play.example.com"


@dataclass
class Source:
    """A source that holds ``points`` (place on the window's grid -> bytes) and fails as told.

    ``answers`` is one function a request, the last for ever: from (source, window) to an answer.
    """

    points: dict
    answers: list = field(default_factory=list)
    asked: list = field(default_factory=list)
    single: list = field(default_factory=list)

    def now(self):
        return NOW + timedelta(seconds=len(self.asked))

    def traffic(self, domain, window, *, single_attempt=False):
        assert domain == DOMAIN
        sent_at = self.now()
        self.asked.append(window)
        self.single.append(single_attempt)
        number = min(len(self.asked), len(self.answers)) - 1
        made = self.answers[number](self, window) if self.answers else whole(self, window)
        return Answer(made, sent_at, "r-1")


def whole(source, window, **changes):
    """Everything the source holds in the window."""
    held = {
        WINDOW.start + place * STEP: value
        for place, value in source.points.items()
        if window.start <= WINDOW.start + place * STEP < window.end
    }
    seconds = np.array(sorted(held), dtype=np.int64)
    values = np.array([held[at] for at in sorted(held)], dtype=np.int64)
    facts = {"total": len(held), "listed": len(held), "has_zero": 0 in held.values()}
    return Parsed(Points(DOMAIN, "v1", seconds, values), **(facts | changes))


def cut(source, window, *, keep=4):
    """The first few points, with the whole number as the total."""
    points = whole(source, window).points
    kept = first(points, keep)
    return Parsed(kept, total=len(points), listed=len(kept))


def first(points, keep):
    """The first few points."""
    return replace(points, seconds=points.seconds[:keep], traffic=points.traffic[:keep])


def fail(kind):
    def answer(_source, _window):
        raise kind("no answer", "wait")

    return answer


def read(source, **changes):
    settings = {
        "expected": WINDOW,
        "absent": (),
        "zero_filling": False,
        "idle": "auto",
        "settle_after": DAY,
        "step": STEP,
        "stamp": STAMP,
    } | changes
    return read_slice(source, DOMAIN, settings.pop("window", WINDOW), **settings)


def places(window):
    """A window as places on the grid."""
    return (window.start - WINDOW.start) // STEP, (window.end - WINDOW.start) // STEP


def told(result):
    """The entries as (state, first place, end place, points, expected, detail)."""
    return [
        (
            entry.state.value,
            *places(entry.window),
            entry.points,
            entry.expected_points,
            entry.detail,
        )
        for entry in result.entries
    ]


FULL = {place: place + 1 for place in range(12)}


def without(*missing):
    return {place: value for place, value in FULL.items() if place not in missing}
