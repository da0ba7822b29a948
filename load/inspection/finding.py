"""What can be wrong with a warehouse, as one sentence each."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from livetraffic.window import Window


class Kind(StrEnum):
    """What is wrong; each word is part of the JSON document."""

    DAMAGED = "damaged"
    """Not what the warehouse put there: cut, flipped, empty, of other columns."""
    NEWER = "newer"
    """Made by a newer live-traffic."""
    HALF_MOVED = "half_moved"
    """Of an older format, or on the way from it."""
    FOREIGN = "foreign"
    """Someone else's file where readers look for ours."""
    LEFTOVER = "leftover"
    """Of a commit that was killed."""
    MISPLACED = "misplaced"
    """Rows of another month than their file's."""
    DUPLICATE = "duplicate"
    """A key more than once."""
    NEGATIVE = "negative"
    OFF_GRID = "off_grid"
    DISORDER = "disorder"
    """Rows that are not in the order of their keys."""
    UNRECORDED = "unrecorded"
    """Rows that no ledger entry speaks of."""
    MISSING = "missing"
    """Points that the ledger says were read and that are not there."""
    DIFFERENT = "different"
    """A window whose bytes are not the sum that the ledger holds."""
    CALENDAR = "calendar"
    """A calendar that is not that of the warehouse's step and zone."""


ROW_KINDS = (Kind.NEGATIVE, Kind.OFF_GRID, Kind.MISPLACED, Kind.DUPLICATE)
"""What makes a row one that is set aside."""


class Piece(NamedTuple):
    """Some of a domain's time."""

    domain: str
    window: Window


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong."""

    kind: Kind
    place: str
    """A file, or a table with its month."""
    reason: str
    rows: int = 0
    """How many rows or points it is about; 0: it is not about rows."""
    pieces: tuple[Piece, ...] = ()


@dataclass(frozen=True, slots=True)
class Agreement:
    """Where rows and ledger do not say the same."""

    missing: tuple[Piece, ...] = ()
    different: tuple[Piece, ...] = ()
    unrecorded: dict[str, tuple[Piece, ...]] = field(default_factory=dict)
    """By the API that the rows name."""

    @property
    def holds(self) -> bool:
        """Whether they agree."""
        return not (self.missing or self.different or self.unrecorded)


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that one inspection found."""

    findings: tuple[Finding, ...] = ()
    agreement: Agreement = Agreement()
    rows: int = 0
    months: int = 0
    entries: int = 0
