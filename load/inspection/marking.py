"""The ledger after damage: what is not there any more is due again, what is there is spoken of.

The ledger is append-only but for this: an entry that speaks of points that are gone is cut. The parts
whose rows are there stay as they were read; a part without rows becomes ``failed``, so that the next
run asks for it where the source still has it, and ``lost`` is noted where it has not. Rows whose sum is
in doubt, or that no entry speaks of, are entered as read too early to have settled: they are read again
while that is possible, and keep their value where it is not.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from livetraffic.ledger import Entry, State
from livetraffic.table import LOAD_LEDGER
from livetraffic.window import Window, instant_text, intersect, merge, subtract
from load import records
from load.batch import FRAME_COLUMNS
from load.inspection.finding import Agreement, Piece
from load.months import month_of
from load.rows import MICRO
from load.sink import Sink

Edge = Callable[[str], int]
"""By an API's name: the earliest instant that it still has, in seconds."""


class Tenant(NamedTuple):
    """Under whom a domain is known."""

    account: str = ""
    project_id: str = ""
    region: str = ""


@dataclass(frozen=True, slots=True)
class Marked:
    """What was entered in the ledger; windows by domain."""

    due: tuple[Piece, ...] = ()
    """Asked for again by the next run."""
    lost: tuple[Piece, ...] = ()
    """Gone here, and gone at the source."""
    kept: tuple[Piece, ...] = ()
    """Rows that are kept as they are, because the source no longer has them to compare."""


class Marker:
    """Brings the ledger of one warehouse into agreement with its rows.

    Args:
        sink: its run lock is held.
        step: seconds.
        now: when this happens.
        run_id: for what is appended.
        edge: what the source still has.
    """

    def __init__(self, sink: Sink, step: int, *, now: datetime, run_id: str, edge: Edge) -> None:
        self._sink = sink
        self._step = step
        self._now = now
        self._run_id = run_id
        self._edge = edge

    def mark(self, agreement: Agreement) -> Marked:
        """Enter everything that the inspection found; what is appended comes first.

        Killed in between, the same again does the rest.
        """
        entries = self._sink.ledger()
        gone, doubted = _by_domain(agreement.missing), _by_domain(agreement.different)
        cut = [entry for entry in entries if _touches(entry, gone) or _touches(entry, doubted)]
        replaced: dict[Entry, list[Entry]] = {
            entry: list(self._pieces(entry, gone, doubted)) for entry in cut
        }
        added = [*self._early(agreement), *self._losses(cut, gone)]
        added += [
            new
            for old, found in replaced.items()
            for new in found
            if month_of(new.fetched_at) != month_of(old.fetched_at)
        ]
        self._append(list(dict.fromkeys(added)))
        self._replace(replaced)
        return self._told(agreement, cut)

    def _append(self, added: Sequence[Entry]) -> None:
        if added:
            import pandas as pd  # not before there is something to write

            nothing = pd.DataFrame(columns=list(FRAME_COLUMNS))
            self._sink.upsert(nothing, added, loaded_at=self._now, run_id=self._run_id)

    def _replace(self, replaced: dict[Entry, list[Entry]]) -> None:
        months = {month_of(entry.fetched_at) for entry in replaced}
        if not months:
            return
        by_month: defaultdict[str, list[Entry]] = defaultdict(list)
        for entry in self._sink.ledger():
            month = month_of(entry.fetched_at)
            if month in months:
                found = replaced.get(entry, [entry])
                by_month[month] += [new for new in found if month_of(new.fetched_at) == month]
        for month, kept in sorted(by_month.items()):
            if kept:
                batches = iter(records.entries_as_arrow(kept).to_batches())
                self._sink.replace_month(LOAD_LEDGER, month, batches)
            else:
                self._sink.remove_month(LOAD_LEDGER, month)

    def _pieces(
        self, entry: Entry, gone: dict[str, list[Window]], doubted: dict[str, list[Window]]
    ) -> Iterator[Entry]:
        """What an entry becomes; of doubted time one that speaks of it as read too early."""
        missing = intersect((entry.window,), gone.get(entry.domain, ()))
        doubtful = subtract(intersect((entry.window,), doubted.get(entry.domain, ())), missing)
        full = entry.points == entry.window.points(self._step)
        for window in subtract((entry.window,), (*missing, *doubtful)):
            points = window.points(self._step)
            yield self._cut(entry, window, points=points if full else 0)
        for window in missing:
            words = f"its rows were damaged or missing, fsck {self._stamp}"
            yield self._cut(entry, window, state=State.FAILED, detail=words)
        for window in doubtful:
            words = f"its rows are in doubt, fsck {self._stamp}"
            early = self._cut(entry, window, points=window.points(self._step) if full else 0)
            yield early._replace(fetched_at=window.start * MICRO, detail=words)

    def _cut(self, entry: Entry, window: Window, **changes: object) -> Entry:
        expected = window.points(self._step) if entry.expected_points else 0
        given = {
            "window_start": window.start,
            "window_end": window.end,
            "points": 0,
            "expected_points": expected,
            "traffic_bytes": None,
            **changes,
        }
        return entry._replace(**given)  # type: ignore[arg-type]

    def _early(self, agreement: Agreement) -> Iterator[Entry]:
        known = {
            domain.domain: Tenant(domain.account, domain.project_id, domain.region)
            for domain in self._sink.domains()
        }
        for source, pieces in agreement.unrecorded.items():
            for piece in pieces:
                points = piece.window.points(self._step)
                yield Entry(
                    piece.domain,
                    piece.window.start,
                    piece.window.end,
                    State.READ,
                    points,
                    points,
                    None,
                    source,
                    *known.get(piece.domain, Tenant()),
                    fetched_at=piece.window.start * MICRO,
                    run_id=self._run_id,
                    detail=f"no entry spoke of these rows, fsck {self._stamp}",
                )

    def _losses(self, cut: Iterable[Entry], gone: dict[str, list[Window]]) -> Iterator[Entry]:
        at = int(self._now.timestamp() * 1_000_000)
        for entry in cut:
            behind = Window(
                entry.window_start - 1, max(entry.window_start, self._edge(entry.source))
            )
            missing = intersect((entry.window,), gone.get(entry.domain, ()))
            for window in intersect(missing, (behind,)):
                words = (
                    f"its rows were damaged, and the source no longer has them, fsck {self._stamp}"
                )
                lost = self._cut(entry, window, state=State.LOST, detail=words)
                yield lost._replace(fetched_at=at, run_id=self._run_id)

    def _told(self, agreement: Agreement, cut: Iterable[Entry]) -> Marked:
        sources = {entry.domain: entry.source for entry in cut}
        doubtful = [*agreement.different, *_joined(agreement.unrecorded.values())]
        for source, pieces in agreement.unrecorded.items():
            sources.update({piece.domain: source for piece in pieces})
        gone_due, lost = self._parted(agreement.missing, sources)
        doubt_due, kept = self._parted(doubtful, sources)
        return Marked((*gone_due, *doubt_due), tuple(lost), tuple(kept))

    def _parted(
        self, pieces: Iterable[Piece], sources: dict[str, str]
    ) -> tuple[list[Piece], list[Piece]]:
        """What the source still has, and what it has no more."""
        there, behind = list[Piece](), list[Piece]()
        for name, window in pieces:
            edge = self._edge(sources.get(name, ""))
            if window.end > edge:
                there.append(Piece(name, Window(max(window.start, edge), window.end)))
            if window.start < edge:
                behind.append(Piece(name, Window(window.start, min(window.end, edge))))
        return there, behind

    @property
    def _stamp(self) -> str:
        return instant_text(int(self._now.timestamp()))


def _by_domain(pieces: Iterable[Piece]) -> dict[str, list[Window]]:
    found: defaultdict[str, list[Window]] = defaultdict(list)
    for piece in pieces:
        found[piece.domain].append(piece.window)
    return {name: list(merge(windows)) for name, windows in found.items()}


def _touches(entry: Entry, pieces: dict[str, list[Window]]) -> bool:
    return entry.state == State.READ and bool(
        intersect((entry.window,), pieces.get(entry.domain, ()))
    )


def _joined(groups: Iterable[tuple[Piece, ...]]) -> list[Piece]:
    return [piece for group in groups for piece in group]
