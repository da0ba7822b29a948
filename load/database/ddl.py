"""The tables of a warehouse as CREATE TABLE, from their one definition."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from livetraffic.table import (
    LOAD_LEDGER,
    TABLES,
    TRAFFIC,
    Column,
    Kind,
    Table,
)

STAGED_TRAFFIC = "staged_traffic"
STAGED_LEDGER = "staged_ledger"
STAGED_CHANGES = "staged_changes"

_VERSION = Column("version", Kind.INTEGER, "A migration that was applied.")
_DIGEST = Column("digest", Kind.TEXT, "SHA-256 of the view's text and of those below it.")
_NAME = Column("name", Kind.TEXT, "The view.")
_HOLDER = Column("holder", Kind.TEXT, "Which run holds the warehouse; empty when none does.")
_OLD_BYTES = Column(
    "old_bytes", Kind.INTEGER, "The value before; null for a new row.", nullable=True
)
_OLD_LOADED_AT = Column(
    "old_loaded_at", Kind.TIMESTAMP, "When that was written; null for a new row.", nullable=True
)

SCHEMA_VERSION = Table("schema_version", "The migrations that were applied.", (), (_VERSION,))
INSTALLED_VIEWS = Table(
    "installed_views", "The views as they were last created.", (), (_NAME, _DIGEST)
)
RUN_HOLDER = Table("run_holder", "The run that holds the warehouse.", (), (_HOLDER,))
OWN_TABLES = (INSTALLED_VIEWS, RUN_HOLDER)
"""Beside the warehouse's tables: what the sink keeps for itself."""

INDEXES = (("load_ledger", ("domain", "window_end")), ("load_ledger", ("fetched_at",)))
"""Late writers and what is due are looked up in a ledger of many years."""

_STAGED = (
    Table(STAGED_TRAFFIC, "A batch's rows.", TRAFFIC.key, TRAFFIC.columns),
    Table(STAGED_LEDGER, "A batch's entries.", (), LOAD_LEDGER.columns),
    Table(
        STAGED_CHANGES,
        "The rows of a batch that are new or differ.",
        TRAFFIC.key,
        (*TRAFFIC.columns, _OLD_BYTES, _OLD_LOADED_AT),
    ),
)


@dataclass(frozen=True, slots=True)
class Words:
    """How one dialect says a table.

    Attributes:
        type_of: the type of a column, with its collation.
        keyed: what follows the parenthesis of a table with a key.
        plain: what follows it otherwise.
        keyless: a further column for tables without a key.
        keyed_stage: whether temporary tables have their keys too.
    """

    type_of: Callable[[Column], str]
    keyed: str = ""
    plain: str = ""
    keyless: str = ""
    keyed_stage: bool = True


def tables(words: Words) -> Iterable[str]:
    """What creates the tables and indexes that are not there."""
    for table in (*TABLES, *OWN_TABLES):
        yield create(table, words)


def stages(words: Words) -> Iterable[str]:
    """What creates the temporary tables of a batch."""
    for table in _STAGED:
        yield _create(table, words, "TEMPORARY TABLE", table.key if words.keyed_stage else ())


def create(table: Table, words: Words) -> str:
    """What creates one table unless it is there."""
    return _create(table, words, "TABLE", table.key)


def index_name(table: str, columns: Iterable[str]) -> str:
    """The name of an index of ours."""
    return f"{table}_by_{'_'.join(columns)}"


def added(table: Table, column: Column, words: Words) -> str:
    """What gives a table of an older format one column of today, with a value in its rows."""
    default = "" if column.nullable else " DEFAULT ''"
    kind = f"{words.type_of(column)}{_null(column)}{default}"
    return f"ALTER TABLE {table.name} ADD COLUMN {column.name} {kind}"


def _create(table: Table, words: Words, what: str, key: tuple[str, ...]) -> str:
    parts = [f"{column.name} {words.type_of(column)}{_null(column)}" for column in table.columns]
    if key:
        parts.append(f"PRIMARY KEY ({', '.join(key)})")
    elif words.keyless and what == "TABLE":
        parts.append(words.keyless)
    ending = words.keyed if key else words.plain
    return f"CREATE {what} IF NOT EXISTS {table.name} ({', '.join(parts)}){ending}"


def _null(column: Column) -> str:
    return "" if column.nullable else " NOT NULL"
