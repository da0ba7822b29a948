"""Every view, one file each, found by name; portable SQL with a sibling where a dialect must differ.

``views/traffic_daily.sql`` is the statement for every engine; ``views/bandwidth.duckdb.sql`` wins for
``duckdb`` and says inside why it has to.
"""

import re
from functools import cache
from graphlib import TopologicalSorter
from importlib.resources import files

_SUFFIX = ".sql"
_COMMENT = re.compile(r"--[^\n]*")
_REFERENCE = re.compile(r"\b(?:from|join)\s+([a-z_0-9]+)", re.IGNORECASE)


def names(kind: str) -> tuple[str, ...]:
    """The statements of one kind (``views``), sorted, without folder and suffix."""
    folder = files(__name__).joinpath(kind)
    found = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
    stems = (name.removesuffix(_SUFFIX) for name in found if name.endswith(_SUFFIX))
    return tuple(sorted(stem for stem in stems if stem.isidentifier()))


def statement(name: str, dialect: str | None = None) -> str:
    """The text of one statement, such as ``views/traffic_daily``; the dialect's own where there is one.

    Raises:
        KeyError: there is no such statement.
    """
    kind, _, title = name.partition("/")
    if title not in names(kind):
        raise KeyError(name)
    special = files(__name__).joinpath(kind, f"{title}.{dialect}{_SUFFIX}")
    chosen = special if special.is_file() else files(__name__).joinpath(kind, f"{title}{_SUFFIX}")
    return chosen.read_text(encoding="utf-8")


def views(dialect: str | None = None) -> tuple[tuple[str, str], ...]:
    """Every view as (name, statement), each after the views that it refers to."""
    texts = {name: statement(f"views/{name}", dialect) for name in names("views")}
    needs = {name: sorted(references(text) & texts.keys()) for name, text in texts.items()}
    return tuple((name, texts[name]) for name in TopologicalSorter(needs).static_order())


@cache
def references(text: str) -> frozenset[str]:
    """The names that a statement reads from: tables, views and its own common table expressions."""
    return frozenset(_REFERENCE.findall(_COMMENT.sub("", text)))
