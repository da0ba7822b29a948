"""The tables of a warehouse: the one definition of their columns, types, units and keys.

Every sink derives its schema from here (Parquet through Arrow, databases through DDL); the data
dictionary is held against it. Timestamps are UTC with microseconds; integers are 64 bits, because a
5-minute bucket overflows 32 bits at 57 Mbit/s (reference: ShowTraffic).
"""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The types a column can have, in every store."""

    TEXT = "text"
    INTEGER = "integer"
    TIMESTAMP = "timestamp"
    DATE = "date"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its type, whether it may be null, and a sentence for the analyst."""

    name: str
    kind: Kind
    meaning: str
    nullable: bool = False
    since: int = 1
    """The format version that brought it; in what is older it is null, or empty text."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table: what a row is, its key (empty: append-only) and its columns in order."""

    name: str
    meaning: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    since: int = 1
    """The format version that brought it; older warehouses have no rows of it."""

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(column.name for column in self.columns)

    def columns_of(self, version: int) -> tuple[Column, ...]:
        """The columns that the table had in a format version, in order."""
        return tuple(column for column in self.columns if column.since <= version)


def _text(name: str, meaning: str, *, since: int = 1) -> Column:
    return Column(name, Kind.TEXT, meaning, since=since)


def _integer(name: str, meaning: str, *, nullable: bool = False) -> Column:
    return Column(name, Kind.INTEGER, meaning, nullable)


def _timestamp(name: str, meaning: str, *, nullable: bool = False, since: int = 1) -> Column:
    return Column(name, Kind.TIMESTAMP, meaning, nullable, since)


_DOMAIN = _text("domain", "Playback (pull) domain, lower case.")
_POINT = _timestamp("timestamp", "Start of the period, UTC.")
_SOURCE = _text("source", "The API that served the value: v1 or v2.")
_ACCOUNT = _text("account", "Account the domain was asked under.")
_PROJECT = _text("project_id", "Project ID the domain was asked under.")
_REGION = _text("region", "Region of the endpoint.")
_RUN = _text("run_id", "The run that wrote the row.")

TRAFFIC = Table(
    "traffic",
    "Bytes served by one domain in one period: what the source last said.",
    ("domain", "timestamp"),
    (
        _DOMAIN,
        _POINT,
        _integer("traffic_bytes", "Bytes served in the period, at least 0."),
        _SOURCE,
        _timestamp("loaded_at", "When this value was written, UTC."),
    ),
)

TRAFFIC_REVISIONS = Table(
    "traffic_revisions",
    "A value that was already stored and that the source changed.",
    ("domain", "timestamp", "revised_at"),
    (
        _DOMAIN,
        _POINT,
        _timestamp("revised_at", "When the new value was written, UTC."),
        _integer("old_bytes", "The value before."),
        _integer("new_bytes", "The value since."),
        _timestamp(
            "old_loaded_at",
            "When the old value was written, UTC; null where an older version of live-traffic wrote"
            " the row.",
            nullable=True,
            since=2,
        ),
        _RUN,
    ),
)

LOAD_LEDGER = Table(
    "load_ledger",
    "What happened, append-only: one row per interval read, found short, failed, lost or gone.",
    (),
    (
        _DOMAIN,
        _timestamp("window_start", "First instant of the interval, UTC, on the grid."),
        _timestamp("window_end", "End of the interval, exclusive, UTC, on the grid."),
        _text("state", "read, partial, failed, lost or gone."),
        _integer("points", "Points that the answer held for the interval."),
        _integer("expected_points", "Points that the interval should hold."),
        _integer("traffic_bytes", "Sum of the points' bytes.", nullable=True),
        _SOURCE,
        _ACCOUNT,
        _PROJECT,
        _REGION,
        _timestamp("fetched_at", "When the request was sent, UTC."),
        _RUN,
        _text("detail", "Why, or what was odd; empty when nothing was."),
    ),
)

DOMAINS = Table(
    "domains",
    "Every domain ever seen; deleted ones stay.",
    ("domain",),
    (
        _DOMAIN,
        _text("domain_type", "pull, as the domain list says; empty when never listed."),
        _text("status", "on, off or configuring, as the domain list last said."),
        _text("service_area", "mainland_china, outside_mainland_china or global."),
        _text("related_domain", "Ingest domain bound to it."),
        _timestamp("create_time", "Created, UTC, as the domain list says.", nullable=True),
        _ACCOUNT,
        _PROJECT,
        _text("region", "Live centre of the domain as the domain list says."),
        _timestamp("first_seen", "First run that wanted it, UTC."),
        _timestamp("last_seen", "Last time it was listed or configured, UTC."),
        _timestamp(
            "unlisted_since", "First list without it, UTC; null while listed.", nullable=True
        ),
        _text("api", "v1 or v2: the API that serves it; empty while that is not known.", since=2),
        _timestamp(
            "moved_at",
            "From here on `api` and `account` serve it, before it `previous_api` and"
            " `previous_account` did, UTC; null: it was never seen to move.",
            nullable=True,
            since=2,
        ),
        _text("previous_api", "The API that served it before; empty: it never moved.", since=2),
        _text("previous_account", "Account that held it before; empty: it never moved.", since=2),
    ),
)

RECONCILIATIONS = Table(
    "reconciliations",
    "A stored sum held against the source's own, append-only: one row per check.",
    (),
    (
        _timestamp("checked_at", "When the source was asked for its sum, UTC."),
        _RUN,
        _text("kind", "domain: of one domain. tenant: of all domains of the account."),
        _text("domain", "Playback (pull) domain, lower case; * for a tenant."),
        _timestamp("window_start", "First instant of the window, UTC, on the grid."),
        _timestamp("window_end", "End of the window, exclusive, UTC, on the grid."),
        _text("source", "The API that gave the sum: v1 or v2."),
        _text("account", "Account that was asked."),
        _integer("stored_bytes", "Sum of the stored points of the window."),
        _integer("source_bytes", "Sum that the source gives for the window."),
        _integer("difference_bytes", "source_bytes less stored_bytes."),
        _integer("tolerance_bytes", "Largest difference, either way, that is rounding."),
        _text("state", "agrees, differs or untracked (traffic of domains that are not kept)."),
        _text("detail", "Why, or what was done about it; empty when nothing was."),
    ),
    since=2,
)

CALENDAR = Table(
    "calendar",
    "The grid mapped to the business time zone, so that views need no time functions.",
    ("timestamp",),
    (
        _POINT,
        _integer("ordinal", "The grid point's number: seconds since 1970 UTC divided by the step."),
        _timestamp("hour_start", "Start of the local hour that holds the point, UTC."),
        Column("local_date", Kind.DATE, "Local date."),
        _integer("local_hour", "Local hour, 0 to 23."),
        _text("local_week", "Local ISO week, 2026-W05."),
        _text("local_month", "Local month, 2026-01."),
        _timestamp("settles_at", "A read sent at or after this instant settles the point, UTC."),
    ),
)

WAREHOUSE = Table(
    "warehouse",
    "One row: what the warehouse was made with.",
    (),
    (
        _integer("format_version", "Version of the layout."),
        _integer("step_seconds", "Length of a period in seconds."),
        _text("timezone", "Business time zone, an IANA name."),
        _integer("settle_after_seconds", "Age at which a point that was read counts as settled."),
    ),
)

TABLES = (
    TRAFFIC,
    TRAFFIC_REVISIONS,
    LOAD_LEDGER,
    DOMAINS,
    RECONCILIATIONS,
    CALENDAR,
    WAREHOUSE,
)
