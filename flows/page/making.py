"""``report`` from its command: look, draw, write, and say what is on the page."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.page.subject import Subject, subject_of
from flows.page.words import Language, words_of
from flows.page.writing import render, write
from flows.summary import instant_or_none
from flows.warehouse import open_sink, rules_of, shown
from livetraffic.window import instant_text

if TYPE_CHECKING:
    from flows.settings import Settings


@dataclass(frozen=True)
class Made:
    """A page that was written, and what it is about."""

    subject: Subject
    path: Path
    size: int

    def document(self) -> dict[str, Any]:
        """The JSON document of ``report``: the page's headline figures, exact."""
        subject = self.subject
        figures, window = subject.figures, subject.period.window
        peak = figures.bandwidth.peak
        return {
            "report": str(self.path),
            "size_bytes": self.size,
            "start": instant_text(window.start),
            "end": instant_text(window.end),
            "timezone": subject.period.zone.key,
            "domains": len(subject.domains),
            "traffic_bytes": figures.traffic_bytes,
            "previous_bytes": figures.previous_bytes,
            "peak": None
            if peak is None
            else {"bits_per_second": peak.bits_per_second, "timestamp": instant_text(peak.at)},
            "percentiles": [item._asdict() for item in figures.bandwidth.percentiles],
            "complete_until": instant_or_none(subject.complete_until),
            "days_by_state": dict(subject.days.counts),
            "expiring": len(subject.at_risk),
        }


def make(
    loaded: "Settings",
    path: Path,
    *,
    now: int,
    asked: tuple[int | None, int | None],
    language: Language,
) -> Made:
    """Write the report of the warehouse that the settings name.

    Args:
        path: the file.
        now: seconds.
        asked: where the range begins and ends (seconds); None: as usual.
        language: of the page.

    Raises:
        ConfigError: there is no warehouse, the range is no good, or the file cannot be written.
    """
    sink = open_sink(loaded)
    sink.check(step=loaded.step, timezone=loaded.timezone)
    subject = subject_of(
        sink,
        rules_of(loaded),
        loaded.zone,
        now=now,
        asked=asked,
        names=loaded.domains,
        uplift=loaded.billing_uplift,
    )
    text = render(subject, words_of(language), shown(loaded.warehouse))
    return Made(subject, path, write(text, path))
