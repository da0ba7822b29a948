"""What a run did, as numbers that add up, and the exit code they mean."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from livetraffic.errors import LiveTrafficError
from livetraffic.plan import Slice
from livetraffic.reconciliation import DIFFERS, Reconciliation
from livetraffic.window import instant_text
from load.sink import Receipt

EXIT_OK = 0
EXIT_NOTHING_DONE = 1
EXIT_CHECK_FAILED = 3
EXIT_DATA_LOST = 4
EXIT_PARTLY_FAILED = 5


@dataclass(frozen=True, slots=True)
class FailedSlice:
    """A stretch that could not be read, and why, in one sentence."""

    slice: Slice
    error: str


class Heard(NamedTuple):
    """An API answered with points of a domain; ``traffic``: some of them were not 0."""

    domain: str
    source: str
    traffic: bool


@dataclass(frozen=True, slots=True)
class BatchReceipt:
    """What became of one batch: small enough to travel from any worker."""

    slices: int = 0
    slices_failed: int = 0
    rows_fetched: int = 0
    written: Receipt = field(default_factory=Receipt)
    failed: tuple[FailedSlice, ...] = ()
    holes: int = 0
    """Points that answers left out and that are not known to be idle."""
    gone: tuple[str, ...] = ()
    heard: frozenset[Heard] = frozenset()
    unknown: tuple[FailedSlice, ...] = ()
    """Refused because this API does not know the domain, where the other one may."""

    def __add__(self, other: "BatchReceipt") -> "BatchReceipt":
        return BatchReceipt(
            self.slices + other.slices,
            self.slices_failed + other.slices_failed,
            self.rows_fetched + other.rows_fetched,
            self.written + other.written,
            self.failed + other.failed,
            self.holes + other.holes,
            tuple(dict.fromkeys(self.gone + other.gone)),
            self.heard | other.heard,
            self.unknown + other.unknown,
        )


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One run from end to end; instants in seconds, UTC."""

    run_id: str
    requests: int
    """Statistics requests sent, retries included."""
    batches: BatchReceipt
    lost: tuple[Slice, ...]
    """Newly recorded as lost."""
    at_risk: tuple[Slice, ...]
    """Gaps that the source forgets within 48 hours."""
    out_of_reach: tuple[Slice, ...]
    complete_until: dict[str, int | None]
    seconds: float
    requests_by_operation: dict[str, int] = field(default_factory=dict)
    failed_accounts: dict[str, str] = field(default_factory=dict)
    """Of several accounts those that could not be read, and why."""
    reconciled: tuple[Reconciliation, ...] = ()

    @property
    def exit_code(self) -> int:
        """1 nothing could be read · 4 data is or will be lost · 5 some slices failed · 3 · 0.

        3: a sum does not agree with the source's own, although its time was read once more.
        """
        failed = self.batches.slices_failed
        if failed and not self.batches.rows_fetched and failed == self.batches.slices:
            return EXIT_NOTHING_DONE
        if self.lost or self.at_risk:
            return EXIT_DATA_LOST
        if failed or self.failed_accounts:
            return EXIT_PARTLY_FAILED
        differs = any(item.state == DIFFERS for item in self.reconciled)
        return EXIT_CHECK_FAILED if differs else EXIT_OK

    def headline(self) -> str:
        """One line: how it ended."""
        words = {
            EXIT_OK: "All read",
            EXIT_NOTHING_DONE: "Nothing could be read",
            EXIT_DATA_LOST: "Data is or will be lost",
            EXIT_PARTLY_FAILED: "Some slices failed",
            EXIT_CHECK_FAILED: "Sums differ from the source's own",
        }
        points = f"{self.batches.rows_fetched:,} points, {self.requests:,} requests"
        return f"{words[self.exit_code]}: {points}, run {self.run_id}"

    def document(self) -> dict[str, Any]:
        """The JSON document of ``backfill`` and ``nightly``."""
        marks = self.complete_until
        lowest = min((m for m in marks.values() if m is not None), default=None)
        whole = bool(marks) and None not in marks.values()
        return {
            "run_id": self.run_id,
            "requests": self.requests,
            "requests_by_operation": self.requests_by_operation,
            "slices": self.batches.slices,
            "rows_fetched": self.batches.rows_fetched,
            "inserted": self.batches.written.inserted,
            "updated": self.batches.written.updated,
            "unchanged": self.batches.written.unchanged,
            "superseded": self.batches.written.superseded,
            "missing_points": self.batches.holes,
            "failed": [
                {**slice_document(item.slice), "error": item.error} for item in self.batches.failed
            ],
            "gone": list(self.batches.gone),
            "lost": [slice_document(item) for item in self.lost],
            "expiring": [slice_document(item) for item in self.at_risk],
            "out_of_reach": [slice_document(item) for item in self.out_of_reach],
            "complete_until": instant_or_none(lowest if whole else None),
            "complete_until_by_domain": {
                domain: instant_or_none(mark) for domain, mark in sorted(marks.items())
            },
            "failed_accounts": self.failed_accounts,
            "reconciliations": [reconciliation_document(item) for item in self.reconciled],
            "seconds": round(self.seconds, 3),
        }


def reconciliation_document(item: Reconciliation) -> dict[str, Any]:
    """One comparison of sums as JSON."""
    instants = {name: instant_text(getattr(item, name)) for name in _INSTANTS}
    return {**item._asdict(), **instants}


_INSTANTS = ("checked_at", "window_start", "window_end")


def slice_document(item: Slice) -> dict[str, str]:
    """A slice as JSON: domain and both ends."""
    return {
        "domain": item.domain,
        "window_start": instant_text(item.window.start),
        "window_end": instant_text(item.window.end),
    }


def instant_or_none(seconds: int | None) -> str | None:
    """An instant as text, or null."""
    return None if seconds is None else instant_text(seconds)


def error_document(error: LiveTrafficError) -> dict[str, Any]:
    """The JSON document of an error."""
    return {"error": {"code": error.code, "message": error.message, "remedy": error.remedy}}


def markdown(summary: RunSummary) -> str:
    """The run as a page for an orchestrator's UI."""
    batches, written = summary.batches, summary.batches.written
    lines = [
        f"# {summary.headline()}",
        "",
        "| what | how many |",
        "| --- | ---: |",
        f"| statistics requests | {summary.requests:,} |",
        f"| slices | {batches.slices:,} |",
        f"| points read | {batches.rows_fetched:,} |",
        f"| new | {written.inserted:,} |",
        f"| changed | {written.updated:,} |",
        f"| as before | {written.unchanged:,} |",
        f"| points missing in answers | {batches.holes:,} |",
        f"| slices failed | {batches.slices_failed:,} |",
        f"| lost | {len(summary.lost):,} |",
        f"| will be lost within 48 h | {len(summary.at_risk):,} |",
    ]
    for title, items in (("Lost", summary.lost), ("Will be lost", summary.at_risk)):
        if items:
            lines += ["", f"## {title}", "", *(f"- `{i.domain}` {i.window}" for i in items[:50])]
    if batches.failed:
        lines += ["", "## Failed", ""]
        lines += [f"- `{i.slice.domain}` {i.slice.window}: {i.error}" for i in batches.failed[:50]]
    return "\n".join(lines)
