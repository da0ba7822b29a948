"""The views of ``sql/views`` as real views of a database, replaced only where they changed.

The files are one text for every engine, with a sibling where an engine needs another query. What
differs only in the spelling of a word is rewritten here, so that no file is repeated for it.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from hashlib import sha256

from sql import references, views

POSTGRESQL, MYSQL, SQLITE, DUCKDB = "postgresql", "mysql", "sqlite", "duckdb"
DIALECTS = (POSTGRESQL, MYSQL, SQLITE, DUCKDB)

INDEXES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("load_ledger", ("domain", "window_end")),
    ("calendar", ("ordinal",)),
)
"""What the views need beyond the keys, as (table, columns)."""

# The seconds since 1970 of an instant, as the files write them: PostgreSQL's and DuckDB's words.
_SECONDS = r"CAST\(FLOOR\(EXTRACT\(EPOCH FROM ([\w.]+)\)\) AS BIGINT\)"
_SPELLINGS: dict[str, tuple[tuple[str, str], ...]] = {
    MYSQL: (
        (_SECONDS, r"TIMESTAMPDIFF(SECOND, '1970-01-01', \1)"),
        (r"\bAS BIGINT\b", "AS SIGNED"),  # CAST knows no BIGINT
        (r"\bAS DOUBLE PRECISION\b", "AS DOUBLE"),
        (r"\bAS rank\b", "AS `rank`"),  # reserved in MySQL 8
    ),
    # Cut, because SQLite would round .999999 up to the next second.
    SQLITE: ((_SECONDS, r"CAST(strftime('%s', substr(\1, 1, 19)) AS BIGINT)"),),
}


def definitions(dialect: str) -> tuple[tuple[str, str], ...]:
    """Every view as (name, SELECT) in the dialect, each after the views that it reads.

    The texts hold percent signs: a driver must be given them without parameters.
    """
    return tuple((name, _spelled(text, dialect)) for name, text in views(dialect))


def install(
    execute: Callable[[str], object], dialect: str, installed: Mapping[str, str]
) -> dict[str, str]:
    """Create the views that are not there as they should be, and drop those that are no more.

    A view counts as changed when its text did or that of a view below it. Everything belongs in one
    transaction with the storing of the answer (MariaDB and MySQL commit each statement by itself).
    PostgreSQL waits for readers of a view that is replaced: the caller bounds that by
    ``lock_timeout`` and tries again. Grants on a view survive, except on PostgreSQL where columns
    were renamed, retyped or taken away.

    Args:
        execute: runs one SQL string, as it is and without parameters.
        dialect: one of ``DIALECTS``.
        installed: view to digest, as the last ``install`` answered; empty the first time.

    Returns:
        View to digest, to be stored for the next time.
    """
    texts = dict(definitions(dialect))
    wanted = digests(dialect)
    gone = sorted(installed.keys() - texts.keys())
    for name, text in texts.items():
        if installed.get(name) != wanted[name]:
            for statement in _replacing(name, text, dialect, [*gone, *_above(name, texts)]):
                execute(statement)
    for names in [", ".join(gone)] if gone and dialect == POSTGRESQL else gone:
        execute(f"DROP VIEW IF EXISTS {names}")  # PostgreSQL: together, as they may read each other
    return wanted


@cache
def _spelled(text: str, dialect: str) -> str:
    for pattern, spelling in _SPELLINGS.get(dialect, ()):
        text = re.sub(pattern, spelling, text)
    return text


def digests(dialect: str) -> dict[str, str]:
    """View to a digest of its text and of the digests of the views that it reads."""
    found: dict[str, str] = {}
    for name, text in definitions(dialect):
        below = sorted(found[other] for other in references(text) & found.keys())
        found[name] = sha256("\n".join([text, *below]).encode()).hexdigest()
    return found


def _above(name: str, texts: Mapping[str, str]) -> list[str]:
    """The views that read this one, directly or through others."""
    above = {name}
    for other, text in texts.items():
        if references(text) & above:
            above.add(other)
    return sorted(above - {name})


def _replacing(name: str, text: str, dialect: str, above: list[str]) -> Iterator[str]:
    if dialect == SQLITE:
        yield f"DROP VIEW IF EXISTS {name}"
        yield f"CREATE VIEW {name} AS\n{text}"
    elif dialect == MYSQL:
        # Not with its maker's rights: the view would fail everyone once that user is dropped.
        yield f"CREATE OR REPLACE SQL SECURITY INVOKER VIEW {name} AS\n{text}"
    elif dialect == POSTGRESQL:
        yield _replacing_in_postgresql(name, text, above)
    else:
        yield f"CREATE OR REPLACE VIEW {name} AS\n{text}"


def _replacing_in_postgresql(name: str, text: str, above: list[str]) -> str:
    """Replace in place, which keeps grants; where the columns forbid it, drop first.

    What is dropped with it is created anew by the statements that follow.
    """
    dropped = ", ".join([*above, name])
    return (
        f"DO $install$ BEGIN\nCREATE OR REPLACE VIEW {name} AS\n{text};\n"
        "EXCEPTION WHEN invalid_table_definition THEN\n"
        f"DROP VIEW IF EXISTS {dropped};\nCREATE VIEW {name} AS\n{text};\n"
        "END $install$"
    )
