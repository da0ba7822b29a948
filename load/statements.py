"""What a user typed, judged before DuckDB runs it, and what DuckDB answers, made plain.

Two belts: only what DuckDB's own parser shows to be one reading statement passes, and the connection's
file access ends at the warehouse, with its settings locked.
"""

import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from glob import escape
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import pyarrow as pa

from livetraffic.errors import ConfigError, LiveTrafficError

_MEMORY = "60%"
_HUGEINT = pa.decimal128(38, 0)
_READING_NODES = {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"}
_READING_FUNCTIONS = {"generate_series", "json_each", "json_tree", "range", "unnest"}
_UNSPEAKABLE = re.compile("[\0\ud800-\udfff]")
_READING_REMEDY = "Give one SELECT, WITH, FROM, VALUES, DESCRIBE, SHOW, SUMMARIZE or EXPLAIN."
# Blanks only, no comments: what this does not recognise is refused as no SELECT.
_EXPLAIN = re.compile(
    r"\A\s*explain\s+(?:analyze\s+)?(?:\((?:\s*(?:analyze|format\s+\w+)\s*,?)+\)\s*)?",
    re.IGNORECASE,
)


def confine(connection: duckdb.DuckDBPyConnection, directory: Path | None = None) -> None:
    """Let the connection reach no file but its own database and those under ``directory``; in UTC."""
    spill = Path(tempfile.gettempdir()) / f"live-traffic-{uuid4().hex}"
    settings = [
        "SET TimeZone = 'UTC'",
        f"SET memory_limit = '{_MEMORY}'",
        f"SET temp_directory = {quoted(str(spill))}",  # made when a query outgrows the memory
        "SET autoinstall_known_extensions = false",
        "SET autoload_known_extensions = false",
        "SET python_enable_replacements = false",  # else a name could mean a variable of the caller
        "SET enable_external_access = false",
        "SET lock_configuration = true",
    ]
    if directory is not None:
        allowed = f"{quoted(str(directory))}, {pattern(directory)}"
        settings.insert(-2, f"SET allowed_directories = [{allowed}]")
    for setting in settings:
        connection.execute(setting)


def check_reading(connection: duckdb.DuckDBPyConnection, statement: str) -> None:
    """Refuse what is not one statement that only reads, by DuckDB's own parse of it.

    The kind that DuckDB gives a statement is not enough: EXPLAIN ANALYZE runs what it explains, a COPY
    can hide in a WITH, and some table functions write (``enable_logging``).
    """
    if _UNSPEAKABLE.search(statement):
        raise ConfigError("The statement holds characters that no text has.", _READING_REMEDY)
    explained = _EXPLAIN.sub("", statement, count=1)
    parsed = connection.extract_statements(explained)
    if len(parsed) != 1:
        raise ConfigError(f"One statement at a time; that is {len(parsed)}.", _READING_REMEDY)
    tree = _tree(connection, explained)
    if tree["error"] or not all(map(_only_reads, _nodes(tree))):
        raise ConfigError(
            "That statement does more than read the warehouse's tables and views.", _READING_REMEDY
        )


def tables_of(connection: duckdb.DuckDBPyConnection, statement: str) -> frozenset[str] | None:
    """The names of tables and views in a statement that passed; None where that cannot be said."""
    tree = _tree(connection, _EXPLAIN.sub("", statement, count=1))
    nodes = [node for node in _nodes(tree) if "type" in node]
    if any(node["type"] == "SHOW_REF" for node in nodes):
        return None
    named = (str(node["table_name"]) for node in nodes if node["type"] == "BASE_TABLE")
    return frozenset(name.lower() for name in named)


def _tree(connection: duckdb.DuckDBPyConnection, statement: str) -> dict[str, Any]:
    serialized = connection.execute("SELECT json_serialize_sql(?)", [statement]).fetchall()
    tree: dict[str, Any] = json.loads(serialized[0][0])
    return tree


def _nodes(tree: object) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
        tree = list(tree.values())
    if isinstance(tree, list):
        for branch in tree:
            yield from _nodes(branch)


def _only_reads(node: dict[str, Any]) -> bool:
    kind = str(node.get("type", ""))
    if kind == "TABLE_FUNCTION":
        return node.get("function", {}).get("function_name") in _READING_FUNCTIONS
    return not kind.endswith("_NODE") or kind in _READING_NODES


def narrowed(table: pa.Table) -> pa.Table:
    """The table with its 128-bit integers (what DuckDB's sums are) as int64 where all of them fit."""
    for index, field in enumerate(table.schema):
        if field.type == _HUGEINT:
            with suppress(pa.ArrowInvalid):
                table = table.set_column(index, field.name, table.column(index).cast(pa.int64()))
    return table


def refusal(connection: duckdb.DuckDBPyConnection, error: Exception) -> LiveTrafficError:
    """DuckDB's complaint about a statement that a user typed, with a remedy."""
    if isinstance(error, duckdb.OutOfMemoryException):
        remedy = "Narrow it to fewer domains or days; what is stored is untouched."
    elif isinstance(error, (duckdb.CatalogException, duckdb.PermissionException)):
        names = connection.execute(
            "SELECT view_name FROM duckdb_views() WHERE NOT internal"
            " UNION SELECT table_name FROM duckdb_tables() WHERE NOT internal ORDER BY 1"
        )
        remedy = f"There are {', '.join(name for (name,) in names.fetchall())}."
    else:
        remedy = "`DESCRIBE traffic_daily` shows a view's columns and types."
    return ConfigError(first_line(error), remedy)


def first_line(error: Exception) -> str:
    """The first line of what DuckDB says, as a sentence."""
    return f"{(str(error).strip() or 'unknown').splitlines()[0].rstrip('.!')}."


def pattern(path: Path) -> str:
    """The path as DuckDB reads it, which takes every path for a glob pattern."""
    return quoted(escape(str(path)))


def quoted(text: str) -> str:
    """The text as a SQL string."""
    return "'" + text.replace("'", "''") + "'"
